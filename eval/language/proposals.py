"""Proposal cases: strategies must be valid, move in the expected direction, and be diverse."""

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from agent.pricing.model_proposer import K, prompt_text
from eval.language.cases import ProposalCase
from eval.language.providers import in_process
from eval.language.scoring import score_of
from models.strategist.facts import StrategistFacts
from models.strategist.strategy import ALLOWED_ANCHORS, ALLOWED_MOVES, Anchor, Lever, Rounding, Strategy, StrategyError
from prompts import Prompt

MEASURES: Final = ("valid", "direction", "diverse")
_DEFAULTS: Final[Mapping[str, Any]] = {"category": "", "interest": 0.2}
_MIN_GAP: Final = 0.005  # between prices that count as different, relative to the reference price
_MIN_SPREAD: Final = 0.04
_MIN_PRICES: Final = 5
_MIN_LEVERS: Final = 2
_TOLERANCE: Final = 0.01


@task
def proposals(cases: Sequence[ProposalCase], prompt: Prompt, models: Path) -> Task:
    """Build the task: one proposal per case, two if it compares situations."""
    return Task(
        dataset=MemoryDataset([Sample(input=_prompt(case.facts, prompt), id=case.id) for case in cases]),
        solver=_propose({case.id: case for case in cases}, prompt),
        scorer=_proposal_scorer({case.id: case for case in cases}),
        model=in_process("strategist", models),
        metrics={"*": [mean()]},
    )


def facts_of(raw: Mapping[str, Any]) -> StrategistFacts:
    """Build the strategist's facts from those of a case."""
    facts = {**_DEFAULTS, **raw}
    return StrategistFacts(**{**facts, "lifts": tuple(facts["lifts"])})


def _prompt(raw: Mapping[str, Any], prompt: Prompt) -> str:
    return prompt_text(prompt, facts_of(raw))


@solver
def _propose(cases: Mapping[str, ProposalCase], prompt: Prompt) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        case = cases[str(state.sample_id)]
        for name, raw in (("than", case.than), ("here", case.facts)):
            if raw is None:
                continue
            facts = facts_of(raw)
            metadata = {"levers": sorted(facts.levers()), "anchors": sorted(facts.anchors())}
            state.messages = [ChatMessageUser(content=_prompt(raw, prompt), metadata=metadata)]
            state = await generate(state)
            state.store.set(name, state.output.completion)
        return state

    return solve


@scorer(metrics={"*": [mean()]})
def _proposal_scorer(cases: Mapping[str, ProposalCase]) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        case = cases[str(state.sample_id)]
        strategies = json.loads(state.store.get("here"))
        than = None if case.than is None else json.loads(state.store.get("than"))
        problems = {
            "valid": list(_invalid(strategies, facts_of(case.facts))),
            "direction": list(_misdirected(case, strategies, than)),
            "diverse": list(_too_similar(strategies, facts_of(case.facts))),
        }
        return score_of(problems, "; ".join(_text(one) for one in strategies[:3]))

    return score


def ratio(one: Mapping[str, Any], facts: StrategistFacts) -> float | None:
    """Price of a strategy relative to the reference price, capped at 1 if it may not rise; None without an anchor."""
    anchors = {
        Anchor.REFERENCE: 1.0,
        Anchor.LIST: facts.list_ratio,
        Anchor.COMPETITOR: facts.rival_ratio,
        Anchor.LAST_PAID: facts.last_paid_ratio,
    }
    anchor = anchors[Anchor(one["anchor"])]
    if anchor is None:
        return None
    price = anchor * (1 + int(one["move_pct"]) / 100)
    return price if facts.may_rise else min(1.0, price)


def _invalid(strategies: Sequence[Mapping[str, Any]], facts: StrategistFacts) -> Iterator[str]:
    """Describe strategies outside the grammar, levers without their reason, anchors without a price, duplicates."""
    if not 1 <= len(strategies) <= K:
        yield f"{len(strategies)} strategies, expected 1 to {K}"
    if len({json.dumps({**one, "score": 0}, sort_keys=True) for one in strategies}) < len(strategies):
        yield "duplicate strategy"
    for one in strategies:
        try:
            parsed = Strategy(Lever(one["lever"]), Anchor(one["anchor"]), one["move_pct"], Rounding(one["rounding"]))
        except (StrategyError, ValueError) as error:
            yield str(error)
            continue
        if parsed.move_pct not in ALLOWED_MOVES[parsed.lever] or parsed.anchor not in ALLOWED_ANCHORS[parsed.lever]:
            yield f"{parsed.name}: not in the grammar"
        if parsed.lever not in facts.levers() | {Lever.HOLD}:
            yield f"{parsed.lever}: the facts give no reason for it"
        if parsed.anchor not in facts.anchors():
            yield f"{parsed.anchor}: the facts give no price for it"


def _misdirected(
    case: ProposalCase, strategies: Sequence[Mapping[str, Any]], than: Sequence[Mapping[str, Any]] | None
) -> Iterator[str]:
    """Describe unmet expectations of a case: price and movement of the first choice, levers proposed."""
    levers = [Lever(one["lever"]) for one in strategies]
    price = ratio(strategies[0], facts_of(case.facts))
    if price is None:
        yield "the first choice has no price"
        return
    if case.first is not None and not case.first[0] - 1e-9 <= price <= case.first[1] + 1e-9:
        yield f"first choice at {price:.2f}, expected {case.first[0]:.2f} to {case.first[1]:.2f}"
    if case.leads and levers[0] not in case.leads:
        yield f"first choice is {levers[0]}, expected {' or '.join(case.leads)}"
    yield from (f"{lever} is not proposed, expected" for lever in case.among if lever not in levers)
    yield from (f"{lever} is proposed, not expected" for lever in case.never if lever in levers)
    if than is not None and case.than is not None:
        before = ratio(than[0], facts_of(case.than))
        if before is None or not _moved(before, price, case.moves or ""):
            yield f"first choice went from {before} to {price:.2f}, expected {case.moves}"


def _moved(before: float, after: float, direction: str) -> bool:
    return {
        "lower": after < before - _TOLERANCE,
        "higher": after > before + _TOLERANCE,
        "not lower": after >= before - _TOLERANCE,
        "not higher": after <= before + _TOLERANCE,
    }[direction]


def _too_similar(strategies: Sequence[Mapping[str, Any]], facts: StrategistFacts) -> Iterator[str]:
    """Describe a lack of diversity: too few different prices, too few levers, too small a spread."""
    prices = sorted(price for one in strategies if (price := ratio(one, facts)) is not None)
    different = 1 + sum(high - low > _MIN_GAP for low, high in pairwise(prices))
    if different < _MIN_PRICES:
        yield f"{different} different prices among {len(prices)}, expected at least {_MIN_PRICES}"
    if len({one["lever"] for one in strategies}) < _MIN_LEVERS:
        yield f"fewer than {_MIN_LEVERS} levers"
    if prices and prices[-1] - prices[0] < _MIN_SPREAD:
        yield f"spread of prices {prices[-1] - prices[0]:.2f}, expected at least {_MIN_SPREAD}"


def _text(one: Mapping[str, Any]) -> str:
    return f"{one['lever']}: {one['anchor']} {one['move_pct']:+d} %"
