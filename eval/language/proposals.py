"""Proposal cases: what the strategist writes is valid, follows its reasons, and gives the evaluator a choice."""

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
from models.strategist.facts import StrategistFacts
from models.strategist.strategy import ALLOWED_ANCHORS, ALLOWED_MOVES, Anchor, Lever, Rounding, Strategy, StrategyError
from prompts import Prompt

MEASURES: Final = ("valid", "direction", "diverse")
_ORDINARY: Final[Mapping[str, Any]] = {"category": "", "interest": 0.2}
_APART: Final = 0.005
_SPREAD: Final = 0.04
_PRICES: Final = 5
_LEVERS: Final = 2
_HELD: Final = 0.01


@task
def proposals(cases: Sequence[ProposalCase], prompt: Prompt, models: Path) -> Task:
    """Every case is asked once, twice where it compares two situations."""
    return Task(
        dataset=MemoryDataset([Sample(input=_prompt(case.facts, prompt), id=case.id) for case in cases]),
        solver=_ask({case.id: case for case in cases}, prompt),
        scorer=_judge({case.id: case for case in cases}),
        model=in_process("strategist", models),
        metrics={"*": [mean()]},
    )


def facts_of(raw: Mapping[str, Any]) -> StrategistFacts:
    """A situation from a case."""
    named = {**_ORDINARY, **raw}
    return StrategistFacts(**{**named, "lifts": tuple(named["lifts"])})


def _prompt(raw: Mapping[str, Any], prompt: Prompt) -> str:
    return prompt_text(prompt, facts_of(raw))


@solver
def _ask(cases: Mapping[str, ProposalCase], prompt: Prompt) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        case = cases[str(state.sample_id)]
        for name, raw in (("than", case.than), ("here", case.facts)):
            if raw is None:
                continue
            facts = facts_of(raw)
            beside = {"levers": sorted(facts.levers()), "anchors": sorted(facts.anchors())}
            state.messages = [ChatMessageUser(content=_prompt(raw, prompt), metadata=beside)]
            state = await generate(state)
            state.store.set(name, state.output.completion)
        return state

    return solve


@scorer(metrics={"*": [mean()]})
def _judge(cases: Mapping[str, ProposalCase]) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        case = cases[str(state.sample_id)]
        written = json.loads(state.store.get("here"))
        than = None if case.than is None else json.loads(state.store.get("than"))
        problems = {
            "valid": list(_invalid(written, facts_of(case.facts))),
            "direction": list(_misdirected(case, written, than)),
            "diverse": list(_monotonous(written, facts_of(case.facts))),
        }
        return Score(
            value={name: 0 if found else 1 for name, found in problems.items()},
            answer="; ".join(_said(one) for one in written[:3]),
            explanation="; ".join(one for found in problems.values() for one in found),
        )

    return score


def ratio(one: Mapping[str, Any], facts: StrategistFacts) -> float | None:
    """The price over the reference that a strategy means, no higher than the reference where it may not rise."""
    anchors = {
        Anchor.REFERENCE: 1.0,
        Anchor.LIST: facts.list_ratio,
        Anchor.COMPETITOR: facts.rival_ratio,
        Anchor.LAST_PAID: facts.last_paid_ratio,
    }
    start = anchors[Anchor(one["anchor"])]
    if start is None:
        return None
    found = start * (1 + int(one["move_pct"]) / 100)
    return found if facts.may_rise else min(1.0, found)


def _invalid(written: Sequence[Mapping[str, Any]], facts: StrategistFacts) -> Iterator[str]:
    """Whether each strategy is one of the grammar, its lever has its reason here and its anchor a price."""
    if not 1 <= len(written) <= K:
        yield f"{len(written)} strategies"
    if len({json.dumps({**one, "score": 0}, sort_keys=True) for one in written}) < len(written):
        yield "a strategy is written twice"
    for one in written:
        try:
            made = Strategy(Lever(one["lever"]), Anchor(one["anchor"]), one["move_pct"], Rounding(one["rounding"]))
        except (StrategyError, ValueError) as error:
            yield str(error)
            continue
        if made.move_pct not in ALLOWED_MOVES[made.lever] or made.anchor not in ALLOWED_ANCHORS[made.lever]:
            yield f"{made.name}: not in the grammar"
        if made.lever not in facts.levers() | {Lever.HOLD}:
            yield f"{made.lever}: no reason for it here"
        if made.anchor not in facts.anchors():
            yield f"{made.anchor}: has no price here"


def _misdirected(
    case: ProposalCase, written: Sequence[Mapping[str, Any]], than: Sequence[Mapping[str, Any]] | None
) -> Iterator[str]:
    """Whether the first choice lies and moves where the case says, and the levers are those it asks for."""
    levers = [Lever(one["lever"]) for one in written]
    price = ratio(written[0], facts_of(case.facts))
    if price is None:
        yield "the first choice has no price"
        return
    if case.first is not None and not case.first[0] - 1e-9 <= price <= case.first[1] + 1e-9:
        yield f"first choice at {price:.2f}, expected {case.first[0]:.2f} to {case.first[1]:.2f}"
    if case.leads and levers[0] not in case.leads:
        yield f"first choice is {levers[0]}, expected {' or '.join(case.leads)}"
    yield from (f"{lever} is not among the eight" for lever in case.among if lever not in levers)
    yield from (f"{lever} is among the eight" for lever in case.never if lever in levers)
    if than is not None and case.than is not None:
        before = ratio(than[0], facts_of(case.than))
        if before is None or not _moved(before, price, case.moves or ""):
            yield f"first choice went from {before} to {price:.2f}, expected {case.moves}"


def _moved(before: float, after: float, how: str) -> bool:
    return {
        "lower": after < before - _HELD,
        "higher": after > before + _HELD,
        "not lower": after >= before - _HELD,
        "not higher": after <= before + _HELD,
    }[how]


def _monotonous(written: Sequence[Mapping[str, Any]], facts: StrategistFacts) -> Iterator[str]:
    """Whether the eight give the evaluator a choice: prices apart, more than one reason, some spread."""
    prices = sorted(price for one in written if (price := ratio(one, facts)) is not None)
    apart = 1 + sum(high - low > _APART for low, high in pairwise(prices))
    if apart < _PRICES:
        yield f"{apart} different prices among {len(prices)}"
    if len({one["lever"] for one in written}) < _LEVERS:
        yield "one lever alone"
    if prices and prices[-1] - prices[0] < _SPREAD:
        yield f"all prices within {prices[-1] - prices[0]:.2f}"


def _said(one: Mapping[str, Any]) -> str:
    return f"{one['lever']}: {one['anchor']} {one['move_pct']:+d} %"
