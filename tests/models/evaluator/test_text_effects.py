from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.evaluator.evaluator_file import load_evaluator, save_evaluator
from models.evaluator.lesson import Lesson, Term
from models.evaluator.online_effects import OnlineEffects
from models.evaluator.text_effects import LEAST_TEXTS, WIDTH, TextEffects, TextProjection, text_terms

SHIPPED = Path(__file__).parents[3] / "models" / "shipped" / "evaluator" / "evaluator.safetensors"
ALL = Term("all", 1.0, 2.0, 1.0)
SD = (0.7, 0.4)


def states(count: int, seed: int = 0) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).standard_normal((count, 384)).astype(np.float32)
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


def projection(count: int = 60) -> TextProjection:
    found = TextProjection.of_products(states(count))
    assert found is not None
    return found


def test_values_have_length_one_on_average_and_are_zero_without_a_description() -> None:
    known = states(60)
    values = projection().of(known).values
    assert values.shape == (60, WIDTH)
    assert (values**2).sum(axis=1).mean() == pytest.approx(1.0, abs=0.01)
    assert not projection().of(np.zeros((2, 384), np.float32)).values.any()


@pytest.mark.parametrize("count", [0, 1, LEAST_TEXTS - 1])
def test_too_few_descriptions_make_no_effects(count: int) -> None:
    assert TextProjection.of_products(np.repeat(states(count), 3, axis=0)) is None
    assert TextProjection.of_products(np.ones((40, 384), np.float32)) is None


def test_the_file_of_an_evaluator_keeps_the_projection(tmp_path: Path) -> None:
    weights = load_evaluator(SHIPPED, "t").weights
    assert weights.text is not None
    kept = replace(weights, text=replace(projection(), sd=(0.9, 0.2)))
    sizes = [head.mean.size for head in (weights.purchase, weights.satisfaction)]
    save_evaluator(kept, [np.zeros((size, size)) for size in sizes], tmp_path / "e.safetensors")
    again = load_evaluator(tmp_path / "e.safetensors", "t").weights.text
    assert again is not None
    assert again.sd == pytest.approx((0.9, 0.2))
    assert again.of(states(5, 3)).values == pytest.approx(projection().of(states(5, 3)).values, abs=2e-4)
    save_evaluator(replace(weights, text=None), [np.zeros((size, size)) for size in sizes], tmp_path / "f.safetensors")
    assert load_evaluator(tmp_path / "f.safetensors", "t").weights.text is None


@given(st.lists(st.lists(st.floats(-2, 2), min_size=3, max_size=3), min_size=1, max_size=5), st.booleans())
def test_a_block_shifts_like_its_single_effects(rows: list[list[float]], unseen: bool) -> None:
    effects = OnlineEffects()
    effects.learn(Lesson(-1.0, 1.0, 0.0, 0.1, (ALL,), (0.5, -0.3), SD), bought=True)
    block = effects.shift([(ALL,)] * (len(rows) + 1), TextEffects(np.asarray(rows), SD), unseen=unseen)
    single = effects.shift([*((ALL, *text_terms(row, SD)) for row in rows), (ALL,)], unseen=unseen)
    for name in ("level", "slope", "level_draws", "slope_draws"):
        assert getattr(block, name) == pytest.approx(getattr(single, name), abs=1e-9)


def test_a_shift_does_not_depend_on_the_other_rows() -> None:
    effects, text = OnlineEffects(), projection().of(states(48, 5))
    for row in range(20):
        lesson = Lesson(-1.0, 1.0, 0.0, 0.1, (ALL,), tuple(text.values[row].tolist()), text.sd)
        effects.learn(lesson, bought=row % 3 == 0)
    page = effects.shift([(ALL,)] * 48, text, unseen=True)
    alone = effects.shift([(ALL,)], text.of_rows(np.asarray([7])), unseen=True)
    assert alone.level[0] == page.level[7]
    assert (alone.slope_draws[0] == page.slope_draws[7]).all()


def test_products_described_alike_learn_from_each_other() -> None:
    known, rng = states(40), np.random.default_rng(1)
    near = known[0] + 0.02 * states(1, 9)[0]
    text, effects = projection(40), OnlineEffects()
    values = text.of(known).values
    for _ in range(1_500):
        row = int(rng.integers(40))
        own = Term(f"product={row}", 1.0, 0.8, 0.5, independent=True)
        p = 0.6 if row == 0 else 0.2
        lesson = Lesson(-1.0, 1.0, 0.0, 0.0, (ALL, own), tuple(values[row].tolist()), text.sd)
        effects.learn(lesson, bought=bool(rng.random() < p))
    new = effects.shift([(ALL,)] * 2, text.of(np.stack([near, states(1, 77)[0]])), unseen=True)
    assert new.level[0] > new.level[1] + 0.3
