"""Weekly product facts: sales and prices of earlier weeks, never of the week itself."""

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

REFERENCE_WEEKS: Final = 8
_WEIGHT: Final = 0.85
_DEAL_RATIO: Final = 0.95
_CURRENCIES: Final = 1 << 16  # bound of currency codes, the low digits of an entry's key
_CACHED: Final = 4_000_000  # products times weeks of cached facts
_MOST_WEEKS: Final = 128


@dataclass(frozen=True, slots=True)
class WeekFacts:
    """Facts of all products as known at the start of one week; every array is `(n_products,)`.

    Prices are in minor units of the product's present currency; weeks priced in another one count for sales alone.

    Attributes:
        share: Share of all purchases of the last eight weeks, recent weeks weighted more.
        category_share: Share of the purchases in the product's category, weighted likewise.
        trend: log(mean sales of the last four weeks / mean of the last eight), 0 when nothing was sold.
        deal_frequency: Share of the observed weeks with a price over 5 % below list.
        reference: Median list price of the last eight weeks in minor units, else the last known, else nan.
        price_level: log(reference price / median of the category in the same currency), 0 when unknown.
        weekly_units: Mean purchases per week over the last eight weeks.
    """

    share: Floats
    category_share: Floats
    trend: Floats
    deal_frequency: Floats
    reference: Floats
    price_level: Floats
    weekly_units: Floats


@dataclass(frozen=True, slots=True)
class WeekRows:
    """Columns of product weeks, one row each; prices in minor units of the row's currency, nan when not observed."""

    products: Sequence[str]
    weeks: NDArray[np.int64]
    currencies: Sequence[str]
    purchases: Floats
    list_minor: Floats
    price_minor: Floats


@dataclass(frozen=True, slots=True)
class _Entries:
    """Observations of one week in the order of their keys, `row * _CURRENCIES + currency`; all `(n_observed,)`."""

    keys: NDArray[np.int64]
    purchases: Floats
    list_minor: Floats
    price_minor: Floats

    def replaced_by(self, later: "_Entries") -> "_Entries":
        """These entries with others in place of those of the same key."""
        keys = np.concatenate([self.keys, later.keys])
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        last = order[np.append(ordered[1:] != ordered[:-1], True)] if len(order) else order
        columns = (
            np.concatenate([getattr(self, name), getattr(later, name)])[last]
            for name in ("purchases", "list_minor", "price_minor")
        )
        return _Entries(keys[last], *columns)


_NOTHING: Final = _Entries(np.zeros(0, np.int64), np.zeros(0), np.zeros(0), np.zeros(0))


class ProductWeeks:
    """Weekly sales and prices of products, and the facts computed from them. Safe for several threads.

    Memory is proportional to the product weeks observed, whatever span of time they cover.
    """

    def __init__(self) -> None:
        """Start without products."""
        self.rows: dict[str, int] = {}
        self._category: array[int] = array("q")  # code of each row
        self._currency: array[int] = array("q")
        self._codes: tuple[dict[str, int], dict[str, int]] = ({}, {})  # of categories, of currencies
        self._weeks: dict[int, _Entries] = {}
        self._facts: dict[int, WeekFacts] = {}
        self._lock = Lock()

    @classmethod
    def build(
        cls,
        products: Mapping[str, str],
        columns: tuple[Sequence[str], NDArray[np.int64], Floats, Floats, Floats],
    ) -> "ProductWeeks":
        """Build from a map of product to category, and columns (product, week, purchases, list_minor, price_minor).

        All prices are in one currency.
        """
        ids, weeks, purchases, list_minor, price_minor = columns
        built = cls()
        for product, category in products.items():
            built.put_product(product, category)
        built.put(WeekRows(ids, weeks, [""] * len(ids), purchases, list_minor, price_minor))
        return built

    def put_product(self, product: str, category: str, currency: str = "") -> None:
        """Add a product, or change category and currency of a known one, whose history stays."""
        with self._lock:
            codes = (_code(self._codes[0], category), _code(self._codes[1], currency))
            row = self.rows.get(product)
            if row is None:
                self._category.append(codes[0])
                self._currency.append(codes[1])
                self.rows[product] = len(self.rows)
            elif codes != (self._category[row], self._currency[row]):
                self._category[row], self._currency[row] = codes
            else:
                return
            self._facts.clear()

    def put(self, rows: WeekRows) -> None:
        """Set product weeks, in place of those known of the same product, week and currency; skips unknown products.

        Facts of later weeks are computed anew, those of earlier weeks stay.
        """
        with self._lock:
            self._put(rows)

    def put_all(self, rows: WeekRows) -> None:
        """Set product weeks in place of all that are known."""
        with self._lock:
            self._weeks.clear()
            self._facts.clear()
            self._put(rows)

    @property
    def newest(self) -> int:
        """The last week with an observation; 0 without any."""
        with self._lock:
            return max(self._weeks, default=0)

    def facts(self, week: int) -> WeekFacts:
        """Facts known at the start of `week`, from earlier weeks only; those of the last weeks asked for are cached."""
        known = self._facts.get(week)
        if known is not None:
            return known
        with self._lock:
            found = self._compute(week)
            most = max(4, min(_MOST_WEEKS, _CACHED // max(1, len(self.rows))))
            for oldest in list(self._facts)[: max(0, len(self._facts) + 1 - most)]:
                del self._facts[oldest]
            self._facts[week] = found
            return found

    def _put(self, rows: WeekRows) -> None:
        codes = np.fromiter((_code(self._codes[1], one) for one in rows.currencies), np.int64, len(rows.currencies))
        row = np.fromiter((self.rows.get(product, -1) for product in rows.products), np.int64, len(rows.products))
        order = np.flatnonzero(row >= 0)
        order = order[np.argsort(rows.weeks[order], kind="stable")]
        if not len(order):
            return
        keys = row[order] * _CURRENCIES + codes[order]
        weeks, starts = np.unique(rows.weeks[order], return_index=True)
        for week, some in zip(weeks.tolist(), np.split(np.arange(len(order)), starts[1:]), strict=True):
            at = order[some]
            new = _Entries(keys[some], rows.purchases[at], rows.list_minor[at], rows.price_minor[at])
            self._weeks[week] = self._weeks.get(week, _NOTHING).replaced_by(new)
        for known in [known for known in self._facts if known > weeks[0]]:
            del self._facts[known]

    def _compute(self, week: int) -> WeekFacts:
        n = len(self.rows)
        category, currency = np.array(self._category, np.int64), np.array(self._currency, np.int64)
        start = week - REFERENCE_WEEKS
        first = min((known for known in self._weeks if known < week), default=week)
        width = week - max(start, first)
        sold, lists, prices = np.zeros((n, width)), np.full((n, width), np.nan), np.full((n, width), np.nan)
        for column in range(width):
            entries = self._weeks.get(week - width + column, _NOTHING)
            rows, own = entries.keys // _CURRENCIES, _in_own_currency(entries, currency)
            sold[:, column] = np.bincount(rows, weights=entries.purchases, minlength=n)
            lists[rows[own], column] = entries.list_minor[own]
            prices[rows[own], column] = entries.price_minor[own]
        weights = _WEIGHT ** np.arange(width, 0, -1)
        decayed = sold @ weights
        by_category = np.bincount(category, weights=decayed)
        mean = sold.mean(axis=1) if width else np.zeros(n)
        last_mean = sold[:, max(0, width - 4) :].mean(axis=1) if width else np.zeros(n)
        reference = _reference(lists, self._last_known(start, currency))
        return WeekFacts(
            share=decayed / max(1.0, float(decayed.sum())),
            category_share=decayed / np.maximum(1.0, by_category[category]),
            trend=np.clip(np.log((last_mean + 0.25) / (mean + 0.25)), -2, 2),
            deal_frequency=_deal_frequency(lists, prices),
            reference=reference,
            price_level=_price_level(reference, category * _CURRENCIES + currency),
            weekly_units=mean,
        )

    def _last_known(self, before: int, currency: NDArray[np.int64]) -> Floats:
        """The last list price known before a week by row, nan without any; `(n_products,)`."""
        found = np.full(len(currency), np.nan)
        for week in sorted(known for known in self._weeks if known < before):
            entries = self._weeks[week]
            seen = _in_own_currency(entries, currency) & ~np.isnan(entries.list_minor)
            found[entries.keys[seen] // _CURRENCIES] = entries.list_minor[seen]
        return found


def _code(codes: dict[str, int], word: str) -> int:
    return codes.setdefault(word, len(codes))


def _in_own_currency(entries: _Entries, currency: NDArray[np.int64]) -> NDArray[np.bool_]:
    mask: NDArray[np.bool_] = entries.keys % _CURRENCIES == currency[entries.keys // _CURRENCIES]
    return mask


def _reference(recent: Floats, last_known: Floats) -> Floats:
    """Median of each row `(n_products, n_weeks)`, else its last known price; `(n_products,)`."""
    counts = (~np.isnan(recent)).sum(axis=1)
    ordered = np.sort(recent, axis=1)  # nan sorts last
    some = np.flatnonzero(counts)
    reference = last_known
    low, high = ordered[some, (counts[some] - 1) // 2], ordered[some, counts[some] // 2]
    reference[some] = (low + high) / 2
    return reference


def _deal_frequency(lists: Floats, prices: Floats) -> Floats:
    seen = ~np.isnan(lists) & ~np.isnan(prices)
    deals = seen & (np.nan_to_num(prices) < _DEAL_RATIO * np.nan_to_num(lists))
    return np.asarray(deals.sum(axis=1) / np.maximum(1, seen.sum(axis=1)), dtype=np.float64)


def _price_level(reference: Floats, group: NDArray[np.int64]) -> Floats:
    """log(reference / median of the group); 0 where the reference is unknown."""
    level = np.zeros(len(reference))
    known = np.flatnonzero(~np.isnan(reference) & (reference > 0))
    log_price = np.log(reference[known])
    _, place = np.unique(group[known], return_inverse=True)
    order = np.argsort(place, kind="stable")
    bounds = [*np.flatnonzero(np.diff(place[order], prepend=-1)), len(order)]
    medians = np.asarray([np.median(log_price[order[a:b]]) for a, b in pairwise(bounds)])
    level[known] = np.clip(log_price - medians[place], -2, 2)
    return level
