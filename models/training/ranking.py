"""Training of the ranking head on households' next baskets.

A softmax over all candidates, and half as much a softmax over the candidates never bought before, since the first is
mostly about habit. Affinities come from item states fitted before the first example, so that they cannot know it.
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
from models.training.item_affinity import TasteTrainingConfig, compress, item_weights


@dataclass(frozen=True, slots=True)
class RankingTrainingConfig:
    """Freeze weeks, the share of households taken at each, and how the head is trained."""

    first_freeze: int = 26
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
    """Ragged arrays: `*_at` are offsets; items and categories are positions among the candidates' own."""

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


class _Walk:
    """Folds histories week by week and takes an example where a household comes back soon."""

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
            if week >= self._config.first_freeze:
                self._freeze(int(week), float(lines["at_s"].max()) + 1, histories, visits)
        return self.examples

    def _visits(self) -> dict[int, dict[int, list[int]]]:
        receipts = self._demo.journey.receipts
        mine = receipts.loc[receipts["product_id"].isin(self.products) & (receipts["week"] <= self._config.last_week)]
        found: dict[int, dict[int, list[int]]] = defaultdict(dict)
        for (household, week), lines in mine.groupby(["household_id", "week"], sort=True):
            found[int(household)][int(week)] = [self._column[str(p)] for p in lines["product_id"].unique()]
        return found

    def _freeze(
        self, week: int, at_s: float, histories: dict[int, ShopperHistory], visits: dict[int, dict[int, list[int]]]
    ) -> None:
        for household, own in visits.items():
            weeks = list(own)
            after = bisect_right(weeks, week)
            if household not in histories or after >= len(weeks) or weeks[after] > week + self._config.within_weeks:
                continue
            if self._rng.random() < self._config.keep:
                self._take(household, week, at_s, histories[household], own[weeks[after]])

    def _take(self, household: int, week: int, at_s: float, history: ShopperHistory, target: list[int]) -> None:
        e = self.examples
        e.household.append(self._demo.household_row[household])
        e.week.append(week)
        for product, tally in history.products.items():
            if product in self._column:
                e.item.append(self._column[product])
                e.item_pair.append(pair_features(tally, at_s))
        for name, tally in history.categories.items():
            if name in self._category_column:
                e.category.append(self._category_column[name])
                e.category_pair.append(pair_features(tally, at_s))
        e.target += target
        for offsets, values in ((e.item_at, e.item), (e.category_at, e.category), (e.target_at, e.target)):
            offsets.append(len(values))


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
    """One batch: household-week rows, and the ragged parts as (batch row, position, pair features)."""

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
    def __init__(self, walk: _Walk, demo: DemoPanel, taste: TasteTrainingConfig, first: int) -> None:
        e = walk.examples
        self._e = {name: np.asarray(getattr(e, name)) for name in ("household", "week", "item", "category", "target")}
        self._at = {name: np.asarray(getattr(e, f"{name}_at")) for name in ("item", "category", "target")}
        self._pair = {name: np.asarray(getattr(e, f"{name}_pair"), np.float32) for name in ("item", "category")}
        n = len(walk.products)
        small = compress(item_weights(demo.purchases.owned(first + 1), taste.ridge), taste)
        near = np.zeros((n, len(small.given)), np.float32)
        np.put_along_axis(near, small.near[:n].astype(np.int64), small.near_weight[:n], axis=1)
        self._affinity = np.zeros((len(self), n), np.float32)
        for week in np.unique(self._e["week"]).tolist():
            mine = np.flatnonzero(self._e["week"] == week)
            owned = demo.purchases.owned(week + 1)[self._e["household"][mine]]
            total = (owned @ small.given) @ small.wanted[:n].T + owned @ near.T
            self._affinity[mine] = log_affinity(total.astype(np.float32))
        receipts = demo.journey.receipts
        ends = receipts.groupby("week")["at_s"].max()
        rows = [demo.weeks.rows[str(product)] for product in walk.products]
        self._popularity = {
            w: np.log(demo.weeks.facts(week_of(float(ends[w]) + 1)).share[rows] + 1e-6).astype(np.float32)
            for w in np.unique(self._e["week"]).tolist()
        }

    def __len__(self) -> int:
        return len(self._e["household"])

    def batch(self, rows: NDArray[np.int64]) -> _Batch:
        popularity = np.stack([self._popularity[int(w)] for w in self._e["week"][rows]])
        parts: dict[str, Tensor] = {}
        for name, at in self._at.items():
            spans = [np.arange(at[row], at[row + 1]) for row in rows]
            places = np.concatenate(spans)
            parts[name] = torch.from_numpy(self._e[name][places])
            parts[f"{name}_row"] = torch.from_numpy(np.repeat(np.arange(len(rows)), [len(s) for s in spans]))
            if name in self._pair:
                parts[f"{name}_pair"] = torch.from_numpy(self._pair[name][places])
        return _Batch(torch.from_numpy(self._affinity[rows]), torch.from_numpy(popularity), **parts)


def train_ranking(
    demo: DemoPanel, taste: TasteTrainingConfig, config: RankingTrainingConfig
) -> tuple[RankingHead, float]:
    """Fit the head on the demo's candidates; returns head and last loss."""
    walk = _Walk(demo, config)
    walk.run()
    batches = _Batches(walk, demo, taste, config.first_freeze)
    category_of = torch.tensor([walk.categories.index(demo.product_category[p]) for p in walk.products])
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
    fresh = ~owned[hit]
    if not bool(fresh.any()):
        return everything
    among_new = logits.masked_fill(owned, -1e9).log_softmax(1)[hit][fresh]
    return everything - config.new_share * (among_new * weight[fresh]).sum() / weight[fresh].sum()


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
