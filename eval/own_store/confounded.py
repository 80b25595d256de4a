"""Confounded shops: prices that followed demand, by what is told or by a promotion that is not.

Purchases are drawn from a logit in log price. Later offers, on which models are scored, have prices drawn at random:
what counts is demand at the prices that Pricesmith would set, not at those that came with demand.
"""

from typing import Final

import numpy as np

from eval.own_store.shops import GRID, GeneratedOffers, Rng, Shop, Words, categorical, common, offers_of
from models.arrays import Floats

_SLOPE: Final = 2.5
_PROMOTED: Final = 0.3  # share of offers under the hidden promotion
_LIFT: Final = 1.2  # of its logit
_CUT: Final = 0.2  # of its log price
_COST: Final = 0.55  # usual cost over the reference price
_PASSED_ON: Final = 0.7  # share of a change in log cost that the price follows
_WEEK: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def told_drivers(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """Prices are cut when season, weekday, trend and stock promise much demand; all four are told."""
    c = common(rng, n, known)
    words, code = categorical({"context.weekday": _WEEK, "profile.segment": ("new", "regular")}, rng, n)
    season = (4 * c.share * 1.999).astype(int) % 4
    trend, stock = rng.uniform(-1, 1, n), rng.gamma(2.0, 20.0, n)
    driver = (
        np.asarray([-0.2, -0.3, -0.2, 0.0, 0.2, 0.4, 0.3])[code["context.weekday"]]
        + np.asarray([-0.4, 0.1, 0.5, -0.2])[season]
        + 0.5 * trend
        + 0.3 * np.tanh((stock - 40) / 20)
    )
    words |= {"context.season": np.asarray(["winter", "spring", "summer", "autumn"])[season]}
    numbers = {"context.trend": trend.round(2), "context.stock": stock.round()}
    level = -0.8 + driver + np.asarray([-0.2, 0.2])[code["profile.segment"]]
    price = np.where(c.later, c.grid, -0.25 * driver + rng.normal(0, 0.18, n))
    return offers_of(c, price, words, lambda x: level - _SLOPE * x, rng, numbers=numbers)


def hidden_promotion(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """A promotion that nobody logs lifts demand and lowers prices; nothing moves prices apart from it."""
    c = common(rng, n, known)
    words, level, cut = _promoted(rng, n)
    price = np.where(c.later, c.grid, 0.05 - cut + rng.normal(0, 0.15, n))
    return offers_of(c, price, words, lambda x: level - _SLOPE * x, rng)


def cost_changes(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """A hidden promotion, and costs whose changes move prices but not demand."""
    c = common(rng, n, known)
    words, level, cut = _promoted(rng, n)
    change = rng.normal(0, 0.25, n)
    price = np.where(c.later, c.grid, 0.05 - cut + _PASSED_ON * change + rng.normal(0, 0.08, n))
    cost = np.log(_COST) + change
    return offers_of(c, price, words, lambda x: level - _SLOPE * x, rng, cost=cost)


def half_random(rng: Rng, n: int, known: float) -> GeneratedOffers:
    """A hidden promotion, and half of the prices drawn at random with their propensity logged."""
    c = common(rng, n, known)
    words, level, cut = _promoted(rng, n)
    drawn = rng.random(n) < 0.5
    price = np.where(c.later | drawn, c.grid, 0.05 - cut + rng.normal(0, 0.15, n))
    propensity = np.where(drawn, 1 / len(GRID), np.nan)
    return offers_of(c, price, words, lambda x: level - _SLOPE * x, rng, propensity=propensity)


CONFOUNDED: Final[dict[str, Shop]] = {
    "confounded, told": told_drivers,
    "confounded, cost changes": cost_changes,
    "confounded, half random": half_random,
    "confounded, hidden": hidden_promotion,
}


def _promoted(rng: Rng, n: int) -> tuple[dict[str, Words], Floats, Floats]:
    """Words, level with the hidden promotion, and its cut of the log price."""
    words, code = categorical({"profile.segment": ("student", "professional", "company")}, rng, n)
    promoted = np.where(rng.random(n) < _PROMOTED, 1.0, 0.0)
    level = -1.2 + np.asarray([-0.3, 0.0, 0.4])[code["profile.segment"]] + _LIFT * promoted
    return words, np.asarray(level, np.float64), np.asarray(_CUT * promoted, np.float64)
