"""Explanation cases: asked of the whole service, read without its own checker. Narration cases: the narrator alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver

from agent.explain.check import check
from agent.explain.facts import Fact, FactTable
from agent.explain.narration import narratable
from agent.explain.questions import Audience, Language
from agent.explain.wording import shown
from eval.language.cases import ExplanationCase, NarrationCase
from eval.language.providers import in_process
from eval.language.shop import as_message, shop_data
from eval.language.texts import invented, leaks, reads_as
from prompts import Prompt

MEASURES: Final = ("intent", "faithful", "complete", "language", "private")
NARRATION_MEASURES: Final = ("own text", "faithful", "complete")


@task
def explanations(cases: Sequence[ExplanationCase], models: Path) -> Task:
    """One quote and one question each."""
    return Task(
        dataset=MemoryDataset([Sample(input=_message(case), id=case.id) for case in cases]),
        solver=generate(),
        scorer=_judge({case.id: case for case in cases}),
        model=in_process("shop", models),
        metrics={"*": [mean()]},
    )


def _message(case: ExplanationCase) -> str:
    ask = {"question": case.question, "language": case.language.value, "audience": case.audience.value}
    return as_message(shop_data().quotes[case.quote], ask)


@scorer(metrics={"*": [mean()]})
def _judge(cases: Mapping[str, ExplanationCase]) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        case = cases[str(state.sample_id)]
        told = json.loads(state.output.completion)
        evidence = {one["fact"]: one["value"] for one in told["evidence"]}
        names = [value for one in told["evidence"] for value in _names(one)]
        language = reads_as(told["answer"], names)
        private = leaks(told["answer"], cost_of(shop_data().quotes[case.quote]), case.question or "")
        problems = {
            "intent": [] if told["kind"] == case.kind else [f"answered {told['kind']}, asked was {case.kind}"],
            "faithful": [
                *(f"{number} is no fact" for number in invented(told["answer"], list(evidence.values()))),
                *told["problems"],
            ],
            "complete": list(_unsaid(told["answer"], evidence, case.says)),
            "language": [] if language is case.language else [f"written in {language}"],
            "private": list(private) if case.audience is Audience.SHOPPER else [],
        }
        return Score(
            value={name: 0 if found else 1 for name, found in problems.items()},
            answer=told["answer"],
            explanation="; ".join(one for found in problems.values() for one in found),
        )

    return score


def cost_of(quote: Mapping[str, Any]) -> int | None:
    """The unit cost behind a quote of the shop, which shoppers never learn."""
    own = quote["product"].get("cost")
    if own is not None:
        return int(own["amount_minor"])
    known = next((one for one in shop_data().products if one.id == quote["product"].get("id")), None)
    return None if known is None or known.cost is None else known.cost.amount_minor


def _names(one: Mapping[str, str]) -> Iterator[str]:
    """Parts of evidence that stand in a text as they are, whatever its language."""
    if one["fact"] in ("product", "similar_products", "shopper", "other_shopper", "inputs", "ignored", "category"):
        yield from one["value"].replace("、", ", ").split(", ")
        yield one["value"]


def _unsaid(answer: str, evidence: Mapping[str, str], says: Sequence[str]) -> Iterator[str]:
    for fact in says:
        value = evidence.get(fact)
        if value is None:
            yield f"{fact} is not among the facts"
        elif value not in answer:
            yield f"{fact} ({value}) is not told"


@task
def narrations(cases: Sequence[NarrationCase], prompt: Prompt, models: Path) -> Task:
    """The narrator's own text of a written fact table, before any deterministic text would take its place."""
    return Task(
        dataset=MemoryDataset([Sample(input=case.kind.value, id=case.id) for case in cases]),
        solver=_narrate({case.id: case for case in cases}, prompt),
        scorer=_judge_own({case.id: case for case in cases}),
        model=in_process("narrator", models),
        metrics={"*": [mean()]},
    )


def table_of(case: NarrationCase) -> FactTable:
    """The fact table that a case writes down."""
    facts = [Fact(key, tuple(value) if isinstance(value, list) else value) for key, value in case.facts.items()]
    return FactTable.of(case.kind, case.currency, facts)


@solver
def _narrate(cases: Mapping[str, NarrationCase], prompt: Prompt) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        asked = narratable(table_of(cases[str(state.sample_id)]), prompt)
        if asked is None:
            raise ValueError(f"{state.sample_id}: the narrator was not taught to answer this")
        state.messages = [ChatMessageUser(content=asked.prompt, metadata={"references": list(asked.values)})]
        state = await generate(state)
        state.store.set("text", asked.fill(state.output.completion))
        return state

    return solve


@scorer(metrics={"*": [mean()]})
def _judge_own(cases: Mapping[str, NarrationCase]) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        case = cases[str(state.sample_id)]
        table, text = table_of(case), state.store.get("text")
        evidence = {fact.key: shown(fact, Language.EN, table.currency) for fact in table.facts if fact.value != ()}
        report = check(text, table, Language.EN, Audience.MERCHANT)
        whole = text.rstrip().endswith((".", "?"))
        problems = {
            "own text": [*report.problems, *([] if whole else ["it does not end"])],
            "faithful": [f"{number} is no fact" for number in invented(text, list(evidence.values()))],
            "complete": list(_unsaid(text, evidence, case.says)),
        }
        return Score(
            value={name: 0 if found else 1 for name, found in problems.items()},
            answer=text,
            explanation="; ".join(one for found in problems.values() for one in found),
        )

    return score
