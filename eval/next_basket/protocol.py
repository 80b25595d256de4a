"""Protocol B: households frozen after a week; which products come in the first active week after?

Candidates are the panel's products. Recall@20 and NDCG@10 over all targets, and over the new ones alone (products the
household never bought, ranked among such products). Peers and Pricesmith see the same purchases.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.datasets.complete_journey import Journey
from models.datasets.complete_journey_weeks import week_columns
from models.shopper.history import Act, ShopperHistory
from models.shopper.product_weeks import ProductWeeks
from models.shopper.weeks import week_of
from models.training.panel import panel_products

HOUSEHOLDS: Final = 600
RECALL_AT: Final = 20
NDCG_AT: Final = 10
POPULARITY_WEEKS: Final = 8


@dataclass(frozen=True, slots=True)
class Basket:
    """A frozen household and what it bought next, as columns of the candidates."""

    household: int
    history: ShopperHistory
    bought: NDArray[np.bool_]
    target: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NextBasket:
    """The task at one freeze week.

    Attributes:
        products: Candidates, in column order; `purchases` are unique (household row, column, week), `(n, 3)`.
        at_s: The moment of the freeze. `popularity` `(n_products,)` counts households-weeks of the last eight weeks.
    """

    week: int
    at_s: float
    journey: Journey
    weeks: ProductWeeks
    products: list[int]
    purchases: NDArray[np.int64]
    n_households: int
    household_row: dict[int, int]
    popularity: Floats
    baskets: list[Basket]

    def owned(self) -> NDArray[np.float32]:
        """Who had bought what by the freeze, `(n_households, n_products)`."""
        matrix = np.zeros((self.n_households, len(self.products)), np.float32)
        matrix[self.purchases[:, 0], self.purchases[:, 1]] = 1
        return matrix

    def rows(self) -> NDArray[np.int64]:
        """Rows of the frozen households in `owned`."""
        return np.asarray([self.household_row[basket.household] for basket in self.baskets])


def freeze(journey: Journey, week: int, last_week: int, households: int = HOUSEHOLDS, seed: int = 17) -> NextBasket:
    """Freeze after `week`; targets come from weeks up to `last_week`; households are drawn at random."""
    receipts = journey.receipts
    products = panel_products(receipts, 1500)
    column = {product: place for place, product in enumerate(products)}
    row = {int(h): place for place, h in enumerate(np.unique(receipts["household_id"]))}
    mine = receipts.loc[receipts["product_id"].isin(products)]
    triples = np.stack([mine["household_id"].map(row), mine["product_id"].map(column), mine["week"]], axis=1).astype(
        np.int64
    )
    triples = np.unique(triples, axis=0)
    past = triples[triples[:, 2] <= week]
    chosen = _choose(triples, week, last_week, households, seed)
    known = receipts.loc[receipts["week"] <= week]
    histories = _fold(journey, week, {h for h, place in row.items() if place in chosen})
    names = {place: h for h, place in row.items()}
    owned = np.zeros((len(row), len(products)), bool)
    owned[past[:, 0], past[:, 1]] = True
    table = journey.products
    columns = week_columns(receipts)
    recent = past[past[:, 2] > week - POPULARITY_WEEKS]
    return NextBasket(
        week=week,
        at_s=float(known["at_s"].max()) + 1,
        journey=journey,
        weeks=ProductWeeks.build(
            dict(zip(table["product_id"].astype(str), table["category"], strict=True)),
            (columns.products, columns.weeks, columns.purchases, columns.list_minor, columns.price_minor),
        ),
        products=products,
        purchases=past,
        n_households=len(row),
        household_row=row,
        popularity=np.bincount(recent[:, 1], minlength=len(products)).astype(np.float64),
        baskets=[Basket(names[p], histories[names[p]], owned[p], target) for p, target in chosen.items()],
    )


def _choose(
    triples: NDArray[np.int64], week: int, last_week: int, households: int, seed: int
) -> dict[int, NDArray[np.int64]]:
    """Household rows to the columns of their first active week after the freeze."""
    by_household: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for household, product, when in triples.tolist():
        by_household[household][when].append(product)
    found = {}
    for household, visits in by_household.items():
        order = sorted(visits)
        after = bisect_right(order, week)
        if 0 < after < len(order) and order[after] <= last_week:
            found[household] = np.asarray(visits[order[after]])
    names = np.asarray(sorted(found))
    if len(names) > households:
        names = np.sort(np.random.default_rng(seed).choice(names, households, replace=False))
    return {int(name): found[int(name)] for name in names}


def _fold(journey: Journey, week: int, households: set[int]) -> dict[int, ShopperHistory]:
    receipts = journey.receipts
    known = receipts.loc[(receipts["week"] <= week) & receipts["household_id"].isin(households)]
    labels = journey.products.set_index("product_id")[["category", "brand"]]
    category, brand = labels["category"].to_dict(), labels["brand"].to_dict()
    histories: dict[int, ShopperHistory] = defaultdict(ShopperHistory)
    for line in known.itertuples(index=False):
        product = int(line.product_id)
        ratio = float(line.paid / line.regular) if line.regular > 0 else 1.0
        histories[int(line.household_id)].observe(
            Act("purchase", float(line.at_s), str(product), category[product], brand[product], ratio)
        )
    return histories


@dataclass(frozen=True, slots=True)
class RankingScores:
    """Means over households, and how many households had a target of the kind."""

    recall: float
    ndcg: float
    recall_new: float
    ndcg_new: float
    households: int
    households_new: int


def ranking_scores(task: NextBasket, scores: Floats) -> RankingScores:
    """Score `(n_baskets, n_products)`; higher ranks first, ties by column."""
    everything, new = [], []
    for basket, own in zip(task.baskets, scores, strict=True):
        everything.append(_recall_ndcg(own, basket.target))
        fresh = basket.target[~basket.bought[basket.target]]
        if len(fresh):
            new.append(_recall_ndcg(np.where(basket.bought, -np.inf, own), fresh))
    all_mean, new_mean = np.mean(everything, axis=0), np.mean(new, axis=0)
    return RankingScores(
        float(all_mean[0]), float(all_mean[1]), float(new_mean[0]), float(new_mean[1]), len(everything), len(new)
    )


def recalls(task: NextBasket, scores: Floats) -> Floats:
    """Recall of each basket, `(n_baskets,)`, in the order of the households' numbers."""
    return np.asarray([_recall_ndcg(own, b.target)[0] for b, own in zip(task.baskets, scores, strict=True)], np.float64)


def _recall_ndcg(scores: Floats, target: NDArray[np.int64]) -> tuple[float, float]:
    ranked = np.argsort(-scores, kind="stable")[:RECALL_AT]
    hit = np.isin(ranked, target)
    discount = 1 / np.log2(np.arange(2, NDCG_AT + 2))
    ideal = discount[: min(NDCG_AT, len(target))].sum()
    return float(hit.sum() / len(target)), float((hit[:NDCG_AT] * discount).sum() / ideal)


def decayed_counts(task: NextBasket, half_life_weeks: float) -> Floats:
    """Personal purchase weeks, each counted `0.5 ** (age / half life)`, `(n_baskets, n_products)`."""
    counts = np.zeros((task.n_households, len(task.products)))
    age = task.week - task.purchases[:, 2]
    np.add.at(counts, (task.purchases[:, 0], task.purchases[:, 1]), 0.5 ** (age / half_life_weeks))
    return np.asarray(counts[task.rows()], np.float64)


def this_week(task: NextBasket) -> int:
    """The freeze as a week number of `models.shopper.weeks`."""
    return week_of(task.at_s)


def names(task: NextBasket) -> Sequence[str]:
    """Candidates as product ids."""
    return [str(product) for product in task.products]
