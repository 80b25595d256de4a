"""Counts of what one shopper bought or declined, by product, category or brand."""

import math
from collections.abc import Iterator, KeysView, MutableMapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.shopper.weeks import WEEK_S

DECAYS_S: Final = (6 * WEEK_S, 26 * WEEK_S)
NO_PRICE: Final = -(2**63)
_ROUNDING: Final = 1e-9  # relative; far above what two ways of computing an exponential differ by


@dataclass(slots=True)
class Tally:
    """Decayed counts of purchases, or of declined offers, of one product, category or brand, or of all.

    Attributes:
        fast, slow: Counts as of `last_s`, decayed with the two time constants of `DECAYS_S`.
        times: Number of all.
    """

    fast: float = 0.0
    slow: float = 0.0
    times: int = 0
    first_s: float = 0.0
    last_s: float = 0.0
    last_log_ratio: float = 0.0
    last_price_minor: int | None = None
    last_currency: str = ""

    def add(self, at_s: float, log_ratio: float, weight: float = 1.0) -> None:
        """Count one purchase or decline, not earlier than the last one counted."""
        if self.times == 0:
            self.fast, self.slow, self.first_s = weight, weight, at_s
        else:
            gap = at_s - self.last_s
            if gap > 0:
                self.fast *= math.exp(-gap / DECAYS_S[0])
                self.slow *= math.exp(-gap / DECAYS_S[1])
            self.fast += weight
            self.slow += weight
        self.times += 1
        self.last_s = at_s
        self.last_log_ratio = log_ratio

    def at(self, at_s: float) -> tuple[float, float]:
        """Decayed counts (fast, slow) at a later time."""
        if self.times == 0:
            return 0.0, 0.0
        gap = max(0.0, at_s - self.last_s)
        return self.fast * math.exp(-gap / DECAYS_S[0]), self.slow * math.exp(-gap / DECAYS_S[1])

    def due(self, at_s: float) -> float:
        """Time since the last purchase over the mean interval, 0-3; 0 when no interval is known."""
        if self.times < 2 or self.last_s <= self.first_s:
            return 0.0
        interval = (self.last_s - self.first_s) / (self.times - 1)
        return min(3.0, (at_s - self.last_s) / interval)


@dataclass(frozen=True, slots=True)
class TallyColumns:
    """Tallies as columns.

    Attributes:
        floats: `fast`, `slow`, `first_s`, `last_s` and `last_log_ratio`, `(5, n)`.
        integers: `times`, `last_price_minor` (`NO_PRICE` for none) and rows of `currencies`, `(3, n)`.
    """

    floats: NDArray[np.float64]
    integers: NDArray[np.int64]
    currencies: tuple[str, ...]

    def tally(self, row: int) -> Tally:
        """One tally."""
        fast, slow, first, last, ratio = self.floats[:, row].tolist()
        times, price, currency = self.integers[:, row].tolist()
        paid = None if price == NO_PRICE else price
        return Tally(fast, slow, times, first, last, ratio, paid, self.currencies[currency])


class PackedTallies(MutableMapping[str, Tally]):
    """Tallies by name that stay columns until they are read: a quote reads a few of hundreds."""

    def __init__(self, rows: dict[str, int], columns: TallyColumns, made: dict[str, Tally] | None = None) -> None:
        """`rows` of `columns` by name; those in `made` apply instead."""
        self._rows = rows
        self._columns = columns
        self._made = {} if made is None else made

    def __getitem__(self, name: str) -> Tally:
        """The tally of a name; the same object each time."""
        made = self._made.get(name)
        return self._made.setdefault(name, self._columns.tally(self._rows[name])) if made is None else made

    def __setitem__(self, name: str, tally: Tally) -> None:
        """Set or add a tally."""
        self._made[name] = tally
        self._rows.setdefault(name, -1)

    def __delitem__(self, name: str) -> None:
        """Remove a tally."""
        del self._rows[name]
        self._made.pop(name, None)

    def __iter__(self) -> Iterator[str]:
        """Names in the order in which they were added."""
        return iter(self._rows)

    def __len__(self) -> int:
        """Number of tallies."""
        return len(self._rows)

    def __contains__(self, name: object) -> bool:
        """Whether a name has a tally."""
        return name in self._rows

    def keys(self) -> KeysView[str]:
        """Names in the order in which they were added."""
        return self._rows.keys()

    def copy(self) -> "PackedTallies":
        """A shallow copy."""
        return PackedTallies(self._rows.copy(), self._columns, self._made.copy())

    def among_largest(self, count: int, at_s: float) -> list[str]:
        """Names of the `count` largest slow counts at a later time, in any order, and perhaps of some others."""
        if len(self._rows) <= count:
            return list(self._rows)
        made = self._made.copy()
        rows = np.fromiter(self._rows.values(), np.int64, len(self._rows))
        slow, last_s = self._columns.floats[1, rows], self._columns.floats[3, rows]
        slow = slow * np.exp(-np.maximum(0.0, at_s - last_s) / DECAYS_S[1])
        least = float(np.partition(slow, -count)[-count]) * (1 - _ROUNDING)
        large = (slow >= least).tolist()
        return [name for name, is_large in zip(self._rows, large, strict=True) if is_large or name in made]


Tallies = dict[str, Tally] | PackedTallies


def largest(tallies: Tallies, count: int, at_s: float) -> list[str]:
    """Names of the largest slow counts at a later time, largest first, equal ones by name."""
    names = tallies.among_largest(count, at_s) if isinstance(tallies, PackedTallies) else tallies
    ranked = sorted((-tallies[name].at(at_s)[1], name) for name in names)
    return [name for _, name in ranked[:count]]
