"""Boosted trees equal their definition row by row, and survive their file."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from models.errors import RegistryError
from models.evaluator.boosted_trees import DEPTH, BoostedTrees
from models.evaluator.evaluator import NUMERIC, Evaluator, EvaluatorWeights
from models.evaluator.evaluator_file import load_evaluator, save_evaluator
from models.evaluator.monotone import MonotoneHead
from tests.models.evaluator.test_evaluator import situations, weights


def trees(count: int, seed: int) -> BoostedTrees:
    rng = np.random.default_rng(seed)
    return BoostedTrees(
        rng.integers(0, NUMERIC, (count, DEPTH)),
        rng.standard_normal((count, DEPTH)).astype(np.float32),
        rng.standard_normal((count, 2**DEPTH)),
    )


def with_trees(count: int) -> tuple[EvaluatorWeights, tuple[np.ndarray, np.ndarray]]:
    plain, _ = weights()
    mean = np.asarray([[1.0, 1.0, -2.0], [0.0, 0.0, 1.0]])
    nothing = np.zeros((mean.size, mean.size))
    head = MonotoneHead.from_posterior(mean, nothing)
    made = replace(plain, hidden=(), trees=trees(count, 5), purchase=head, satisfaction=head)
    return made, (nothing, nothing)


def walked(one: BoostedTrees, row: np.ndarray) -> float:
    """Sum of the leaves that a row reaches, one comparison after the other."""
    total = 0.0
    for inputs, edges, leaves in zip(one.inputs, one.edges, one.leaves, strict=True):
        part = list(leaves)
        for column, edge in zip(inputs, edges, strict=True):
            half = len(part) // 2
            part = part[half:] if row[column] > edge else part[:half]
        total += part[0]
    return total


@given(st.integers(0, 40), st.integers(0, 10_000))
def test_logits_are_the_leaves_that_rows_reach(count: int, seed: int) -> None:
    grown = trees(count, seed)
    numeric = np.random.default_rng(seed + 1).standard_normal((7, NUMERIC)).astype(np.float32)
    numeric[0, grown.inputs[:1, 0]] = grown.edges[:1, 0]  # a value on the edge stays below it
    found = grown.logits(numeric)
    assert found == pytest.approx([walked(grown, row) for row in numeric], abs=1e-9)
    assert found[3] == grown.logits(numeric[3:4])[0]
    assert grown.first(2).logits(numeric) == pytest.approx(grown.by_tree(numeric)[:, :2].sum(axis=1))


@pytest.mark.parametrize("count", [0, 9])
def test_an_evaluator_of_trees_is_the_same_after_its_file(count: int, tmp_path: Path) -> None:
    made, covariances = with_trees(count)
    path = tmp_path / "evaluator.safetensors"
    save_evaluator(made, covariances, path)
    prices = np.asarray([[-0.3, 0.0, 0.2]] * 4)
    before, after = (
        one.expect(one.represent(situations(4)), prices).purchase
        for one in (Evaluator(made, "made"), load_evaluator(path, "read"))
    )
    assert after == pytest.approx(before, abs=1e-5)
    assert (np.diff(after, axis=1) < 0).all()


def test_trees_move_the_level_alone() -> None:
    made, _ = with_trees(9)
    with_them, without = (Evaluator(one, "made") for one in (made, replace(made, trees=BoostedTrees.none())))
    inputs, prices = situations(20), np.zeros(20)
    grown, bare = (one.base(one.represent(inputs), prices) for one in (with_them, without))
    assert (grown.slope == bare.slope).all()
    assert np.abs(grown.level - bare.level).min() > 0


@pytest.mark.parametrize("broken", ["column", "leaves", "missing"])
def test_broken_trees_are_refused_with_a_remedy(broken: str, tmp_path: Path) -> None:
    made, covariances = with_trees(3)
    path = tmp_path / "evaluator.safetensors"
    save_evaluator(made, covariances, path)
    tensors = load_file(str(path))
    if broken == "column":
        tensors["trees.inputs"][0, 0] = NUMERIC
    elif broken == "leaves":
        tensors["trees.leaves"] = tensors["trees.leaves"][:, :4].copy()
    else:
        del tensors["trees.edges"]
    save_file(tensors, str(path))
    with pytest.raises(RegistryError, match="remedy"):
        load_evaluator(path, "read")
