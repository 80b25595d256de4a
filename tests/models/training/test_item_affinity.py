import numpy as np
import pytest

from models.encoder.encoder import DIM
from models.shopper.item_affinity import FLOOR
from models.training.item_affinity import (
    Purchases,
    TasteTrainingConfig,
    factorise,
    fit_taste,
    item_weights,
    walk_forward,
)

CONFIG = TasteTrainingConfig(items=12, rank=6, near=4, ridge=5.0, refit_weeks=4, first_week=4, last_week=12)


def purchases(n_households: int = 120, seed: int = 0) -> Purchases:
    """Households of three kinds, each kind buying from its own four products."""
    rng = np.random.default_rng(seed)
    household = rng.integers(0, n_households, 2400)
    item = (household % 3) * 4 + rng.integers(0, 4, 2400)
    week = np.sort(rng.integers(1, 17, 2400))
    return Purchases([str(i) for i in range(12)], household, item, week, n_households)


def test_weights_have_a_zero_diagonal_and_are_larger_for_products_bought_together() -> None:
    weights = item_weights(purchases().owned(17), 5.0)
    assert np.diag(weights) == pytest.approx(np.zeros(12))
    same = np.kron(np.eye(3), np.ones((4, 4))).astype(bool) & ~np.eye(12, dtype=bool)
    assert weights[same].mean() > weights[~same].mean() + 0.1


def test_factorised_weights_are_close_to_the_original_with_a_zero_diagonal() -> None:
    rng = np.random.default_rng(1)
    weights = rng.standard_normal((12, 12)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    factors = factorise(weights, CONFIG)
    one = np.eye(12, dtype=np.float32)
    totals = np.stack([factors.totals(one, one @ factors.given, np.full(12, item)) for item in range(12)], axis=1)
    assert np.diag(totals) == pytest.approx(np.zeros(12), abs=1e-5)
    assert np.linalg.norm(totals - weights) < 0.5 * np.linalg.norm(weights)


def test_affinity_of_a_row_does_not_depend_on_later_purchases() -> None:
    bought = purchases()
    rows = (np.arange(60) % 120, np.arange(60) % 12, np.repeat([6, 9, 12], 20))
    before = walk_forward(bought, rows, CONFIG)
    rng = np.random.default_rng(9)
    later = bought.week >= 9
    item = np.where(later, rng.integers(0, 12, len(later)), bought.item)
    moved = Purchases(bought.ids, bought.household, item, bought.week, bought.n_households)
    after = walk_forward(moved, rows, CONFIG)
    assert after[rows[2] <= 9] == pytest.approx(before[rows[2] <= 9])
    assert not np.allclose(after[rows[2] == 12], before[rows[2] == 12])


def test_walk_forward_equals_the_fitted_factors_after_the_last_training_week() -> None:
    bought = purchases()
    states = np.random.default_rng(2).standard_normal((12, DIM)).astype(np.float32)
    taste = fit_taste(bought, states, CONFIG)
    found = walk_forward(bought, (np.full(12, 7), np.arange(12), np.full(12, 15)), CONFIG)
    buyer = taste.buyer([str(i) for i in np.flatnonzero(bought.owned(15)[7])])
    assert found == pytest.approx(taste.affinity([buyer] * 12, taste_ids(bought), states), abs=1e-4)
    assert found.max() > np.log(FLOOR) + 1


def taste_ids(bought: Purchases) -> list[str]:
    return bought.ids


def test_affinity_to_a_new_product_follows_its_text() -> None:
    bought = purchases()
    rng = np.random.default_rng(4)
    kinds = rng.standard_normal((3, DIM))
    states = (np.repeat(kinds, 4, axis=0) + 0.1 * rng.standard_normal((12, DIM))).astype(np.float32)
    taste = fit_taste(bought, states, CONFIG)
    buyer = taste.buyer(["0", "1"])  # of the first kind
    fresh = taste.affinity([buyer] * 3, ["new a", "new b", "new c"], kinds.astype(np.float32))
    assert fresh.argmax() == 0
