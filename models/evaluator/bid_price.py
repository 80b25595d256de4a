"""Bid price: the expected revenue that one more unit of limited stock earns from later shoppers.

Dynamic programming over remaining units and time (Gallego and van Ryzin 1994, in discrete time). With arrival
probability a per step, purchase probability P(r) at price ratio r, and unit cost c,

    V[t, n] = V[t-1, n] + a * sum_k s_k max_r P_k(r) * (r - c - (V[t-1, n] - V[t-1, n-1]))

for groups k of alike shoppers with shares s_k, as each is offered a price of its own,

and the bid price is V[T, n] - V[T, n-1]. Above `EXACT_UNITS` or `EXACT_ARRIVALS` the fluid limit is used instead: the
lowest bid at which expected sales do not exceed the stock. All amounts are relative to the reference price.
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
    """Demand of later shoppers.

    Attributes:
        ratio: Price ratios, `(m,)`.
        purchase: Purchase probability per arrival at each, of each group of alike shoppers, `(k, m)` or `(m,)`.
        arrivals: Expected number of arrivals.
        share: Share of each group, `(k,)`; None for equal ones.
    """

    ratio: Floats
    purchase: Floats
    arrivals: float
    share: Floats | None = None

    @property
    def shares(self) -> Floats:
        """Shares of the groups, `(k,)`, which sum to 1."""
        groups = len(np.atleast_2d(self.purchase))
        return np.full(groups, 1.0 / groups) if self.share is None else self.share / self.share.sum()


def bid_price(demand: Demand, cost: float, units: int) -> float:
    """Marginal value of the last of `units`, at least 0; `cost` is the cost that a sale causes."""
    if units <= 0 or demand.arrivals <= 0:
        return 0.0
    if units >= demand.arrivals:  # stock covers every expected arrival
        return 0.0
    if units <= EXACT_UNITS and demand.arrivals <= EXACT_ARRIVALS:
        return _exact(demand, cost, units)
    return _fluid(demand, cost, units)


def _exact(demand: Demand, cost: float, units: int) -> float:
    steps = max(1, int(np.ceil(demand.arrivals / _CHANCE)))
    chance = demand.arrivals / steps
    value = np.zeros(units + 1)
    purchase, share = np.atleast_2d(demand.purchase)[:, :, None], demand.shares
    margin = purchase * (demand.ratio - cost)[:, None]  # (k, m, 1)
    for _ in range(steps):
        worth = np.diff(value)  # (units,)
        gain = (margin - purchase * worth).max(axis=1)  # (k, units)
        value[1:] += chance * (share @ np.maximum(0.0, gain))
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
    """Purchase probability at the profit-maximising prices when a unit has opportunity cost `bid`."""
    purchase = np.atleast_2d(demand.purchase)
    best = (purchase * (demand.ratio - cost - bid)).argmax(axis=1)
    return float(demand.shares @ purchase[np.arange(len(purchase)), best])
