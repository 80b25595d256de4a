from dataclasses import replace

import numpy as np
import pytest

from models.errors import TrainingDataError
from models.training.own_checks import LEAST_OUTCOMES, OfferLog, check_offers

NOW_S = 1_800_000_000.0
N = LEAST_OUTCOMES


def good(seed: int = 0) -> OfferLog:
    rng = np.random.default_rng(seed)
    ratio = np.log(rng.choice([0.8, 0.9, 1.0], N)).astype(np.float32)
    bought = (rng.random(N) < 1 / (1 + np.exp(2 + 3 * ratio))).astype(np.float32)
    return OfferLog(rng.integers(0, 40, N), NOW_S - 1e6 + np.arange(N, dtype=float), ratio, bought)


def test_varied_prices_and_both_outcomes_are_accepted() -> None:
    check_offers(good(), NOW_S)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda o: OfferLog(o.product[1:], o.at_s[1:], o.log_ratio[1:], o.bought[1:]), "too few"),
        (lambda o: replace(o, bought=np.ones(N, np.float32)), "declined too"),
        (lambda o: replace(o, bought=np.zeros(N, np.float32)), "longer period"),
        (lambda o: replace(o, at_s=np.full(N, NOW_S)), "same time"),
        (lambda o: replace(o, at_s=o.at_s + 2e6), "future"),
        (lambda o: replace(o, log_ratio=np.zeros(N, np.float32)), "exploration|EXPLORATION"),
        (lambda o: replace(o, product=np.arange(N)), "ever changed"),
        (
            lambda o: replace(o, log_ratio=np.where(o.bought > 0, -0.3, 0.0).astype(np.float32)),
            "the price alone|filled in",
        ),
    ],
    ids=["few", "sales alone", "no sales", "one time", "future", "one price", "one price a product", "leak"],
)
def test_outcomes_that_do_not_identify_a_price_response_are_refused_with_reason_and_remedy(
    change: object, reason: str
) -> None:
    assert callable(change)
    with pytest.raises(TrainingDataError, match=reason) as refusal:
        check_offers(change(good()), NOW_S)
    assert "remedy" in str(refusal.value)


def test_filled_in_prices_of_declined_offers_are_refused() -> None:
    rng = np.random.default_rng(1)
    base = good()
    paid = np.log(rng.choice([0.85, 0.9, 1.0, 1.1], N)).astype(np.float32)
    with pytest.raises(TrainingDataError, match="filled in"):
        check_offers(replace(base, log_ratio=np.where(base.bought > 0, paid, 0.0).astype(np.float32)), NOW_S)
