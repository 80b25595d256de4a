"""Question cases: whether a question is answered about what it asks, by rules, slots and classifier together."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver

from agent.explain.questions import QuestionKind
from eval.language.cases import QuestionCase
from eval.language.providers import in_process
from eval.language.scoring import score_of

MEASURES: Final = ("right", "on subject")


@task
def questions(cases: Sequence[QuestionCase], models: Path) -> Task:
    """Build the task: each question is read as by the service."""
    known = {case.id: case for case in cases}
    return Task(
        dataset=MemoryDataset([Sample(input=case.text, id=case.id) for case in cases]),
        solver=[_at_the_door(known), generate()],
        scorer=_question_scorer(known),
        model=in_process("interpreter", models),
        metrics={"*": [mean()]},
    )


@solver
def _at_the_door(cases: Mapping[str, QuestionCase]) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        case = cases[str(state.sample_id)]
        state.messages = [ChatMessageUser(content=case.text, metadata={"door": case.door})]
        return state

    return solve


@scorer(metrics={"*": [mean()]})
def _question_scorer(cases: Mapping[str, QuestionCase]) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        found = json.loads(state.output.completion)
        shown = found["kind"] if found["reason"] is None else f"{found['kind']} ({found['reason']})"
        return score_of(problems_of(cases[str(state.sample_id)], found), shown)

    return score


def problems_of(case: QuestionCase, found: Mapping[str, Any]) -> dict[str, list[str]]:
    """Find problems by measure: abstaining where an answer is due is not `right`, but `on subject`."""
    kind, none = QuestionKind(found["kind"]), QuestionKind.NONE
    if kind in (case.kind, *case.also):
        wrong = [] if kind is none else list(_wrong_slots(case, found))
        return {"right": wrong, "on subject": wrong}
    if kind is none:
        return {"right": [f"not answered ({found['reason']}), expected {case.kind}"], "on subject": []}
    wrong = [f"answered as {kind}, expected {case.kind}"]
    return {"right": wrong, "on subject": wrong}


def _wrong_slots(case: QuestionCase, found: Mapping[str, Any]) -> Iterator[str]:
    for name, allowed in case.slots.items():
        if found[name] not in allowed:
            yield f"{name} is {found[name]}, expected {' or '.join(map(str, allowed))}"
