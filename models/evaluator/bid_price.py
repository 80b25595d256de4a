"""What a unit of limited stock is worth to the shoppers still to come.

Dynamic programming over remaining units and time (Gallego and van Ryzin 1994, in discrete time): with an arrival in
a step with chance a, demand P(r) at price ratio r and cost c,

    V[t, n] = V[t-1, n] + a * max_r P(r) * (r - c - (V[t-1, n] - V[t-1, n-1]))

and the bid price is V[T, n] - V[T, n-1]. Where units and arrivals are many, their fluid limit: the least bid at which
the expected sales of the time left do not exceed the stock. All amounts are relative to the reference price.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.arrays import Floats

EXACT_UNITS: Final = 120
EXACT_ARRIVALS: Final = 240.0
_CHANCE: Final = 0.5
_BISECTIONS: Final = 40


@dataclass(frozen=True, slots=True)
class Demand:
    """Mean purchase probability of one arrival at price ratios, `(m,)` each, and how many arrivals are expected."""

    ratio: Floats
    purchase: Floats
    arrivals: float


def bid_price(demand: Demand, cost: float, units: int) -> float:
    """The worth of the last of `units`, 0 or more; `cost` is what selling one spends."""
    if units <= 0 or demand.arrivals <= 0:
        return 0.0
    if units >= demand.arrivals:  # everyone who comes can be served
        return 0.0
    if units <= EXACT_UNITS and demand.arrivals <= EXACT_ARRIVALS:
        return _exact(demand, cost, units)
    return _fluid(demand, cost, units)


def _exact(demand: Demand, cost: float, units: int) -> float:
    steps = max(1, int(np.ceil(demand.arrivals / _CHANCE)))
    chance = demand.arrivals / steps
    value = np.zeros(units + 1)
    margin = demand.purchase * (demand.ratio - cost)  # (m,)
    for _ in range(steps):
        worth = np.diff(value)  # (units,)
        gain = (margin[:, None] - demand.purchase[:, None] * worth[None]).max(axis=0)
        value[1:] += chance * np.maximum(0.0, gain)
    return float(value[-1] - value[-2])


def _fluid(demand: Demand, cost: float, units: int) -> float:
    low, high = 0.0, float(demand.ratio.max())
    if demand.arrivals * _sold(demand, cost, low) <= units:
        return 0.0
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if demand.arrivals * _sold(demand, cost, middle) > units:
            low = middle
        else:
            high = middle
    return high


def _sold(demand: Demand, cost: float, bid: float) -> float:
    """Chance of a sale at the best price when a unit is worth `bid`."""
    return float(demand.purchase[(demand.purchase * (demand.ratio - cost - bid)).argmax()])
