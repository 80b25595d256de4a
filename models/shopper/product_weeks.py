"""Weekly product facts: sales and prices of earlier weeks, never of the week itself."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

REFERENCE_WEEKS: Final = 8
_WEIGHT: Final = 0.85
_DEAL_RATIO: Final = 0.95


@dataclass(frozen=True, slots=True)
class WeekFacts:
    """Facts of all products as known at the start of one week; every array is `(n_products,)`.

    Attributes:
        share: Share of all purchases of the last eight weeks, recent weeks weighted more.
        category_share: Share of the purchases in the product's category, weighted likewise.
        trend: log(mean sales of the last four weeks / mean of the last eight), 0 when nothing was sold.
        deal_frequency: Share of the observed weeks with a price over 5 % below list.
        reference: Median list price of the last eight weeks in minor units, else the last known, else nan.
        price_level: log(reference price / median of the category), 0 when unknown.
        weekly_units: Mean purchases per week over the last eight weeks.
    """

    share: Floats
    category_share: Floats
    trend: Floats
    deal_frequency: Floats
    reference: Floats
    price_level: Floats
    weekly_units: Floats


@dataclass(slots=True)
class ProductWeeks:
    """Weekly sales and prices as dense matrices `(n_products, n_weeks)`, extended as products and weeks are added."""

    first_week: int
    categories: list[str]
    purchases: Floats
    list_minor: Floats  # nan when not observed
    price_minor: Floats
    rows: dict[str, int]
    _facts: dict[int, WeekFacts] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        products: Mapping[str, str],
        columns: tuple[Sequence[str], NDArray[np.int64], Floats, Floats, Floats],
    ) -> "ProductWeeks":
        """Build from a map of product to category, and columns (product, week, purchases, list_minor, price_minor)."""
        ids, weeks, purchases, list_minor, price_minor = columns
        rows = {product: row for row, product in enumerate(products)}
        first = int(weeks.min()) if len(weeks) else 0
        n_weeks = int(weeks.max()) - first + 1 if len(weeks) else 1
        shape = (len(rows), n_weeks)
        matrix = np.zeros(shape)
        lists = np.full(shape, np.nan)
        prices = np.full(shape, np.nan)
        row_index = np.fromiter((rows.get(product, -1) for product in ids), np.int64, len(ids))
        keep = row_index >= 0
        at = (row_index[keep], weeks[keep] - first)
        matrix[at] = purchases[keep]
        lists[at] = list_minor[keep]
        prices[at] = price_minor[keep]
        return cls(first, list(products.values()), matrix, lists, prices, rows)

    def add_product(self, product: str, category: str) -> None:
        """Add a product, or change the category of a known one, whose history stays."""
        row = self.rows.get(product)
        if row is not None:
            if self.categories[row] != category:
                self.categories[row] = category
                self._facts.clear()
            return
        self.rows[product] = len(self.categories)
        self.categories.append(category)
        width = self.purchases.shape[1]
        self.purchases = np.vstack([self.purchases, np.zeros((1, width))])
        self.list_minor = np.vstack([self.list_minor, np.full((1, width), np.nan)])
        self.price_minor = np.vstack([self.price_minor, np.full((1, width), np.nan)])
        self._facts.clear()

    def record(self, product: str, week: int, purchases: int, list_minor: int | None) -> None:
        """Add purchases to a week and drop the cached facts of later weeks."""
        row = self.rows[product]
        missing = week - self.first_week - self.purchases.shape[1] + 1
        if missing > 0:
            pad = ((0, 0), (0, missing))
            self.purchases = np.pad(self.purchases, pad)
            self.list_minor = np.pad(self.list_minor, pad, constant_values=np.nan)
            self.price_minor = np.pad(self.price_minor, pad, constant_values=np.nan)
        column = week - self.first_week
        if column < 0:
            return  # before the first week kept here, and no window reaches back that far
        self.purchases[row, column] += purchases
        if list_minor is not None and np.isnan(self.list_minor[row, column]):
            self.list_minor[row, column] = list_minor
        for known in [known for known in self._facts if known > week]:
            del self._facts[known]

    def facts(self, week: int) -> WeekFacts:
        """Facts known at the start of `week`, from earlier weeks only; cached."""
        known = self._facts.get(week)
        if known is None or len(known.share) != len(self.categories):
            known = self._facts[week] = self._compute(week)
        return known

    def _compute(self, week: int) -> WeekFacts:
        end = min(max(week - self.first_week, 0), self.purchases.shape[1])
        start = max(0, week - self.first_week - REFERENCE_WEEKS)
        window = slice(min(start, end), end)
        sold = self.purchases[:, window]
        weights = _WEIGHT ** np.arange(sold.shape[1], 0, -1)
        decayed = sold @ weights
        codes, category = np.unique(np.asarray(self.categories, dtype=object).astype(str), return_inverse=True)
        by_category = np.bincount(category, weights=decayed, minlength=len(codes))
        mean = sold.mean(axis=1) if sold.shape[1] else np.zeros(len(sold))
        last = self.purchases[:, max(0, end - 4) : end]
        last_mean = last.mean(axis=1) if last.shape[1] else np.zeros(len(sold))
        reference = _reference(self.list_minor[:, :end], sold.shape[1])
        return WeekFacts(
            share=decayed / max(1.0, float(decayed.sum())),
            category_share=decayed / np.maximum(1.0, by_category[category]),
            trend=np.clip(np.log((last_mean + 0.25) / (mean + 0.25)), -2, 2),
            deal_frequency=_deal_frequency(self.list_minor[:, window], self.price_minor[:, window]),
            reference=reference,
            price_level=_price_level(reference, category, len(codes)),
            weekly_units=mean,
        )


def _reference(lists: Floats, width: int) -> Floats:
    """Median of the last `width` columns of each row, else its last known price, else nan; `(n_products,)`."""
    recent = lists[:, lists.shape[1] - width :]
    counts = (~np.isnan(recent)).sum(axis=1)
    ordered = np.sort(recent, axis=1)  # nan sorts last
    rows = np.arange(len(recent))
    reference = np.full(len(recent), np.nan)
    some = counts > 0
    if width:
        low = ordered[rows[some], (counts[some] - 1) // 2]
        high = ordered[rows[some], counts[some] // 2]
        reference[some] = (low + high) / 2
    older = lists[~some]
    if older.size:
        known = ~np.isnan(older)
        last = older.shape[1] - 1 - known[:, ::-1].argmax(axis=1)
        reference[~some] = np.where(known.any(axis=1), older[np.arange(len(older)), last], np.nan)
    return reference


def _deal_frequency(lists: Floats, prices: Floats) -> Floats:
    seen = ~np.isnan(lists) & ~np.isnan(prices)
    deals = seen & (np.nan_to_num(prices) < _DEAL_RATIO * np.nan_to_num(lists))
    return np.asarray(deals.sum(axis=1) / np.maximum(1, seen.sum(axis=1)), dtype=np.float64)


def _price_level(reference: Floats, category: NDArray[np.intp], n_categories: int) -> Floats:
    level = np.zeros(len(reference))
    known = ~np.isnan(reference) & (reference > 0)
    log_price = np.log(reference[known])
    order = np.argsort(category[known], kind="stable")
    grouped = category[known][order]
    starts = np.searchsorted(grouped, np.arange(n_categories))
    stops = np.searchsorted(grouped, np.arange(n_categories), side="right")
    medians = np.zeros(n_categories)
    for code in range(n_categories):
        if stops[code] > starts[code]:
            medians[code] = np.median(log_price[order[starts[code] : stops[code]]])
    level[known] = np.clip(log_price - medians[category[known]], -2, 2)
    return level
