"""Understanding cases: what a question asks for and what it names, in both languages, `none` of the kinds included."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import TaskState, generate

from agent.explain.questions import language_of
from agent.explain.slots import find_slots
from eval.language.cases import UnderstandingCase
from eval.language.providers import in_process
from eval.language.shop import shop_data

MEASURES: Final = ("intent", "slots", "language")
_CURRENCY: Final = "USD"


@task
def understanding(cases: Sequence[UnderstandingCase], models: Path) -> Task:
    """The model reads the question as it came; slots are found by rules."""
    return Task(
        dataset=MemoryDataset([Sample(input=case.text, id=case.id, target=case.kind.value) for case in cases]),
        solver=generate(),
        scorer=_judge({case.id: case for case in cases}),
        model=in_process("understanding", models),
        metrics={"*": [mean()]},
    )


@scorer(metrics={"*": [mean()]})
def _judge(cases: Mapping[str, UnderstandingCase]) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        case = cases[str(state.sample_id)]
        read = json.loads(state.output.completion)
        problems = {
            "intent": [] if read["kind"] == case.kind else [f"read as {read['kind']}, asked was {case.kind}"],
            "slots": list(_wrong_slots(case)),
            "language": [] if language_of(case.text) is case.language else ["wrong language"],
        }
        return Score(
            value={name: 0 if found else 1 for name, found in problems.items()},
            answer=f"{read['kind']} ({read['probability']:.2f})",
            explanation="; ".join(one for found in problems.values() for one in found),
        )

    return score


def _wrong_slots(case: UnderstandingCase) -> Iterator[str]:
    categories = {product.category for product in shop_data().products}
    found = asdict(find_slots(case.text, _CURRENCY, categories))
    for name, value in case.slots.items():
        if found[name] != value:
            yield f"{name} read as {found[name]}, named was {value}"
