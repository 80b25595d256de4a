"""Arrival rates: how often each product is requested and its response to prices, the inputs of bid prices.

Counted since the start of the process; losing it costs accuracy only. The rate has a prior from weekly sales and decays
with a time constant of two weeks.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass
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
_RATIO: Final = 1.0 + np.asarray(SEARCHED_MOVES, np.float64) / 100


@dataclass(slots=True)
class _Requests:
    """Requests for a product: their decayed count and span, and the mean purchase probability at `SEARCHED_MOVES`."""

    first_s: float
    last_s: float
    count: float
    seen: int
    purchase: NDArray[np.float64]


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

    def saw(self, product_id: str, at_s: float, purchase: NDArray[np.float64]) -> None:
        """Count a request; `purchase` is the purchase probability at each of `SEARCHED_MOVES`."""
        with self._lock:
            known = self._requests.get(product_id)
            if known is None:
                self._requests[product_id] = _Requests(at_s, at_s, 1.0, 1, purchase.copy())
                while len(self._requests) > self._capacity:
                    self._requests.popitem(last=False)
                return
            self._requests.move_to_end(product_id)
            later = max(0.0, at_s - known.last_s)
            known.count = known.count * math.exp(-later / MEMORY_S) + 1.0
            known.last_s = max(known.last_s, at_s)
            known.first_s = min(known.first_s, at_s)
            known.seen += 1
            known.purchase += (purchase - known.purchase) / min(known.seen, _CURVE_MEMORY)

    def rate(self, product_id: str, weekly_units: float | None) -> float | None:
        """Requests an hour; None while fewer than five are known."""
        with self._lock:
            known = self._requests.get(product_id)
            if known is None or known.seen < _LEAST_SEEN:
                return None
            span_h = MEMORY_S * -math.expm1(-(known.last_s - known.first_s) / MEMORY_S) / 3600
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
            purchase = self._requests[product_id].purchase.copy()
        return bid_price(Demand(_RATIO, purchase, rate * left.hours), left.cost, left.units)
