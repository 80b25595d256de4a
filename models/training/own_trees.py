"""Boosted trees beside the price logit: what its level leaves of numeric inputs, such as a history's length.

Trees are added by Newton steps on the log loss (Friedman 2001; Chen and Guestrin 2016) from the logit's own predictions
on. They move the level only: the response to the price stays the logit's, which is fitted again beside them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.boosted_trees import DEPTH, BoostedTrees
from models.evaluator.monotone import sigmoid
from models.progress import Progress
from models.training.own_kinks import Ramps
from models.training.own_logit import PriceLogit
from models.training.own_rows import Rows, Split
from models.training.own_table import OwnTable, plainest_near_best

MOST_TREES: Final = 300
RATE: Final = 0.1
PRECISION: Final = 50.0
"""Prior precision of a leaf's logit: about the information of 200 offers that are bought as often as not."""
BINS: Final = 32
_PATIENCE: Final = 20
_COUNTS: Final = 12
_GAIN: Final = 1e-7
_NEWTON: Final = 8
_SURE: Final = 2.0  # standard errors

Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class AddedTrees:
    """Trees and what they add to the level of every row, `(n,)`."""

    trees: BoostedTrees
    level: Floats

    @classmethod
    def none(cls, rows: int) -> "AddedTrees":
        """No trees."""
        return cls(BoostedTrees.none(), np.zeros(rows))


def added_trees(
    table: OwnTable, split: Split, model: tuple[PriceLogit, Ramps], progress: Progress
) -> tuple[AddedTrees, dict[str, float]]:
    """Grow trees on the training rows, and keep as few as are within one standard error of the best on later ones.

    Returns them with the mean log loss on the validation rows by number of trees.
    """
    logit, ramps = model
    numeric = np.asarray(table.rows.data.numeric)
    before = logit.logits(table.of(split.validation, ramps))
    mass = table.rows.mass(split.validation)

    def loss(added: Floats) -> float:
        return float(np.average(table.losses(split.validation, before + added), weights=mass))

    growth = _Growth.of(table, split.train, logit.logits(table.of(split.train, ramps)))
    grown = _grow(growth, numeric[split.validation], loss, progress)
    by_tree = grown.by_tree(numeric[split.validation])
    counts = np.unique(np.linspace(0, len(grown), _COUNTS + 1).round().astype(int))
    losses = [table.losses(split.validation, before + by_tree[:, :count].sum(axis=1)) for count in counts]
    kept = grown.first(int(counts[plainest_near_best(losses, mass)]))
    named = {f"{count} trees": float(np.average(one, weights=mass)) for count, one in zip(counts, losses, strict=True)}
    return AddedTrees(kept, kept.logits(numeric)), named


@dataclass(slots=True)
class _Growth:
    """Training rows while trees grow: bins of their inputs, labels, mass, and the logits so far."""

    edges: list[NDArray[np.float32]]
    codes: Codes
    bought: Floats
    mass: Floats
    logits: Floats

    @classmethod
    def of(cls, table: OwnTable, train: Rows, logits: Floats) -> "_Growth":
        """Bin the inputs of training rows at their quantiles."""
        data = table.rows.data
        numeric = np.asarray(data.numeric[train])
        edges = [_edges(column) for column in numeric.T]
        codes = np.stack([np.searchsorted(e, c).astype(np.uint8) for e, c in zip(edges, numeric.T, strict=True)])
        return cls(edges, codes, data.bought[train].astype(np.float64), table.rows.mass(train), logits)

    def next_tree(self) -> BoostedTrees:
        """Grow one tree by the largest gain of each level, and add it to the logits."""
        p = sigmoid(self.logits)
        gradient, curvature = self.mass * (self.bought - p), self.mass * p * (1 - p)
        leaf = np.zeros(len(p), np.int64)
        inputs, edges = [], []
        for level in range(DEPTH):
            column, place = self._best_split(leaf, 2**level, gradient, curvature)
            leaf = 2 * leaf + (self.codes[column] > place)
            inputs.append(column)
            edges.append(self.edges[column][place])
        g, h = (np.bincount(leaf, part, 2**DEPTH) for part in (gradient, curvature))
        leaves = RATE * g / (h + PRECISION)
        self.logits = self.logits + leaves[leaf]
        return BoostedTrees(np.asarray([inputs]), np.asarray([edges], np.float32), leaves[None])

    def _best_split(self, leaf: NDArray[np.int64], leaves: int, gradient: Floats, curvature: Floats) -> tuple[int, int]:
        """Input and edge whose split of all leaves gains most."""
        best = (-1.0, 0, 0)
        for column, edges in enumerate(self.edges):
            bins = len(edges) + 1
            if bins == 1:
                continue
            at = leaf * bins + self.codes[column]
            g, h = (
                np.bincount(at, part, leaves * bins).reshape(leaves, bins).cumsum(axis=1)
                for part in (gradient, curvature)
            )
            below = g[:, :-1] ** 2 / (h[:, :-1] + PRECISION)
            above = (g[:, -1:] - g[:, :-1]) ** 2 / (h[:, -1:] - h[:, :-1] + PRECISION)
            gain = (below + above).sum(axis=0)
            place = int(gain.argmax())
            best = max(best, (float(gain[place]), column, place), key=lambda found: found[0])
        return best[1], best[2]

    @property
    def varies(self) -> bool:
        """Some input differs between rows."""
        return any(len(edges) for edges in self.edges)


def _edges(column: NDArray[np.float32]) -> NDArray[np.float32]:
    """Values between neighbouring quantiles of a column; none if it does not vary."""
    steps = np.unique(np.quantile(column, np.linspace(0, 1, BINS + 1), method="nearest"))
    return np.asarray((steps[:-1] + steps[1:]) / 2, np.float32)


def _grow(
    growth: _Growth, validation: NDArray[np.float32], loss: Callable[[Floats], float], progress: Progress
) -> BoostedTrees:
    """Add trees until the loss on the validation rows has not fallen for `_PATIENCE`; returns those up to its least."""
    grown: list[BoostedTrees] = []
    added = np.zeros(len(validation))
    least, best = loss(added), 0
    while growth.varies and len(grown) < min(MOST_TREES, best + _PATIENCE):
        grown.append(growth.next_tree())
        added = added + grown[-1].logits(validation)
        found = loss(added)
        if found < least - _GAIN:
            least, best = found, len(grown)
        done = 0.3 + 0.6 * len(grown) / MOST_TREES
        progress(f"train: tree {len(grown)}, log loss on later outcomes {found:.4f}", done)
    if not best:
        return BoostedTrees.none()
    parts = zip(*((tree.inputs, tree.edges, tree.leaves) for tree in grown[:best]), strict=True)
    return BoostedTrees(*(np.concatenate(part) for part in parts))


def later_growth(table: OwnTable, rows: Rows, model: tuple[PriceLogit, Ramps], added: AddedTrees) -> float:
    """Logit by which predictions of later rows are surely too high, not negative.

    Histories grow while a shop keeps its log, and a model that counts them predicts more the longer they are, whether
    demand grew or not. What it is off by on later rows, it will be off by on rows later than these.
    """
    logit, ramps = model
    logits = logit.logits(table.of(rows, ramps, added.level))
    mass, bought = table.rows.mass(rows), table.rows.data.bought[rows]
    off = 0.0
    for _ in range(_NEWTON):
        p = sigmoid(logits - off)
        information = float(mass @ (p * (1 - p)))
        off += float(mass @ (p - bought)) / max(information, 1e-9)
    p = sigmoid(logits - off)
    _, shopper, size = np.unique(table.rows.data.cluster[rows], return_inverse=True, return_counts=True)
    alone = size[shopper] == 1  # a row of its own that stands for several offers counts as that many independent ones
    scores = np.bincount(shopper, (bought - p) * np.where(alone, np.sqrt(mass), mass))
    error = float(np.sqrt(scores @ scores)) / max(information, 1e-9)
    return max(0.0, off - _SURE * error)
