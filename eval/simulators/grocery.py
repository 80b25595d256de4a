"""Grocery simulator fitted to the demo store: thirty products, with effects of past purchases and income.

`grocery.json` is written by `eval.simulators.grocery_fit`. The fitted rates are per store visit, while a simulated
visit is a view of one product: half of the shoppers bought it before, and a constant is added to all levels so that
`MEAN_BOUGHT` of the visits end in a purchase at the reference price. Slopes are rescaled to keep the fitted elasticity
at the reference price.
"""

import json
from datetime import datetime
from functools import cache
from typing import Any, Final

import numpy as np

from agent.domain.records import ProductRecord
from eval.simulators.grocery_fit import FILE, INCOMES
from eval.simulators.shops import Shop
from eval.simulators.world import Limits, Visit

MEAN_BOUGHT: Final = 0.15
_MIN_ELASTICITY: Final = 0.3


@cache
def fitted() -> dict[str, Any]:
    """Read the fitted parameters."""
    found: dict[str, Any] = json.loads(FILE.read_text("utf-8"))
    return found


class Grocery(Shop):
    """Grocery shop; cost is 0.7 of the reference price, or 0.21 if `funded` by the vendor; no price above it."""

    limits = Limits(0.5, 1.0)

    def __init__(self, seed: int, *, funded: bool = False) -> None:
        """Start at the first visit."""
        super().__init__(seed)
        self.name = "grocery, vendor-funded" if funded else "grocery"
        self._cost = 0.21 if funded else 0.7

    def catalogue(self) -> list[ProductRecord]:
        """Thirty products, named after their categories."""
        return [
            ProductRecord(
                f"g{place}",
                f"{one['category'].title()} {place}",
                "USD",
                list_minor=one["reference_minor"],
                cost_minor=round(one["reference_minor"] * self._cost),
                category=one["category"],
            )
            for place, one in enumerate(fitted()["products"])
        ]

    def _visit(self, at: datetime) -> Visit:
        rng = self._streams.arrivals
        place = int(rng.integers(len(fitted()["products"])))
        before = bool(rng.random() < 0.5)
        income = INCOMES[int(rng.integers(len(INCOMES) - 1))]
        level, slope = demand(place, income, before=before)
        traits: dict[str, float | str] = {"bought_before": "yes" if before else "no", "income": income}
        reference = fitted()["products"][place]["reference_minor"]
        return Visit(f"g{place}", traits, round(reference * self._cost) / reference, level, slope, at)


def demand(place: int, income: str, *, before: bool) -> tuple[float, float]:
    """Compute level and slope of the logit of one product and shopper."""
    level, elasticity = _fitted_demand(place, income, before=before)
    level += _view_level()
    return level, elasticity / (1 - 1 / (1 + float(np.exp(-level))))


def _fitted_demand(place: int, income: str, *, before: bool) -> tuple[float, float]:
    product, effects = fitted()["products"][place], fitted()["effects"]
    moved = [effects["income"][income], effects["bought_before"] if before else (0.0, 0.0)]
    level = product["level"] + sum(one[0] for one in moved)
    return level, max(_MIN_ELASTICITY, product["elasticity"] + sum(one[1] for one in moved))


@cache
def _view_level() -> float:
    """Solve for the constant that makes the mean purchase probability `MEAN_BOUGHT` (bisection)."""
    levels = np.asarray(
        [
            _fitted_demand(place, income, before=before)[0]
            for place in range(len(fitted()["products"]))
            for income in INCOMES[:-1]
            for before in (False, True)
        ]
    )
    low, high = 0.0, 12.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if (1 / (1 + np.exp(-(levels + middle)))).mean() < MEAN_BOUGHT else (low, middle)
    return high
