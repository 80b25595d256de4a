"""The merchant's utility of a price: a weighted sum of three scores, with the opportunity cost of a unit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.arrays import Floats

SALVAGE_PERISHED = 0.3
SALVAGE_HELD = 0.9
HORIZON_WEEKS = 8.0
_MARGIN_MIN_FRAC = 0.02


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the three scores in the merchant's utility; only their ratios matter."""

    profit: float = 0.8
    purchase: float = 0.1
    satisfaction: float = 0.1


@dataclass(frozen=True, slots=True)
class WeightColumns:
    """Weights of many requests, arrays that broadcast against their offers."""

    profit: Floats
    purchase: Floats
    satisfaction: Floats

    @classmethod
    def of(cls, rows: Sequence[Weights]) -> "WeightColumns":
        """Columns `(n, 1)` of the weights of n requests."""
        columns = np.asarray([(one.profit, one.purchase, one.satisfaction) for one in rows], np.float64).reshape(-1, 3)
        return cls(columns[:, :1], columns[:, 1:2], columns[:, 2:])

    @property
    def of_draws(self) -> "WeightColumns":
        """The weights for offers with a further axis, of draws."""
        return WeightColumns(self.profit[..., None], self.purchase[..., None], self.satisfaction[..., None])


@dataclass(frozen=True, slots=True)
class Stock:
    """Stock on hand relative to demand.

    Attributes:
        inventory: Units left, None when unknown.
        weekly_units: Usual sales per week, None when unknown.
        weeks_left: Weeks until the stock loses its value, None when it does not perish.
        sunk: Whether the cost was spent when the stock was bought (fresh food) and not when it is sold (a hotel night).
        bid: Bid price of a unit as a share of the reference price (`bid_price.py`), None when unknown.
    """

    inventory: int | None = None
    weekly_units: float | None = None
    weeks_left: float | None = None
    sunk: bool = True
    bid: float | None = None

    @property
    def pressure(self) -> float | None:
        """Stock divided by usual sales in the time left; at 1 it sells out just in time. None when unknown."""
        if self.inventory is None or self.weekly_units is None or self.weekly_units <= 0:
            return None
        return self.inventory / (self.weekly_units * max(1 / 7, min(self.weeks_left or HORIZON_WEEKS, HORIZON_WEEKS)))

    @property
    def word(self) -> str:
        """Stock level in words: `unknown`, `scarce`, `normal` or `deep`."""
        pressure = self.pressure
        if pressure is None:
            return "unknown"
        return "deep" if pressure > 2 else "scarce" if pressure < 0.5 else "normal"

    def kept_cost(self, cost: float) -> float:
        """Value kept when a unit perishes unsold: salvage value if the cost is sunk, else the whole (avoided) cost."""
        return SALVAGE_PERISHED * cost if self.sunk else cost

    def opportunity_cost(self, cost: float, reference: float) -> float:
        """Opportunity cost of selling one unit, in the unit of `cost` and `reference`.

        With a bid price: the bid plus the value kept if unsold. Otherwise the replacement cost when stock is normal,
        less when the unit would be left over (salvage value), more when it would sell to a later shopper anyway.
        """
        if self.bid is not None:
            return self.kept_cost(cost) + self.bid * reference
        pressure = self.pressure
        if pressure is None:
            return cost
        if pressure > 1:
            left_over = 1 - 1 / pressure
            salvage = self.kept_cost(cost) if self.weeks_left is not None else SALVAGE_HELD * cost
            return left_over * salvage + (1 - left_over) * cost
        if pressure < 0.5:
            return cost + max(0.0, reference - cost) * (0.5 - pressure)
        return cost


@dataclass(frozen=True, slots=True)
class Offers:
    """Candidate prices and their predicted responses; arrays broadcast against each other.

    Attributes:
        price_ratio: price / reference.
        cost_ratio: opportunity cost / reference.
        purchase, satisfaction: Probabilities at each price.
        purchase_at_reference, satisfaction_at_reference: Probabilities at the reference price.
    """

    price_ratio: Floats
    cost_ratio: Floats
    purchase: Floats
    satisfaction: Floats
    purchase_at_reference: Floats
    satisfaction_at_reference: Floats


def utility(offers: Offers, weights: Weights | WeightColumns) -> Floats:
    """Weighted mean of profit, purchases and satisfaction, each relative to its value at the reference price.

    The reference price itself has utility 1 (its margin is taken as at least 2 % of the price), so a difference of
    0.01 is about one percent of its value.
    """
    margin_at_reference = np.maximum(1.0 - offers.cost_ratio, _MARGIN_MIN_FRAC)
    lift = offers.purchase / np.maximum(1e-12, offers.purchase_at_reference)
    profit = lift * (offers.price_ratio - offers.cost_ratio) / margin_at_reference
    satisfaction = offers.satisfaction / np.maximum(1e-12, offers.satisfaction_at_reference)
    total = weights.profit + weights.purchase + weights.satisfaction
    worth = weights.profit * profit + weights.purchase * lift + weights.satisfaction * satisfaction
    return np.asarray(worth / total, np.float64)
