"""Identification of a price response: random prices leave no doubt, others widen what quotes are sure of."""

from dataclasses import replace

import numpy as np
import pytest

from agent.training.own_rows import situations_of
from eval.own_store.shops import SHOPS, simulate_outcomes
from models.evaluator.evaluator import Evaluator
from models.evaluator.monotone import sigmoid
from models.training.identification import OBSERVED_DOUBT, identification
from models.training.identified_by import IdentifiedBy
from models.training.own_checks import OfferLog
from models.training.own_evaluator import train_own
from models.training.own_rows import Split

N = 6_000


def log(rng: np.random.Generator, log_ratio: np.ndarray, level: np.ndarray | float) -> OfferLog:
    bought = rng.random(N) < sigmoid(np.asarray(level - 2.0 * log_ratio))
    return OfferLog(np.zeros(N, np.int64), np.arange(N, dtype=float), log_ratio.astype(np.float32), bought.astype("f4"))


def test_logged_random_prices_leave_no_doubt() -> None:
    rng = np.random.default_rng(1)
    offers = log(rng, rng.choice([-0.2, 0.0, 0.1], N), -1.0)
    found = identification(offers, np.full(N, 1 / 3, np.float32))
    assert (found.by, found.doubt, found.note) == (IdentifiedBy.RANDOM_PRICES, 0.0, None)


def test_unknown_propensities_are_said_and_doubted() -> None:
    rng = np.random.default_rng(2)
    found = identification(log(rng, rng.choice([-0.2, 0.0], N), -1.0), np.full(N, np.nan, np.float32))
    assert (found.by, found.doubt) == (IdentifiedBy.IMPORTED_INPUTS, OBSERVED_DOUBT)
    assert found.note is not None
    assert "25% off" in found.note


def test_discounts_on_popular_days_are_found_out() -> None:
    rng = np.random.default_rng(3)
    popular = rng.random(N) < 0.5
    chance = np.where(popular, 0.85, 0.15)  # of the discount
    cheap = rng.random(N) < chance
    offers = log(rng, np.where(cheap, -0.2, 0.0), np.where(popular, 0.5, -2.0))
    found = identification(offers, np.where(cheap, chance, 1 - chance).astype(np.float32))
    assert found.by is IdentifiedBy.CONFOUNDED
    assert found.doubt >= OBSERVED_DOUBT


@pytest.mark.parametrize("doubt", [0.25, 0.6])
def test_doubt_widens_the_draws_away_from_the_usual_prices_and_moves_no_mean(doubt: float) -> None:
    rows = simulate_outcomes(SHOPS["price alone"], 3, 1_000, 10).rows
    sure = train_own(rows, Split.by_time(rows.at_s), "sure", lambda *_: None)
    doubting = Evaluator(replace(sure.evaluator.weights, doubt=doubt), "doubting")
    prices = sure.evaluator.weights.center + np.asarray([[-0.4, 0.0, 0.4]])
    found = []
    for evaluator in (sure.evaluator, doubting):
        represented = evaluator.represent(situations_of(sure.rows, np.asarray([5]), evaluator))
        found.append(evaluator.respond(represented, prices))
    before, after = (one.purchase_draws[0].std(axis=1) for one in found)
    assert after[0] > before[0]
    assert after[2] > before[2]
    assert after[1] == pytest.approx(before[1], abs=1e-9)
    assert found[0].purchase == pytest.approx(found[1].purchase, abs=1e-12)
