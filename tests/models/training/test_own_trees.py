"""Trees beside the logit find what its level cannot say, and nothing where there is nothing."""

from dataclasses import replace

import numpy as np
import pytest

from eval.own_store.shops import SHOPS, simulate_outcomes
from models.evaluator.monotone import sigmoid
from models.training.own_evaluator import LEAST_FOR_TREES, Trained, train_own
from models.training.own_rows import OwnRows, Split

SIZE, TEST = 6_000, 1_000
FIRST, SECOND = 3, 7  # columns of the numeric inputs


def shop(strength: float, seed: int, size: int = SIZE) -> OwnRows:
    """Rows bought by a chance that rises where exactly one of two inputs is high."""
    rng = np.random.default_rng(seed)
    rows = simulate_outcomes(SHOPS["profiles"], seed, size, TEST).rows
    numeric = rng.standard_normal(rows.data.numeric.shape).astype(np.float32)
    one = (numeric[:, FIRST] > 0) ^ (numeric[:, SECOND] > 0)
    chance = sigmoid(-0.5 + strength * (one - 0.5) - 2.0 * rows.data.log_ratio)
    bought = (rng.random(len(chance)) < chance).astype(np.float32)
    return replace(rows, data=replace(rows.data, numeric=numeric, bought=bought))


def trained(rows: OwnRows, size: int = SIZE) -> Trained:
    held = size * 4 // 5
    return train_own(
        rows, Split(np.arange(held), np.arange(held, size), np.arange(size, size + TEST)), "t", lambda *_: None
    )


@pytest.mark.parametrize("seed", [1, 2])
def test_an_interaction_of_inputs_is_found(seed: int) -> None:
    rows = shop(2.0, seed)
    model = trained(rows)
    assert model.choice.trees > 0
    losses = model.choice.losses
    assert losses[f"{model.choice.trees} trees"] < losses["0 trees"] - 0.02
    numeric, test = np.asarray(rows.data.numeric), np.arange(SIZE, SIZE + TEST)
    added = model.fit.added.level[test]
    one = (numeric[test, FIRST] > 0) ^ (numeric[test, SECOND] > 0)
    assert 0.5 < added[one].mean() - added[~one].mean() < 2.2  # of 2, fewest trees near the best
    assert model.evaluator.weights.trees is not None
    assert model.evaluator.weights.trees.logits(numeric[test]) == pytest.approx(added)


def test_chance_grows_hardly_any_tree() -> None:
    grown = [trained(shop(0.0, seed)).choice.trees for seed in range(3, 8)]
    assert sorted(grown)[2] == 0


def test_few_rows_get_the_logit_alone() -> None:
    size = LEAST_FOR_TREES
    assert trained(shop(2.0, 1, size), size).choice.trees == 0
