"""Purchase-incidence panel: products offered to households at prices, with purchase labels.

A row is a store visit (household, week, store) and a product that was sold at that store in an earlier week and whose
category the household bought in an earlier week. All positives are kept; negatives are sampled by stratum (A: household
bought the product before, B: only its category) and weighted by the inverse rate. The offered price comes from other
households' receipts only: the median of the store and week, else the mode of the chain and week, else the row is
dropped. Features are updated while the visits are processed in time order, so none depends on later events.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from models.datasets.complete_journey import Journey
from models.datasets.complete_journey_weeks import week_columns
from models.shopper.features import Subject, feature_matrix, feature_row
from models.shopper.history import Act, RecentItems, ShopperHistory, recent_items
from models.shopper.product_weeks import ProductWeeks
from models.shopper.texts import behaviour_text
from models.shopper.weeks import WEEK_S, week_of

RETURN_S: Final = 8 * WEEK_S

OnState = Callable[[int, int, ShopperHistory, float], None]


@dataclass(frozen=True, slots=True)
class PanelConfig:
    """Settings of the panel; `rate_a` and `rate_b` are the shares of negatives kept per stratum."""

    first_week: int = 9
    last_week: int = 44
    rate_a: float = 0.2
    rate_b: float = 0.02
    products: int = 1500
    with_features: bool = True
    state_every_weeks: int = 4
    seed: int = 17


@dataclass(frozen=True, slots=True)
class Panel:
    """Rows in time order; every array is `(n_rows,)` but `features`, `(n_rows, n_features)`.

    Attributes:
        household, store, product: Ids as in the data. `week` is the data's own week (1-52).
        stratum_a: Whether the household had bought the product before.
        log_ratio: log(offered price / reference price).
        state: Row of `texts` and `recents`, the shopper's state of the same or an earlier week, at most
            `state_every_weeks` old.
        recents: Latest purchases at each state, `models.shopper.history.recent_items`.
        returned: 1 if the household buys the category again within eight weeks, 0 if not, nan if censored.
    """

    household: NDArray[np.int64]
    store: NDArray[np.int64]
    product: NDArray[np.int64]
    week: NDArray[np.int64]
    at_s: NDArray[np.int64]
    stratum_a: NDArray[np.bool_]
    bought: NDArray[np.float32]
    weight: NDArray[np.float32]
    reference_minor: NDArray[np.float32]
    log_ratio: NDArray[np.float32]
    returned: NDArray[np.float32]
    state: NDArray[np.int64]
    features: NDArray[np.float32]
    texts: list[str]
    recents: list[RecentItems]


def panel_products(receipts: pd.DataFrame, limit: int) -> list[int]:
    """Choose products sold in at least 33 of weeks 2-40 with varying prices and steady regular prices.

    Varying: the weekly median price differs by over 5 % from its median in at least 3 weeks. Steady: at least 80 % of
    the store weeks have a regular price within 2 % of the store's median. Returns up to `limit`, most bought first.
    """
    early = receipts.loc[receipts["week"].between(2, 40)]
    weekly = early.groupby(["product_id", "week"])["loyalty"].median().rename("loyalty").reset_index()
    grouped = weekly.groupby("product_id")["loyalty"]
    own_median = grouped.transform("median")
    off = (weekly["loyalty"] / own_median - 1).abs() > 0.05
    varied = off.groupby(weekly["product_id"]).sum() >= 3
    sold = grouped.size() >= 33
    store_week = early.groupby(["product_id", "store_id", "week"])["regular"].median()
    usual = store_week.groupby(["product_id", "store_id"]).transform("median")
    steady = ((store_week / usual - 1).abs() <= 0.02).groupby("product_id").mean() >= 0.8
    chosen = sold.index[sold & varied.reindex(sold.index) & steady.reindex(sold.index)]
    counts = early.loc[early["product_id"].isin(chosen), "product_id"].value_counts()
    return sorted(counts.sort_index().sort_values(ascending=False, kind="stable").index[:limit].tolist())


@dataclass(slots=True)
class _OfferedPrices:
    """Loyalty prices on receipts; a lookup leaves out the household's own receipts."""

    store: dict[tuple[int, int, int], list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    chain: dict[tuple[int, int], list[tuple[int, float]]] = field(default_factory=lambda: defaultdict(list))
    _store_all: dict[tuple[int, int, int], float | None] = field(default_factory=dict)
    _chain_all: dict[tuple[int, int], float | None] = field(default_factory=dict)
    buyers: dict[tuple[int, int], set[int]] = field(default_factory=lambda: defaultdict(set))

    def add(self, household: int, store: int, week: int, product: int, price: float) -> None:
        self.store[store, week, product].append((household, price))
        self.chain[week, product].append((household, price))
        self.buyers[week, product].add(household)

    def price(self, household: int, store: int, week: int, product: int) -> float | None:
        own = household in self.buyers.get((week, product), ())
        here = (
            _median(self.store.get((store, week, product), []), household) if own else self._store(store, week, product)
        )
        if here is not None:
            return here
        return _mode(self.chain.get((week, product), []), household) if own else self._chain(week, product)

    def _store(self, store: int, week: int, product: int) -> float | None:
        key = (store, week, product)
        if key not in self._store_all:
            self._store_all[key] = _median(self.store.get(key, []), None)
        return self._store_all[key]

    def _chain(self, week: int, product: int) -> float | None:
        key = (week, product)
        if key not in self._chain_all:
            self._chain_all[key] = _mode(self.chain.get(key, []), None)
        return self._chain_all[key]


def _median(rows: list[tuple[int, float]], without: int | None) -> float | None:
    prices = [price for household, price in rows if household != without]
    return float(np.median(prices)) if prices else None


def _mode(rows: list[tuple[int, float]], without: int | None) -> float | None:
    counts: dict[float, int] = defaultdict(int)
    for household, price in rows:
        if household != without:
            counts[price] += 1
    return max(counts, key=lambda price: (counts[price], price)) if counts else None


@dataclass(slots=True)
class _Columns:
    rows: list[tuple[int, int, int, int, int, bool, float, float, float, float, int]] = field(default_factory=list)
    features: list[list[float]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    recents: list[RecentItems] = field(default_factory=list)


class PanelBuilder:
    """Builds the panel in one pass over all visits in time order."""

    def __init__(self, journey: Journey, config: PanelConfig, on_state: OnState | None = None) -> None:
        """Index the demo data; `on_state` is called with each new shopper state (row, household, history, time)."""
        self._on_state = on_state
        self._journey = journey
        self._config = config
        self._rng = np.random.default_rng(config.seed)
        table = journey.products.set_index("product_id")
        self._title = table["title"].to_dict()
        self._category = table["category"].to_dict()
        self._brand = table["brand"].to_dict()
        self._ids = np.asarray(panel_products(journey.receipts, config.products))
        self._column = {int(product): column for column, product in enumerate(self._ids)}
        self._panel_category = np.asarray([self._category[product] for product in self._ids])
        self._members = {name: np.flatnonzero(self._panel_category == name) for name in set(self._panel_category)}
        columns = week_columns(journey.receipts)
        self._weeks = ProductWeeks.build(
            {str(product): self._category[product] for product in table.index},
            (columns.products, columns.weeks, columns.purchases, columns.list_minor, columns.price_minor),
        )
        self._offered = self._read_offered_prices()
        self.category_purchases = self._read_category_purchases()
        self._histories: dict[int, ShopperHistory] = defaultdict(ShopperHistory)
        self._categories: dict[int, NDArray[np.bool_]] = {}
        self._bought: dict[int, set[int]] = defaultdict(set)
        self._seen: dict[int, NDArray[np.bool_]] = {}
        self._state: dict[int, tuple[int, int]] = {}
        known = journey.receipts.loc[journey.receipts["week"] <= config.last_week]
        self._end_s = int(known["at_s"].max())
        self._columns = _Columns()

    @property
    def weeks(self) -> ProductWeeks:
        """Weekly facts of all products."""
        return self._weeks

    @property
    def products(self) -> list[int]:
        """Product ids of the panel, in the order of its columns."""
        return [int(product) for product in self._ids]

    def build(self, on_week: Callable[[int], None] | None = None) -> Panel:
        """Build the panel; `on_week` is called with each week as it begins."""
        receipts = self._journey.receipts
        for week, in_week in receipts.groupby("week", sort=True):
            if on_week is not None:
                on_week(int(week))
            if self._config.first_week <= week <= self._config.last_week:
                for (household, store), visit in in_week.groupby(["household_id", "store_id"], sort=False):
                    self._visit(int(household), int(store), int(week), visit)
            self._fold_week(in_week)
        return self._finish()

    def _visit(self, household: int, store: int, week: int, visit: pd.DataFrame) -> None:
        categories, seen = self._categories.get(household), self._seen.get(store)
        if categories is None or seen is None:
            return
        eligible = np.flatnonzero(categories & seen)
        if not len(eligible):
            return
        at_s = int(visit["at_s"].iloc[0])
        bought = {self._column[p] for p in visit["product_id"] if p in self._column}
        earlier = self._bought[household]
        known = np.fromiter((column in earlier for column in eligible), bool, len(eligible))
        positive = np.fromiter((column in bought for column in eligible), bool, len(eligible))
        rates = np.where(known, self._config.rate_a, self._config.rate_b)
        keep = positive | (self._rng.random(len(eligible)) < rates)
        if not keep.any():
            return
        state = self._state_row(household, week, at_s)
        for column, is_known, is_bought, rate in zip(
            eligible[keep], known[keep], positive[keep], rates[keep], strict=True
        ):
            self._row(
                (household, store, week, at_s), int(column), (bool(is_known), bool(is_bought), float(rate)), state
            )

    def _row(self, visit: tuple[int, int, int, int], column: int, label: tuple[bool, bool, float], state: int) -> None:
        household, store, week, at_s = visit
        product = int(self._ids[column])
        price = self._offered.price(household, store, week, product)
        facts = self._weeks.facts(week_of(at_s))
        reference = float(facts.reference[self._weeks.rows[str(product)]])
        if price is None or not reference > 0 or price <= 0:
            return
        log_ratio = float(np.clip(np.log(price * 100 / reference), -1.5, 0.7))
        subject = Subject(str(product), self._category[product], self._brand[product], reference)
        known, bought, rate = label
        self._columns.rows.append(
            (
                household,
                store,
                product,
                week,
                at_s,
                known,
                float(bought),
                1.0 if bought else 1 / rate,
                reference,
                log_ratio,
                state,
            )
        )
        if self._config.with_features:
            self._columns.features.append(feature_row(self._histories[household], subject, self._weeks, float(at_s)))

    def _state_row(self, household: int, week: int, at_s: int) -> int:
        block = week // self._config.state_every_weeks
        known = self._state.get(household)
        if known is None or known[0] != block:
            text = self._text(household, float(at_s)) if self._config.with_features else ""
            self._columns.texts.append(text)
            self._columns.recents.append(recent_items(self._histories[household], float(at_s)))
            known = self._state[household] = (block, len(self._columns.texts) - 1)
            if self._on_state is not None:
                self._on_state(known[1], household, self._histories[household], float(at_s))
        return known[1]

    def _text(self, household: int, at_s: float) -> str:
        return behaviour_text(self._histories[household], lambda p: self._title.get(int(p or 0), ""), at_s)

    def _fold_week(self, in_week: pd.DataFrame) -> None:
        """Update histories with a whole week at its end, so that rows depend on earlier weeks only."""
        for row in in_week.itertuples(index=False):
            product, household = int(row.product_id), int(row.household_id)
            category = self._category[product]
            facts = self._weeks.facts(week_of(float(row.at_s)))
            reference = facts.reference[self._weeks.rows[str(product)]]
            ratio = float(row.paid * 100 / reference) if reference > 0 else 1.0
            self._histories[household].observe(
                Act("purchase", float(row.at_s), str(product), category, self._brand[product], ratio)
            )
            members = self._members.get(category)
            if members is not None:
                self._categories.setdefault(household, np.zeros(len(self._ids), bool))[members] = True
            column = self._column.get(product)
            if column is not None:
                self._bought[household].add(column)
                self._seen.setdefault(int(row.store_id), np.zeros(len(self._ids), bool))[column] = True

    def _read_offered_prices(self) -> _OfferedPrices:
        prices = _OfferedPrices()
        rows = self._journey.receipts.loc[self._journey.receipts["product_id"].isin(self._ids)]
        for household, store, week, product, price in zip(
            rows["household_id"].tolist(),
            rows["store_id"].tolist(),
            rows["week"].tolist(),
            rows["product_id"].tolist(),
            rows["loyalty"].tolist(),
            strict=True,
        ):
            prices.add(household, store, week, product, price)
        return prices

    def _read_category_purchases(self) -> dict[tuple[int, str], NDArray[np.int64]]:
        receipts = self._journey.receipts
        category = receipts["product_id"].map(self._category)
        grouped = receipts["at_s"].groupby([receipts["household_id"], category])
        return {(int(h), str(c)): np.unique(times.to_numpy(np.int64)) for (h, c), times in grouped}

    def _finish(self) -> Panel:
        columns = [np.asarray(column) for column in zip(*self._columns.rows, strict=True)]
        household, store, product, week, at_s, known, bought, weight, reference, log_ratio, state = columns
        returned = np.full(len(household), np.nan, np.float32)
        for row in np.flatnonzero(at_s + RETURN_S <= self._end_s):
            times = self.category_purchases.get((int(household[row]), self._category[int(product[row])]))
            after = at_s[row] + 12 * 3600
            position = 0 if times is None else int(np.searchsorted(times, after))
            returned[row] = float(
                times is not None and position < len(times) and times[position] <= at_s[row] + RETURN_S
            )
        return Panel(
            household=household.astype(np.int64),
            store=store.astype(np.int64),
            product=product.astype(np.int64),
            week=week.astype(np.int64),
            at_s=at_s.astype(np.int64),
            stratum_a=known.astype(bool),
            bought=bought.astype(np.float32),
            weight=weight.astype(np.float32),
            reference_minor=reference.astype(np.float32),
            log_ratio=log_ratio.astype(np.float32),
            returned=returned,
            state=state.astype(np.int64),
            features=feature_matrix(self._columns.features),
            texts=self._columns.texts,
            recents=self._columns.recents,
        )
