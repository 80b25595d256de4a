"""What a price is worth to the merchant: weights over three scores, and what giving up a unit costs."""

from dataclasses import dataclass

import numpy as np

from models.arrays import Floats

SALVAGE_PERISHED = 0.3
SALVAGE_HELD = 0.9
HORIZON_WEEKS = 8.0
_MARGIN_MIN_FRAC = 0.02


@dataclass(frozen=True, slots=True)
class Weights:
    """What the merchant cares for; relative sizes count."""

    profit: float = 0.8
    purchase: float = 0.1
    satisfaction: float = 0.1


@dataclass(frozen=True, slots=True)
class Stock:
    """Stock against demand.

    Attributes:
        inventory: Units left, None when unknown.
        weekly_units: Usual sales a week, None when unknown.
        weeks_left: Time until the stock loses its value, None when it keeps.
        sunk: Whether the cost was spent when the stock was bought (fresh food), not when it is sold (a hotel night).
        bid: Value of a unit to later shoppers, as a share of the reference price (`bid_price.py`); None: not known.
    """

    inventory: int | None = None
    weekly_units: float | None = None
    weeks_left: float | None = None
    sunk: bool = True
    bid: float | None = None

    @property
    def pressure(self) -> float | None:
        """Stock over what usually sells in the time left; 1 sells out just in time, None when unknown."""
        if self.inventory is None or self.weekly_units is None or self.weekly_units <= 0:
            return None
        return self.inventory / (self.weekly_units * max(1 / 7, min(self.weeks_left or HORIZON_WEEKS, HORIZON_WEEKS)))

    @property
    def word(self) -> str:
        """`unknown`, `scarce`, `normal` or `deep`."""
        pressure = self.pressure
        if pressure is None:
            return "unknown"
        return "deep" if pressure > 2 else "scarce" if pressure < 0.5 else "normal"

    def kept_cost(self, cost: float) -> float:
        """What is saved when a unit perishes unsold: all of a cost that selling causes, the salvage of a sunk one."""
        return SALVAGE_PERISHED * cost if self.sunk else cost

    def opportunity_cost(self, cost: float, reference: float) -> float:
        """What selling one unit gives up, in the unit of `cost` and `reference`.

        With a bid price: that, and the cost that a sale causes. Else replacement cost when stock is normal; less when
        the unit would be left over (then its salvage value); more when it would have sold to a later shopper anyway.
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
    """Prices under comparison; the last axis but for draws is the price. All relative to the reference price.

    Attributes:
        price_ratio: price / reference.
        cost_ratio: opportunity cost / reference.
        purchase, satisfaction: probabilities at each price, any leading or trailing shape that broadcasts.
        purchase_at_reference, satisfaction_at_reference: the same at the reference price.
    """

    price_ratio: Floats
    cost_ratio: Floats
    purchase: Floats
    satisfaction: Floats
    purchase_at_reference: Floats
    satisfaction_at_reference: Floats


def utility(offers: Offers, weights: Weights) -> Floats:
    """Weighted sum of profit, purchases and satisfaction, each relative to its value at the reference price.

    Profit is scaled by the reference price's profit, its margin taken as at least 2 % of the price. Adding a
    constant to every offer changes nothing; 0.01 is about one percent of what the reference price is worth.
    """
    margin_at_reference = np.maximum(1.0 - offers.cost_ratio, _MARGIN_MIN_FRAC)
    lift = offers.purchase / np.maximum(1e-12, offers.purchase_at_reference)
    profit = lift * (offers.price_ratio - offers.cost_ratio) / margin_at_reference
    satisfaction = offers.satisfaction / np.maximum(1e-12, offers.satisfaction_at_reference)
    total = weights.profit + weights.purchase + weights.satisfaction
    worth = weights.profit * profit + weights.purchase * lift + weights.satisfaction * satisfaction
    return np.asarray(worth / total, np.float64)
