"""Redrawn shops: products, segments and demand of one's own for every seed, as logs that a merchant would import.

Four families of demand, of which one is the model's own; in half of the shops the best price lies 1.2 to 2.5 times
above the reference price. Logged prices were drawn at random, so that every price response is identified.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from eval.real.data import START, RealSet
from eval.real.peers import Demand
from eval.simulators.demand import HiddenType, kinked_demand, logit_demand, mixed_demand, probit_demand
from models.arrays import Floats

FAMILIES: Final = ("logit", "kinked", "probit", "mixture")
FAR: Final = (1.2, 2.5)  # best price over the reference price
NEAR: Final = (0.85, 1.1)
LATER: Final = 400
_DAYS: Final = 180
_RANGE: Final = (-0.6, 0.47)  # log of logged prices over the price that would be best for all
_TYPES: Final = (HiddenType(0.35, 0.8, 0.4), HiddenType(0.65, -0.4, 2.0))
_GRID: Final = np.geomspace(0.3, 3.0, 400)


@dataclass(frozen=True, slots=True)
class LoggedShop:
    """A log and the true demand behind it.

    Attributes:
        data: The log; its last `LATER` rows are held out.
        demand: True purchase probability of every row at a price, `(n,)`.
        limits: Lowest and highest price of every row that the merchant allows, `(n, 2)`: those ever offered.
    """

    data: RealSet
    demand: Demand
    limits: Floats


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Demand as a function of log(price / usual price): level and slope of each row, and the family's shape."""

    family: str
    level: Floats
    slope: Floats
    kinks: Floats

    def __call__(self, x: Floats, rows: NDArray[np.int64] | slice = slice(None)) -> Floats:
        level, slope = self.level[rows], self.slope[rows]
        if self.family == "logit":
            return logit_demand(level, slope, x)
        if self.family == "kinked":
            return kinked_demand(level + 0.6, slope, x, (x[..., None] > self.kinks) @ np.asarray([0.8, 0.5]))
        if self.family == "probit":
            return probit_demand(0.6 * (level - slope * x))
        return mixed_demand(level, slope, x, _TYPES)


def logged_shop(family: str, *, far: bool, seed: int, known: int) -> LoggedShop:
    """Draw a shop with `known` logged outcomes and `LATER` held-out offers."""
    rng = np.random.default_rng((seed, FAMILIES.index(family), far))
    n, count = known + LATER, int(rng.choice([3, 12, 30]))
    segments, regions = int(rng.choice([2, 3, 5])), int(rng.choice([2, 4]))
    levels = rng.normal(0, 0.6, count), rng.normal(-0.8, 0.7, segments), rng.normal(0, 0.3, regions)
    steepness = np.exp(rng.normal(0, 0.35, count)), np.exp(rng.normal(1.2, 0.35, segments))
    by_age, cost = float(rng.normal(0, 0.4)), float(rng.uniform(0.05, 0.6))
    usual = np.exp(rng.normal(3.2, 0.5, count))
    wanted = float(rng.uniform(*(FAR if far else NEAR)))
    rng = np.random.default_rng((seed, known))  # the shop stays the same whatever is known of it
    product, segment, region = (rng.integers(m, size=n) for m in (count, segments, regions))
    age = rng.uniform(18, 80, n).round()
    level = levels[0][product] + levels[1][segment] + levels[2][region] + by_age * (age - 49) / 18
    drawn = _Drawn(family, level, steepness[0][product] * steepness[1][segment], np.log([0.9, 1.1]))
    best = _best_for_all(drawn, cost)
    log_price = np.log(best) + rng.uniform(_RANGE[0], _RANGE[1], n)  # over the usual price
    listed = (usual * best / wanted).round(2)
    price = np.maximum(0.01, (usual[product] * np.exp(log_price)).round(2))
    at = START + pd.to_timedelta(np.sort(rng.random(n)) * _DAYS * 86_400, unit="s").round("s")
    bought = rng.random(n) < drawn(np.log(price / usual[product]))
    names = np.asarray([f"thing {number}" for number in range(count)])
    kinds = np.asarray([f"kind {number % 4}" for number in range(count)])
    offers = pd.DataFrame(
        {
            "at": at,
            "shopper_id": [f"visitor {row}" for row in range(n)],
            "product_id": names[product],
            "category": kinds[product],
            "price": price,
            "reference_price": listed[product],
            "cost": (cost * usual[product]).round(2),
            "bought": bought.astype(int),
            "weight": 1.0,
            "profile.segment": np.asarray([f"segment {code}" for code in "abcde"])[segment],
            "profile.region": np.asarray(["north", "south", "east", "west"])[region],
            "profile.age": age,
        }
    )
    products = pd.DataFrame(
        {
            "product_id": names,
            "title": [f"Thing number {number}" for number in range(count)],
            "category": kinds,
            "list_price": listed,
            "cost": (cost * usual).round(2),
        }
    )
    test = np.arange(n) >= known
    ends = usual[product][:, None] * best * np.exp(_RANGE)
    data = RealSet(
        name=f"{family}, {'far' if far else 'near'}, {seed}, {known}",
        currency="USD",
        products=products,
        offers=offers,
        test=test,
        interactions=(("profile.segment", "log_price"), ("product_id", "log_price")),
    )

    def demand(price: Floats) -> Floats:
        return drawn(np.log(price / usual[product]))

    return LoggedShop(data, demand, ends)


def _best_for_all(drawn: _Drawn, cost: float) -> float:
    """The price over the usual price that would earn most if all paid it."""
    some = slice(0, 2_000)
    ones = np.ones(len(drawn.level[some]))
    profit = [(ratio - cost) * float(drawn(np.log(ratio) * ones, some).mean()) for ratio in _GRID]
    return float(_GRID[int(np.argmax(profit))])
