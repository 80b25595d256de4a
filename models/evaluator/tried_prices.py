"""Prices that were ever offered: beyond them a model extrapolates, whatever its intervals say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

LEAST_OFFERS: Final = 30
"""Offers of a product or category from which on its own range counts."""
_ENDS: Final = 3  # the third lowest and highest: two mistyped prices move no end
_PREFIX: Final = "tried."
_NAMES: Final = "names"
_RANGES: Final = "ranges"
_RESPONSE: Final = "response"
ALL: Final = "all"


class TriedRange(NamedTuple):
    """Lowest and highest log(price / reference) offered; 0, the reference price itself, lies within."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class TriedPrices:
    """Ranges by `product=ID` and `product.category=word` in lower case, and of `all` offers.

    Attributes:
        response: Share of the price response that counts below a range, 0-1, as later outcomes chose it: demand seldom
            rises at deep discounts as steeply as at small ones. Above a range the whole response counts.
    """

    ranges: Mapping[str, TriedRange]
    response: float = 1.0

    def of(self, product: str, category: str) -> TriedRange:
        """Range of a product; with fewer offers than `LEAST_OFFERS` of its category, else of the shop."""
        found = self.ranges.get(f"product={product}") or self.ranges.get(f"product.category={category.lower()}")
        return found or self.ranges[ALL]

    def effective(self, log_ratio: Floats, ranges: Floats) -> Floats:
        """Log ratios `(n, m)` whose response is expected at prices, given the range of each row `(n, 2)`."""
        low = ranges[:, :1]
        return np.asarray(np.maximum(log_ratio, low) + self.response * np.minimum(0.0, log_ratio - low))

    @classmethod
    def from_offers(
        cls, log_ratio: Floats, members: Mapping[str, NDArray[np.int64]], response: float = 1.0
    ) -> "TriedPrices":
        """Ranges of all offers and of `members`: rows of offers by name."""
        found = {name: _range(log_ratio[rows]) for name, rows in members.items() if len(rows) >= LEAST_OFFERS}
        return cls({**found, ALL: _range(log_ratio)}, response)

    def to_tensors(self) -> dict[str, NDArray[np.float32]]:
        """Tensors for the evaluator's file; names are stored as bytes."""
        names = np.frombuffer("\n".join(self.ranges).encode(), np.uint8).astype(np.float32)
        ranges = np.asarray(list(self.ranges.values()), np.float32).reshape(-1, 2)
        response = np.asarray([self.response], np.float32)
        return {_PREFIX + _NAMES: names, _PREFIX + _RANGES: ranges, _PREFIX + _RESPONSE: response}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Floats]) -> "TriedPrices | None":
        """Read tensors of the evaluator's file; None when it holds no ranges.

        Raises:
            KeyError: A tensor is missing.
        """
        if _PREFIX + _NAMES not in tensors:
            return None
        names = tensors[_PREFIX + _NAMES].astype(np.uint8).tobytes().decode().split("\n")
        ranges: Sequence[Sequence[float]] = tensors[_PREFIX + _RANGES].tolist()
        found = {name: TriedRange(low, high) for name, (low, high) in zip(names, ranges, strict=True)}
        return cls(found, float(tensors[_PREFIX + _RESPONSE][0]))


def _range(log_ratio: Floats) -> TriedRange:
    place = min(_ENDS, len(log_ratio)) - 1
    ordered = np.sort(log_ratio)
    return TriedRange(min(0.0, float(ordered[place])), max(0.0, float(ordered[-1 - place])))
