"""Training of the ranking head on households' next baskets.

The loss is a softmax over all candidates, plus `new_share` times a softmax over candidates never bought before, since
repeat purchases dominate the former. Item factors are fitted before the first example, so that no target leaks.
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.arrays import Floats
from models.shopper.features import PAIR_FEATURES, pair_features
from models.shopper.history import Act, ShopperHistory
from models.shopper.item_affinity import log_affinity
from models.shopper.ranking import RankingHead
from models.shopper.weeks import week_of
from models.training.demo_panel import DemoPanel
from models.training.item_affinity import TasteTrainingConfig, factorise, item_weights


@dataclass(frozen=True, slots=True)
class RankingTrainingConfig:
    """Hyperparameters of the ranking head.

    Attributes:
        first_snapshot, last_week: Weeks at whose end examples are taken.
        within_weeks: The next basket must follow within so many weeks.
        keep: Share of the examples kept.
        new_share: Weight of the loss over candidates never bought before.
        basket_power: An example of n products has weight n ** -basket_power per product.
    """

    first_snapshot: int = 26
    last_week: int = 40
    within_weeks: int = 4
    keep: float = 1.0
    hidden: int = 32
    epochs: int = 20
    batch: int = 128
    learning_rate: float = 3e-3
    new_share: float = 0.2
    basket_power: float = 0.5
    seed: int = 17


@dataclass(slots=True)
class Examples:
    """Examples as ragged arrays: `*_at` are offsets, items and categories are indices among the candidates."""

    household: list[int] = field(default_factory=list)
    week: list[int] = field(default_factory=list)
    item: list[int] = field(default_factory=list)
    item_pair: list[tuple[float, ...]] = field(default_factory=list)
    item_at: list[int] = field(default_factory=lambda: [0])
    category: list[int] = field(default_factory=list)
    category_pair: list[tuple[float, ...]] = field(default_factory=list)
    category_at: list[int] = field(default_factory=lambda: [0])
    target: list[int] = field(default_factory=list)
    target_at: list[int] = field(default_factory=lambda: [0])


class _ExampleBuilder:
    """Updates histories week by week and adds an example where a household returns soon."""

    def __init__(self, demo: DemoPanel, config: RankingTrainingConfig) -> None:
        self._demo = demo
        self._config = config
        self.products = demo.products[: demo.n_candidates]
        self._column = {str(product): place for place, product in enumerate(self.products)}
        self.categories = sorted({demo.product_category[product] for product in self.products})
        self._category_column = {name: place for place, name in enumerate(self.categories)}
        self._rng = np.random.default_rng(config.seed)
        self.examples = Examples()

    def run(self) -> Examples:
        receipts = self._demo.journey.receipts
        labels = self._demo.journey.products.set_index("product_id")[["category", "brand"]]
        category, brand = labels["category"].to_dict(), labels["brand"].to_dict()
        visits = self._visits()
        histories: dict[int, ShopperHistory] = defaultdict(ShopperHistory)
        early = receipts.loc[receipts["week"] < self._config.last_week]
        for week, lines in early.groupby("week", sort=True):
            for line in lines.itertuples(index=False):
                product = int(line.product_id)
                ratio = float(line.paid / line.regular) if line.regular > 0 else 1.0
                act = Act("purchase", float(line.at_s), str(product), category[product], brand[product], ratio)
                histories[int(line.household_id)].observe(act)
            if week >= self._config.first_snapshot:
                self._snapshot(int(week), float(lines["at_s"].max()) + 1, histories, visits)
        return self.examples

    def _visits(self) -> dict[int, dict[int, list[int]]]:
        receipts = self._demo.journey.receipts
        lines_of = receipts.loc[
            receipts["product_id"].isin(self.products) & (receipts["week"] <= self._config.last_week)
        ]
        found: dict[int, dict[int, list[int]]] = defaultdict(dict)
        for (household, week), lines in lines_of.groupby(["household_id", "week"], sort=True):
            found[int(household)][int(week)] = [self._column[str(p)] for p in lines["product_id"].unique()]
        return found

    def _snapshot(
        self, week: int, at_s: float, histories: dict[int, ShopperHistory], visits: dict[int, dict[int, list[int]]]
    ) -> None:
        for household, own in visits.items():
            weeks = list(own)
            after = bisect_right(weeks, week)
            if household not in histories or after >= len(weeks) or weeks[after] > week + self._config.within_weeks:
                continue
            if self._rng.random() < self._config.keep:
                self._add_example(household, week, at_s, histories[household], own[weeks[after]])

    def _add_example(self, household: int, week: int, at_s: float, history: ShopperHistory, target: list[int]) -> None:
        examples = self.examples
        examples.household.append(self._demo.household_row[household])
        examples.week.append(week)
        for product, tally in history.products.items():
            if product in self._column:
                examples.item.append(self._column[product])
                examples.item_pair.append(pair_features(tally, at_s))
        for name, tally in history.categories.items():
            if name in self._category_column:
                examples.category.append(self._category_column[name])
                examples.category_pair.append(pair_features(tally, at_s))
        examples.target += target
        examples.item_at.append(len(examples.item))
        examples.category_at.append(len(examples.category))
        examples.target_at.append(len(examples.target))


class _Net(nn.Module):
    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.affinity = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.popularity = nn.Parameter(torch.tensor([0.5, 0.5]))
        self.product = _network(hidden, 1)
        self.category = _network(hidden, 2)


def _network(hidden: int, outputs: int) -> nn.Sequential:
    size = len(PAIR_FEATURES)
    return nn.Sequential(
        nn.Linear(size, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), nn.Linear(hidden, outputs)
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch: household-week rows, and the ragged parts as (batch row, index, pair features)."""

    affinity: Tensor  # (n, n_products)
    popularity: Tensor  # (n, n_products)
    item_row: Tensor
    item: Tensor
    item_pair: Tensor
    category_row: Tensor
    category: Tensor
    category_pair: Tensor
    target_row: Tensor
    target: Tensor


class _Batches:
    def __init__(self, builder: _ExampleBuilder, demo: DemoPanel, taste: TasteTrainingConfig, first: int) -> None:
        examples = builder.examples
        names = ("household", "week", "item", "category", "target")
        self._columns = {name: np.asarray(getattr(examples, name)) for name in names}
        self._at = {name: np.asarray(getattr(examples, f"{name}_at")) for name in ("item", "category", "target")}
        self._pair = {name: np.asarray(getattr(examples, f"{name}_pair"), np.float32) for name in ("item", "category")}
        n = len(builder.products)
        factors = factorise(item_weights(demo.purchases.owned(first + 1), taste.ridge), taste)
        near = np.zeros((n, len(factors.given)), np.float32)
        np.put_along_axis(near, factors.near[:n].astype(np.int64), factors.near_weight[:n], axis=1)
        self._affinity = np.zeros((len(self), n), np.float32)
        for week in np.unique(self._columns["week"]).tolist():
            current = np.flatnonzero(self._columns["week"] == week)
            owned = demo.purchases.owned(week + 1)[self._columns["household"][current]]
            total = (owned @ factors.given) @ factors.wanted[:n].T + owned @ near.T
            self._affinity[current] = log_affinity(total.astype(np.float32))
        receipts = demo.journey.receipts
        ends = receipts.groupby("week")["at_s"].max()
        rows = [demo.weeks.rows[str(product)] for product in builder.products]
        self._popularity = {
            w: np.log(demo.weeks.facts(week_of(float(ends[w]) + 1)).share[rows] + 1e-6).astype(np.float32)
            for w in np.unique(self._columns["week"]).tolist()
        }

    def __len__(self) -> int:
        return len(self._columns["household"])

    def batch(self, rows: NDArray[np.int64]) -> _Batch:
        popularity = np.stack([self._popularity[int(w)] for w in self._columns["week"][rows]])
        parts: dict[str, Tensor] = {}
        for name, at in self._at.items():
            spans = [np.arange(at[row], at[row + 1]) for row in rows]
            places = np.concatenate(spans)
            parts[name] = torch.from_numpy(self._columns[name][places])
            parts[f"{name}_row"] = torch.from_numpy(np.repeat(np.arange(len(rows)), [len(s) for s in spans]))
            if name in self._pair:
                parts[f"{name}_pair"] = torch.from_numpy(self._pair[name][places])
        return _Batch(torch.from_numpy(self._affinity[rows]), torch.from_numpy(popularity), **parts)


def train_ranking(
    demo: DemoPanel, taste: TasteTrainingConfig, config: RankingTrainingConfig
) -> tuple[RankingHead, float]:
    """Fit the head on the demo panel's candidates; returns the head and the last loss."""
    builder = _ExampleBuilder(demo, config)
    builder.run()
    batches = _Batches(builder, demo, taste, config.first_snapshot)
    category_of = torch.tensor([builder.categories.index(demo.product_category[p]) for p in builder.products])
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    net = _Net(config.hidden)
    steps = config.epochs * (len(batches) // config.batch)
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=max(2, steps + 1))
    loss_value = 0.0
    for _ in range(config.epochs):
        order = rng.permutation(len(batches))
        for start in range(0, len(order) - config.batch + 1, config.batch):
            loss = _loss(net, batches.batch(order[start : start + config.batch]), category_of, config)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            loss_value = float(loss.detach())
    return _to_head(net), loss_value


def _loss(net: _Net, batch: _Batch, category_of: Tensor, config: RankingTrainingConfig) -> Tensor:
    n = len(batch.affinity)
    by_category = torch.zeros(n, int(category_of.max()) + 1, 2)
    by_category = by_category.index_put((batch.category_row, batch.category), net.category(batch.category_pair))
    spread = by_category[:, category_of]  # (n, n_products, 2)
    new, own = (
        net.affinity[kind] * batch.affinity + net.popularity[kind] * batch.popularity + spread[:, :, kind]
        for kind in (0, 1)
    )
    at = (batch.item_row, batch.item)
    owned = torch.zeros(new.shape, dtype=torch.bool).index_put(at, torch.ones(len(batch.item), dtype=torch.bool))
    logits = torch.where(owned, own, new).index_put(at, net.product(batch.item_pair).squeeze(1), accumulate=True)
    weight = torch.bincount(batch.target_row, minlength=n).float()[batch.target_row] ** -config.basket_power
    hit = (batch.target_row, batch.target)
    everything = -(logits.log_softmax(1)[hit] * weight).sum() / weight.sum()
    new_items = ~owned[hit]
    if not bool(new_items.any()):
        return everything
    among_new = logits.masked_fill(owned, -1e9).log_softmax(1)[hit][new_items]
    return everything - config.new_share * (among_new * weight[new_items]).sum() / weight[new_items].sum()


def _to_head(net: _Net) -> RankingHead:
    def layers(network: nn.Sequential) -> tuple[tuple[Floats, Floats], ...]:
        return tuple(
            (layer.weight.detach().numpy().T.astype(np.float64), layer.bias.detach().numpy().astype(np.float64))
            for layer in network
            if isinstance(layer, nn.Linear)
        )

    return RankingHead(
        net.affinity.detach().numpy().astype(np.float64),
        net.popularity.detach().numpy().astype(np.float64),
        layers(net.product),
        layers(net.category),
    )
