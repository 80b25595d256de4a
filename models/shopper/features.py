"""Numeric features of a shopper and a product at a moment, inputs of the evaluator beside encoder states.

No feature depends on the price offered: price enters the evaluator only through its monotone heads.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.shopper.history import ShopperHistory
from models.shopper.product_weeks import ProductWeeks
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
        self._brands: dict[str, float] = {}

    def row(self, subject: Subject) -> list[float]:
        """Compute the features of a product, in the order of `FEATURES`."""
        bought, category = self.of_product(subject), self.of_category(subject.category)
        own, share = (bought[:-1], bought[-1]) if bought is not None else ((0.0,) * len(PAIR_FEATURES), 0.0)
        return [
            *own,
            *category[:-1],
            share,
            category[-1],
            self.of_brand(subject.brand),
            *self.of_shopper,
            *product_features(self._weeks, self._at_s, [subject])[0],
        ]

    @property
    def of_shopper(self) -> tuple[float, ...]:
        """Features `SHOPPER`."""
        return self._shopper

    def of_category(self, category: str) -> tuple[float, ...]:
        """Features `SHOPPER_CATEGORY`, and the category's share of all items."""
        found = self._categories.get(category)
        if found is None:
            tally = self._history.categories.get(category) if category else None
            found = self._categories[category] = (*pair_features(tally, self._at_s), self._share(tally))
        return found

    def of_brand(self, brand: str) -> float:
        """Share of a brand in all items."""
        found = self._brands.get(brand)
        if found is None:
            found = self._brands[brand] = self._share(self._history.brands.get(brand) if brand else None)
        return found

    def of_product(self, subject: Subject) -> tuple[float, ...] | None:
        """Features `SHOPPER_PRODUCT`, and the product's share of its category; None for one never bought."""
        if not subject.product or subject.product not in self._history.products:
            return None
        tally = self._history.products[subject.product]
        category = self._history.categories.get(subject.category) if subject.category else None
        slow, of_category = (0.0 if one is None else one.at(self._at_s)[1] for one in (tally, category))
        return (*pair_features(tally, self._at_s), slow / (of_category + 0.5) if slow else 0.0)

    def _share(self, tally: Tally | None) -> float:
        return (0.0 if tally is None else tally.at(self._at_s)[1]) / (self._items + 1.0)


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


def product_features(weeks: ProductWeeks, at_s: float, subjects: Sequence[Subject]) -> list[tuple[float, ...]]:
    """Compute features `PRODUCT` of products at a moment, which all shoppers share."""
    rows = [weeks.rows.get(one.product, -1) for one in subjects]  # before the facts, which have all known by then
    facts = weeks.facts(week_of(at_s))
    known = np.asarray([row for row in rows if row >= 0], np.intp)
    columns = (facts.share, facts.category_share, facts.trend, facts.deal_frequency, facts.price_level)
    found = iter(zip(*(column[known].tolist() for column in columns), strict=True))
    log = math.log
    features: list[tuple[float, ...]] = []
    for row, one in zip(rows, subjects, strict=True):
        log_price = log(max(1.0, one.reference_minor) / 100) / 3
        if row < 0:
            features.append((0.0, log(1e-6), log(1e-3), 0.0, 0.0, 0.0, log_price))
        else:
            share, of_category, trend, deals, level = next(found)
            features.append((1.0, log(share + 1e-6), log(of_category + 1e-3), trend, deals, level, log_price))
    return features


@dataclass(slots=True)
class FeatureColumns:
    """Features of many pairs of shopper and product, what several pairs share kept once.

    Attributes:
        shoppers, categories, products: Distinct `of_shopper`, `of_category` and `product_features`.
        places: Of each pair, the rows of these three.
        brands: Of each pair, `of_brand`.
        bought: `of_product` by pair, of those bought before.
    """

    shoppers: list[tuple[float, ...]] = field(default_factory=list)
    categories: list[tuple[float, ...]] = field(default_factory=list)
    products: list[tuple[float, ...]] = field(default_factory=list)
    places: list[tuple[int, int, int]] = field(default_factory=list)
    brands: list[float] = field(default_factory=list)
    bought: dict[int, tuple[float, ...]] = field(default_factory=dict)

    def matrix(self) -> NDArray[np.float32]:
        """Put the pairs together as `feature_matrix` does, `(n, len(FEATURES))`."""
        n, own, shares = len(self.places), len(PAIR_FEATURES), 2 * len(PAIR_FEATURES)
        found = np.zeros((n, len(FEATURES)), np.float32)
        if not n:
            return found
        shopper, category, product = np.asarray(self.places, np.intp).T
        of_category = np.asarray(self.categories, np.float32)[category]
        found[:, own:shares], found[:, shares + 1] = of_category[:, :-1], of_category[:, -1]
        found[:, shares + 2] = self.brands
        found[:, shares + 3 : -len(PRODUCT)] = np.asarray(self.shoppers, np.float32)[shopper]
        found[:, -len(PRODUCT) :] = np.asarray(self.products, np.float32)[product]
        if self.bought:
            rows, columns = list(self.bought), np.asarray(list(self.bought.values()), np.float32)
            found[rows, :own], found[rows, shares] = columns[:, :-1], columns[:, -1]
        return found


def feature_matrix(rows: list[list[float]]) -> NDArray[np.float32]:
    """Stack rows as an array `(n, len(FEATURES))`."""
    return np.asarray(rows, dtype=np.float32).reshape(len(rows), len(FEATURES))
