from pathlib import Path

import pytest

import models
from models.registry.registry import ORDER, ModelKind, ModelMeta, read_meta
from models.registry.reproduction import TOLERANCE, compare, trained_otherwise

SHIPPED = {kind: read_meta(Path(models.__file__).parent / "shipped" / kind.value) for kind in ORDER}


def changed(meta: ModelMeta, **metrics: float) -> ModelMeta:
    return meta.model_copy(update={"metrics": dict(meta.metrics) | metrics})


@pytest.mark.parametrize("kind", ORDER)
def test_a_shipped_version_is_within_tolerance_of_itself(kind: ModelKind) -> None:
    found = compare(SHIPPED[kind], SHIPPED[kind])
    assert [one.metric for one in found] == list(TOLERANCE[kind])
    assert all(one.within for one in found)
    assert not trained_otherwise(SHIPPED[kind], SHIPPED[kind])


@pytest.mark.parametrize(
    ("kind", "metric"), [(kind, metric) for kind in ORDER for metric in TOLERANCE[kind]], ids=lambda value: str(value)
)
@pytest.mark.parametrize("sign", [-1, 1])
def test_a_metric_beyond_its_tolerance_either_way_is_not_within(kind: ModelKind, metric: str, sign: int) -> None:
    moved = SHIPPED[kind].metrics[metric] + sign * (1.01 * TOLERANCE[kind][metric] + 1e-9)
    found = {one.metric: one.within for one in compare(changed(SHIPPED[kind], **{metric: moved}), SHIPPED[kind])}
    assert [name for name, within in found.items() if not within] == [metric]


def test_a_metric_that_was_not_measured_is_not_within() -> None:
    bare = SHIPPED[ModelKind.EVALUATOR].model_copy(update={"metrics": {}})
    assert not any(one.within for one in compare(bare, SHIPPED[ModelKind.EVALUATOR]))


def test_differing_settings_are_listed_without_the_name_of_the_training_evaluator() -> None:
    shipped = SHIPPED[ModelKind.STRATEGIST]
    other = shipped.model_copy(update={"config": dict(shipped.config) | {"layers": 8, "evaluator": "mine"}})
    assert trained_otherwise(other, shipped) == ["strategist: layers is 8, shipped 4"]
