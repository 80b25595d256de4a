"""Protocol B: predict a household's purchases in its first active week after a freeze week, from those before.

Candidates are the panel's products. Metrics are Recall@20 and NDCG@10 over all targets, and over new targets only
(products the household had not bought before, ranked among such products). All rankers get the same purchases.
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
    """A household's history until the freeze and its targets.

    Attributes:
        bought: Whether each candidate was bought before, `(n_products,)`.
        target: Candidate columns bought in the target week.
    """

    household: int
    history: ShopperHistory
    bought: NDArray[np.bool_]
    target: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class NextBasket:
    """The task at one freeze week.

    Attributes:
        at_s: Time of the freeze.
        products: Candidates in column order.
        purchases: Unique (household row, candidate column, week) before the freeze, `(n, 3)`.
        popularity: Household-weeks with a purchase in the last eight weeks, `(n_products,)`.
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
        """Build the 0/1 matrix of purchases before the freeze, `(n_households, n_products)`."""
        matrix = np.zeros((self.n_households, len(self.products)), np.float32)
        matrix[self.purchases[:, 0], self.purchases[:, 1]] = 1
        return matrix

    def rows(self) -> NDArray[np.int64]:
        """Rows of the baskets' households in `owned`."""
        return np.asarray([self.household_row[basket.household] for basket in self.baskets])


def build_task(journey: Journey, week: int, last_week: int, households: int = HOUSEHOLDS, seed: int = 17) -> NextBasket:
    """Freeze histories after `week`, with targets until `last_week`, for a random sample of households."""
    receipts = journey.receipts
    products = panel_products(receipts, 1500)
    column = {product: place for place, product in enumerate(products)}
    row = {int(h): place for place, h in enumerate(np.unique(receipts["household_id"]))}
    lines = receipts.loc[receipts["product_id"].isin(products)]
    triples = np.stack([lines["household_id"].map(row), lines["product_id"].map(column), lines["week"]], axis=1).astype(
        np.int64
    )
    triples = np.unique(triples, axis=0)
    past = triples[triples[:, 2] <= week]
    targets = _targets(triples, week, last_week, households, seed)
    known = receipts.loc[receipts["week"] <= week]
    histories = _histories(journey, week, {h for h, place in row.items() if place in targets})
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
        baskets=[Basket(names[p], histories[names[p]], owned[p], target) for p, target in targets.items()],
    )


def _targets(
    triples: NDArray[np.int64], week: int, last_week: int, households: int, seed: int
) -> dict[int, NDArray[np.int64]]:
    """Sample households; returns the columns bought in the first active week after the freeze, by household row."""
    by_household: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for household, product, when in triples.tolist():
        by_household[household][when].append(product)
    targets = {}
    for household, purchases in by_household.items():
        active = sorted(purchases)
        after = bisect_right(active, week)
        if 0 < after < len(active) and active[after] <= last_week:
            targets[household] = np.asarray(purchases[active[after]])
    rows = np.asarray(sorted(targets))
    if len(rows) > households:
        rows = np.sort(np.random.default_rng(seed).choice(rows, households, replace=False))
    return {int(row): targets[int(row)] for row in rows}


def _histories(journey: Journey, week: int, households: set[int]) -> dict[int, ShopperHistory]:
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
    """Means over households for all and for new targets, and the number of households with such targets."""

    recall: float
    ndcg: float
    recall_new: float
    ndcg_new: float
    households: int
    households_new: int


def ranking_scores(task: NextBasket, scores: Floats) -> RankingScores:
    """Evaluate scores `(n_baskets, n_products)`; higher scores rank first, ties by column."""
    every, new = [], []
    for basket, row in zip(task.baskets, scores, strict=True):
        every.append(_recall_ndcg(row, basket.target))
        new_target = basket.target[~basket.bought[basket.target]]
        if len(new_target):
            new.append(_recall_ndcg(np.where(basket.bought, -np.inf, row), new_target))
    all_mean, new_mean = np.mean(every, axis=0), np.mean(new, axis=0)
    return RankingScores(
        float(all_mean[0]), float(all_mean[1]), float(new_mean[0]), float(new_mean[1]), len(every), len(new)
    )


def recalls(task: NextBasket, scores: Floats) -> Floats:
    """Compute Recall@20 of each basket, `(n_baskets,)`, in order of household numbers."""
    return np.asarray([_recall_ndcg(row, b.target)[0] for b, row in zip(task.baskets, scores, strict=True)], np.float64)


def _recall_ndcg(scores: Floats, target: NDArray[np.int64]) -> tuple[float, float]:
    ranked = np.argsort(-scores, kind="stable")[:RECALL_AT]
    hit = np.isin(ranked, target)
    discount = 1 / np.log2(np.arange(2, NDCG_AT + 2))
    ideal = discount[: min(NDCG_AT, len(target))].sum()
    return float(hit.sum() / len(target)), float((hit[:NDCG_AT] * discount).sum() / ideal)


def decayed_counts(task: NextBasket, half_life_weeks: float) -> Floats:
    """Count purchase weeks per household, weighted `0.5 ** (age / half_life_weeks)`; `(n_baskets, n_products)`."""
    counts = np.zeros((task.n_households, len(task.products)))
    age = task.week - task.purchases[:, 2]
    np.add.at(counts, (task.purchases[:, 0], task.purchases[:, 1]), 0.5 ** (age / half_life_weeks))
    return np.asarray(counts[task.rows()], np.float64)


def freeze_week(task: NextBasket) -> int:
    """Week number of the freeze in the sense of `models.shopper.weeks`."""
    return week_of(task.at_s)


def names(task: NextBasket) -> Sequence[str]:
    """Product ids of the candidates."""
    return [str(product) for product in task.products]
