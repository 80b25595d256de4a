"""Understanding cases: intent (including `none`), slots and language of a question."""

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
from eval.language.scoring import score_of
from eval.language.shop import NOW, shop_data

MEASURES: Final = ("intent", "slots", "language")
_CURRENCY: Final = "USD"


@task
def understanding(cases: Sequence[UnderstandingCase], models: Path) -> Task:
    """Build the task: intents are classified by the model, slots and language are found by rules."""
    return Task(
        dataset=MemoryDataset([Sample(input=case.text, id=case.id, target=case.kind.value) for case in cases]),
        solver=generate(),
        scorer=_understanding_scorer({case.id: case for case in cases}),
        model=in_process("understanding", models),
        metrics={"*": [mean()]},
    )


@scorer(metrics={"*": [mean()]})
def _understanding_scorer(cases: Mapping[str, UnderstandingCase]) -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        case = cases[str(state.sample_id)]
        intent = json.loads(state.output.completion)
        language = language_of(case.text)
        problems = {
            "intent": [] if intent["kind"] == case.kind else [f"classified as {intent['kind']}, expected {case.kind}"],
            "slots": list(_wrong_slots(case)),
            "language": [] if language is case.language else [f"detected {language}, expected {case.language}"],
        }
        return score_of(problems, f"{intent['kind']} ({intent['probability']:.2f})")

    return score


def _wrong_slots(case: UnderstandingCase) -> Iterator[str]:
    categories = {product.category for product in shop_data().products}
    slots = find_slots(case.text, _CURRENCY, categories, NOW)
    found = asdict(slots) | {"since": None if slots.period is None else slots.period.first_day.isoformat()}
    for name, value in case.slots.items():
        if found[name] != value:
            yield f"{name} is {found[name]}, expected {value}"
