"""Numeric features of a shopper and a product at a moment, inputs of the evaluator beside encoder states.

No feature depends on the price offered: price enters the evaluator only through its monotone heads.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.shopper.history import ShopperHistory
from models.shopper.product_weeks import ProductWeeks, WeekFacts
from models.shopper.tallies import Tally
from models.shopper.weeks import WEEK_S, week_of

PAIR_FEATURES: Final = ("bought", "count_fast", "count_slow", "recency", "gap", "last_ratio", "due", "repeat")
SHOPPER_PRODUCT: Final = tuple(f"product_{name}" for name in PAIR_FEATURES)
SHOPPER_CATEGORY: Final = tuple(f"category_{name}" for name in PAIR_FEATURES)
SHARES: Final = ("share_of_category", "category_share_of_items", "brand_share_of_items")
SHOPPER: Final = ("known", "trips_fast", "trips_slow", "items_per_trip", "deal_share", "mean_ratio", "since_trip")
PRODUCT: Final = (
    "product_known",
    "popularity",
    "popularity_in_category",
    "trend",
    "deal_frequency",
    "price_level",
    "log_price",
)
FEATURES: Final = SHOPPER_PRODUCT + SHOPPER_CATEGORY + SHARES + SHOPPER + PRODUCT


@dataclass(frozen=True, slots=True)
class Subject:
    """The product of a feature row; `reference_minor` is used where it has no price history."""

    product: str
    category: str
    brand: str
    reference_minor: float


def feature_row(history: ShopperHistory, subject: Subject, weeks: ProductWeeks, at_s: float) -> list[float]:
    """Compute features in the order of `FEATURES`, from what was known before `at_s` only."""
    return ShopperFeatures(history, weeks, at_s).row(subject)


class ShopperFeatures:
    """Features of one shopper at one moment; what products share of them is computed once."""

    def __init__(self, history: ShopperHistory, weeks: ProductWeeks, at_s: float) -> None:
        """`history` must not change meanwhile."""
        self._history = history
        self._weeks = weeks
        self._at_s = at_s
        self._shopper = _shopper(history, at_s)
        self._items = history.items.at(at_s)[1]
        self._categories: dict[str, tuple[float, ...]] = {}

    def row(self, subject: Subject) -> list[float]:
        """Compute the features of a product, in the order of `FEATURES`."""
        history = self._history
        product = history.products.get(subject.product) if subject.product else None
        brand = history.brands.get(subject.brand) if subject.brand else None
        row = self._weeks.rows.get(subject.product, -1)  # before the facts, which have all products known by then
        return [
            *pair_features(product, self._at_s),
            *self._category(subject.category),
            *self._shares(product, history.categories.get(subject.category) if subject.category else None, brand),
            *self._shopper,
            *_product(self._weeks.facts(week_of(self._at_s)), row, subject),
        ]

    def _category(self, category: str) -> tuple[float, ...]:
        found = self._categories.get(category)
        if found is None:
            tally = self._history.categories.get(category) if category else None
            found = self._categories[category] = pair_features(tally, self._at_s)
        return found

    def _shares(self, *tallies: Tally | None) -> tuple[float, float, float]:
        product, category, brand = (0.0 if tally is None else tally.at(self._at_s)[1] for tally in tallies)
        return (
            product / (category + 0.5) if product else 0.0,
            category / (self._items + 1.0),
            brand / (self._items + 1.0),
        )


def pair_features(tally: Tally | None, at_s: float) -> tuple[float, ...]:
    """Compute `PAIR_FEATURES` of a shopper and a product or category; zeros when it was never bought."""
    if tally is None or tally.times == 0:
        return (0.0,) * len(PAIR_FEATURES)
    fast, slow = tally.at(at_s)
    gap_weeks = max(0.0, at_s - tally.last_s) / WEEK_S
    return (
        1.0,
        math.log1p(fast),
        math.log1p(slow),
        math.exp(-gap_weeks / 4),
        math.log1p(gap_weeks),
        tally.last_log_ratio,
        tally.due(at_s),
        1.0 if tally.times > 1 else 0.0,
    )


def _shopper(history: ShopperHistory, at_s: float) -> tuple[float, ...]:
    items = history.items.times
    if items == 0:
        return (0.0,) * len(SHOPPER)
    trips_fast, trips_slow = history.trips.at(at_s)
    return (
        1.0,
        math.log1p(trips_fast),
        math.log1p(trips_slow),
        math.log1p(items / history.trips.times),
        history.deals.times / items,
        history.ratio_sum / items,
        math.exp(-max(0.0, at_s - history.trips.last_s) / WEEK_S),
    )


def _product(facts: WeekFacts, row: int, subject: Subject) -> tuple[float, ...]:
    log_price = math.log(max(1.0, subject.reference_minor) / 100) / 3
    if row < 0:
        return (0.0, math.log(1e-6), math.log(1e-3), 0.0, 0.0, 0.0, log_price)
    return (
        1.0,
        math.log(float(facts.share[row]) + 1e-6),
        math.log(float(facts.category_share[row]) + 1e-3),
        float(facts.trend[row]),
        float(facts.deal_frequency[row]),
        float(facts.price_level[row]),
        log_price,
    )


def feature_matrix(rows: list[list[float]]) -> NDArray[np.float32]:
    """Stack rows as an array `(n, len(FEATURES))`."""
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), len(FEATURES))
