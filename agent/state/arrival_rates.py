"""Arrival rates: how often each product is requested and its response to prices, the inputs of bid prices.

Counted since the start of the process; losing it costs accuracy only. The rate has a prior from weekly sales and decays
with a time constant of two weeks. Time without stock hides arrivals and does not count (unconstrained demand; Talluri
and van Ryzin 2004, ch. 9). Of limited stock the shoppers are grouped by their response to prices, as each is offered a
price of its own: one mean response would undervalue a unit.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluator.bid_price import Demand, bid_price
from models.strategist.strategy import SEARCHED_MOVES

MEMORY_S: Final = 14 * 86_400.0
_PRIOR_ARRIVALS: Final = 5.0
_CURVE_MEMORY: Final = 200
_LEAST_SEEN: Final = 5
_BID_MOVES: Final = np.flatnonzero(np.asarray(SEARCHED_MOVES) <= 100)[::4]  # up to twice the reference price
_RATIO: Final = 1.0 + np.asarray(SEARCHED_MOVES, np.float64)[_BID_MOVES] / 100
_GROUPS: Final = 4
_APART: Final = 0.03  # mean difference of purchase probabilities from which shoppers are of different groups
_GROUP_MEMORY: Final = 50


@dataclass(slots=True)
class _Groups:
    """Shoppers grouped by response (sequential k-means; MacQueen 1967): mean responses `(k, m)` and decayed counts."""

    purchase: list[NDArray[np.float64]] = field(default_factory=list)
    count: list[float] = field(default_factory=list)

    def add(self, purchase: NDArray[np.float64]) -> None:
        """Add a shopper to the nearest group, or to a new one."""
        self.count = [count * (1 - 1 / _CURVE_MEMORY) for count in self.count]
        apart = [float(np.abs(one - purchase).mean()) for one in self.purchase]
        nearest = int(np.argmin(apart)) if apart else -1
        if nearest < 0 or (apart[nearest] > _APART and len(apart) < _GROUPS):
            self.purchase.append(purchase.copy())
            self.count.append(1.0)
            return
        self.count[nearest] += 1.0
        step = 1.0 / min(self.count[nearest], _GROUP_MEMORY)
        self.purchase[nearest] = self.purchase[nearest] + step * (purchase - self.purchase[nearest])


@dataclass(slots=True)
class _Requests:
    """Requests for a product.

    Attributes:
        count, span_s: Decayed number of requests and time in which there was stock.
        purchase: Mean purchase probability at `SEARCHED_MOVES`.
        units: Units left at the last request, None where stock is not limited.
    """

    last_s: float
    count: float
    span_s: float
    seen: int
    purchase: NDArray[np.float64]
    units: int | None
    groups: _Groups = field(default_factory=_Groups)


@dataclass(frozen=True, slots=True)
class Remaining:
    """Limited stock: units left, hours until it loses its value, and a unit's cost over the reference price."""

    units: int
    hours: float
    cost: float


class Arrivals:
    """Requests by product; the least recently requested are dropped first."""

    def __init__(self, capacity: int = 20_000) -> None:
        """Keep at most `capacity` products."""
        self._capacity = capacity
        self._requests: OrderedDict[str, _Requests] = OrderedDict()
        self._lock = Lock()

    def saw(self, product_id: str, at_s: float, purchase: NDArray[np.float64], units: int | None = None) -> None:
        """Count a request: its purchase probability at each of `SEARCHED_MOVES`, and units left of limited stock."""
        with self._lock:
            known = self._requests.get(product_id)
            if known is None:
                known = self._requests[product_id] = _Requests(at_s, 1.0, 0.0, 1, purchase.copy(), units)
                while len(self._requests) > self._capacity:
                    self._requests.popitem(last=False)
            else:
                self._requests.move_to_end(product_id)
                _count(known, at_s, purchase, units)
            if units is not None:
                known.groups.add(purchase[_BID_MOVES])

    def rate(self, product_id: str, weekly_units: float | None) -> float | None:
        """Requests an hour; None while fewer than five are known."""
        with self._lock:
            known = self._requests.get(product_id)
            if known is None or known.seen < _LEAST_SEEN:
                return None
            span_h = known.span_s / 3600
            at_reference = float(known.purchase[SEARCHED_MOVES.index(0)])
        prior = weekly_units / 168 / max(1e-3, at_reference) if weekly_units else None
        if prior is None:
            return (known.count - 1.0) / span_h if span_h > 0 else None
        return (known.count + _PRIOR_ARRIVALS) / (span_h + _PRIOR_ARRIVALS / prior)

    def bid(self, product_id: str, left: Remaining, weekly_units: float | None) -> float | None:
        """Bid price: the value of a unit to later shoppers over the reference price; None while the rate is unknown."""
        rate = self.rate(product_id, weekly_units)
        if rate is None:
            return None
        with self._lock:
            known = self._requests[product_id]
            of_groups = known.groups.purchase or [known.purchase[_BID_MOVES]]
            purchase, share = np.stack(of_groups), np.asarray(known.groups.count or [1.0])
        return bid_price(Demand(_RATIO, purchase, rate * left.hours, share), left.cost, left.units)


def _count(known: _Requests, at_s: float, purchase: NDArray[np.float64], units: int | None) -> None:
    """Add a request; the time since the last one does not count where the stock ran out and was filled up meanwhile."""
    later = max(0.0, at_s - known.last_s)
    decay = math.exp(-later / MEMORY_S)
    sold_out = known.units is not None and units is not None and known.units <= 1 < units
    known.count = known.count * decay + (0.0 if sold_out else 1.0)
    known.span_s = known.span_s * decay + (0.0 if sold_out else MEMORY_S * (1.0 - decay))
    known.last_s = max(known.last_s, at_s)
    known.seen += 1
    known.units = units
    known.purchase += (purchase - known.purchase) / min(known.seen, _CURVE_MEMORY)
