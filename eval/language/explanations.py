"""Explanation cases, which test the whole service, and narration cases, which test the narrator alone.

Answers are scored by `eval.language.texts`, independently of the service's own checker.
"""

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
from eval.language.scoring import number_problems, score_of
from eval.language.shop import as_message, shop_data
from eval.language.texts import detect_language, leaks
from prompts import Prompt

MEASURES: Final = ("intent", "faithful", "complete", "language", "private")
NARRATION_MEASURES: Final = ("own text", "faithful", "complete")


@task
def explanations(cases: Sequence[ExplanationCase], models: Path) -> Task:
    """Build the task: one quote and one question per case."""
    return Task(
        dataset=MemoryDataset([Sample(input=_message(case), id=case.id) for case in cases]),
        solver=generate(),
        scorer=_explanation_scorer({case.id: case for case in cases}),
        model=in_process("shop", models),
        metrics={"*": [mean()]},
    )


def _message(case: ExplanationCase) -> str:
    ask = {"question": case.question, "language": case.language.value, "audience": case.audience.value}
    return as_message(shop_data().quotes[case.quote], ask)


@scorer(metrics={"*": [mean()]})
def _explanation_scorer(cases: Mapping[str, ExplanationCase]) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        case = cases[str(state.sample_id)]
        reply = json.loads(state.output.completion)
        answer = reply["answer"]
        evidence = {one["fact"]: one["value"] for one in reply["evidence"]}
        names = [value for one in reply["evidence"] for value in _names(one)]
        language = detect_language(answer, names)
        private = leaks(answer, cost_of(shop_data().quotes[case.quote]), case.question or "")
        problems = {
            "intent": [] if reply["kind"] == case.kind else [f"answered {reply['kind']}, expected {case.kind}"],
            "faithful": [*number_problems(answer, list(evidence.values())), *reply["problems"]],
            "complete": list(_missing_facts(answer, evidence, case.says)),
            "language": [] if language is case.language else [f"written in {language}, expected {case.language}"],
            "private": list(private) if case.audience is Audience.SHOPPER else [],
        }
        return score_of(problems, answer)

    return score


def cost_of(quote: Mapping[str, Any]) -> int | None:
    """Look up the unit cost of a quote of the shop, which shoppers must not learn; None if unknown."""
    requested = quote["product"].get("cost")
    if requested is not None:
        return int(requested["amount_minor"])
    product = next((one for one in shop_data().products if one.id == quote["product"].get("id")), None)
    return None if product is None or product.cost is None else product.cost.amount_minor


def _names(one: Mapping[str, str]) -> Iterator[str]:
    """Iterate over names in the evidence, which texts of any language repeat unchanged."""
    if one["fact"] in ("product", "similar_products", "shopper", "other_shopper", "inputs", "ignored", "category"):
        yield from one["value"].replace("、", ", ").split(", ")
        yield one["value"]


def _missing_facts(answer: str, evidence: Mapping[str, str], says: Sequence[str]) -> Iterator[str]:
    for fact in says:
        value = evidence.get(fact)
        if value is None:
            yield f"{fact} is not in the evidence"
        elif value not in answer:
            yield f"{fact} ({value}) is not in the answer"


@task
def narrations(cases: Sequence[NarrationCase], prompt: Prompt, models: Path) -> Task:
    """Build the task: the narrator's text for a given fact table, without the deterministic fallback."""
    return Task(
        dataset=MemoryDataset([Sample(input=case.kind.value, id=case.id) for case in cases]),
        solver=_narrate({case.id: case for case in cases}, prompt),
        scorer=_narration_scorer({case.id: case for case in cases}),
        model=in_process("narrator", models),
        metrics={"*": [mean()]},
    )


def table_of(case: NarrationCase) -> FactTable:
    """Build the fact table of a case."""
    facts = [Fact(key, tuple(value) if isinstance(value, list) else value) for key, value in case.facts.items()]
    return FactTable.of(case.kind, case.currency, facts)


@solver
def _narrate(cases: Mapping[str, NarrationCase], prompt: Prompt) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        request = narratable(table_of(cases[str(state.sample_id)]), prompt)
        if request is None:
            raise ValueError(f"{state.sample_id}: the narrator was not trained on this kind of fact table")
        state.messages = [ChatMessageUser(content=request.prompt, metadata={"references": list(request.values)})]
        state = await generate(state)
        state.store.set("text", request.fill(state.output.completion))
        return state

    return solve


@scorer(metrics={"*": [mean()]})
def _narration_scorer(cases: Mapping[str, NarrationCase]) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        case = cases[str(state.sample_id)]
        table, text = table_of(case), state.store.get("text")
        evidence = {fact.key: shown(fact, Language.EN, table.currency) for fact in table.facts if fact.value != ()}
        report = check(text, table, Language.EN, Audience.MERCHANT)
        finished = text.rstrip().endswith((".", "?"))
        problems = {
            "own text": [*report.problems, *([] if finished else ["the last sentence is unfinished"])],
            "faithful": number_problems(text, list(evidence.values())),
            "complete": list(_missing_facts(text, evidence, case.says)),
        }
        return score_of(problems, text)

    return score
