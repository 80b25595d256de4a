"""Training of item states: a linear item-item model, made small, with a way in for products without purchases.

The item-item weights are EASE's closed form (Steck 2019), `B = I - P / diag(P)` with `P = (X'X + ridge)^-1`, zero on
the diagonal. Its leading singular directions become the item states, the largest weights that they miss become `near`.
Rows of a panel get the affinity of weights that were fitted before them (`walk_forward`): weights fitted on a purchase
know of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from models.shopper.item_affinity import Taste, log_affinity

Ints = NDArray[np.int64]
Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TasteTrainingConfig:
    """Vocabulary, length of a state, near items, ridge of the item-item and of the text regression, refit interval."""

    items: int = 4000
    rank: int = 128
    near: int = 32
    ridge: float = 500.0
    text_ridge: float = 30.0
    refit_weeks: int = 8
    first_week: int = 9
    last_week: int = 40
    seed: int = 17


@dataclass(frozen=True, slots=True)
class Purchases:
    """Who bought what when, `(n,)` each; `item` is a row of the vocabulary `ids`."""

    ids: list[str]
    household: Ints
    item: Ints
    week: Ints
    n_households: int

    def owned(self, before_week: int) -> Matrix:
        """Who had bought what before a week, `(n_households, n_items)` of 0 and 1."""
        early = self.week < before_week
        matrix = np.zeros((self.n_households, len(self.ids)), np.float32)
        matrix[self.household[early], self.item[early]] = 1.0
        return matrix


def vocabulary(always: Sequence[int], product: Ints, household: Ints, items: int) -> list[int]:
    """The products with a state: `always`, then those that most households bought; arrays hold training rows only."""
    pairs = np.unique(np.stack([product, household], axis=1), axis=0)[:, 0]
    found, count = np.unique(pairs, return_counts=True)
    ranked = found[np.lexsort((found, -count))].tolist()
    return list(dict.fromkeys([*always, *ranked]))[: max(len(always), items)]


def item_weights(owned: Matrix, ridge: float) -> Matrix:
    """EASE weights `(n_items, n_items)`, zero diagonal."""
    gram = (owned.T @ owned).astype(np.float64)
    gram[np.diag_indices_from(gram)] += ridge
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return np.asarray(weights, np.float32)


@dataclass(frozen=True, slots=True)
class _Small:
    """Weights as low-rank states plus the `near` residual; column i of the weights is what speaks for item i."""

    given: Matrix
    wanted: Matrix
    near: NDArray[np.int32]
    near_weight: Matrix

    def totals(self, owned: Matrix, states: Matrix, items: Ints) -> Matrix:
        """Sums for households' `owned` `(n, n_items)` and `states` `(n, rank)`, pair by pair with items `(n,)`."""
        near = np.take_along_axis(owned, self.near[items].astype(np.int64), axis=1)
        return np.asarray((states * self.wanted[items]).sum(1) + (near * self.near_weight[items]).sum(1), np.float32)


def compress(weights: Matrix, config: TasteTrainingConfig) -> _Small:
    """The best low-rank approximation, and each item's largest misses."""
    torch.manual_seed(config.seed)
    rank = min(config.rank, len(weights))
    left, size, right = torch.svd_lowrank(torch.from_numpy(weights), q=min(rank + 32, len(weights)), niter=4)
    root = size[:rank].sqrt()
    given, wanted = (left[:, :rank] * root).numpy(), (right[:, :rank] * root).numpy()
    missed = weights - given @ wanted.T
    np.fill_diagonal(missed, -(given * wanted).sum(1))  # a product never speaks for itself
    kept = min(config.near, len(weights))
    size_of_miss = np.abs(missed)
    np.fill_diagonal(size_of_miss, np.inf)
    near = np.argpartition(-size_of_miss, kept - 1, axis=0)[:kept]
    return _Small(given, wanted, near.T.astype(np.int32), np.take_along_axis(missed, near, axis=0).T.copy())


def fit_taste(purchases: Purchases, text_states: Matrix, config: TasteTrainingConfig) -> Taste:
    """Item states from purchases up to the last training week; `text_states` `(n_items, 384)`."""
    small = compress(item_weights(purchases.owned(config.last_week + 1), config.ridge), config)
    states = text_states.astype(np.float64)
    gram = states.T @ states + config.text_ridge * np.eye(states.shape[1])
    text_wanted = np.linalg.solve(gram, states.T @ small.wanted).astype(np.float32)
    rows = {product: row for row, product in enumerate(purchases.ids)}
    return Taste(rows, small.given, small.wanted, small.near, small.near_weight, text_wanted)


def walk_forward(
    purchases: Purchases,
    rows: tuple[Ints, Ints, Ints],
    config: TasteTrainingConfig,
    on_week: Callable[[int], None] | None = None,
) -> Matrix:
    """Log affinity `(n,)` of rows (household, item, week), each from weights and purchases of earlier weeks alone.

    Weights are refitted every `refit_weeks`, for the last time on all training weeks.
    """
    household, item, week = rows
    found = np.zeros(len(household), np.float32)
    small: _Small | None = None
    for now in np.unique(week).tolist():
        owned = purchases.owned(now)
        due = now <= config.last_week and (now - config.first_week) % config.refit_weeks == 0
        if small is None or due or now == config.last_week + 1:
            known = purchases.owned(min(now, config.last_week + 1))
            small = compress(item_weights(known, config.ridge), config)
        states = owned @ small.given
        mine = np.flatnonzero(week == now)
        for block in np.array_split(mine, 1 + len(mine) // 4096):
            who = household[block]
            found[block] = log_affinity(small.totals(owned[who], states[who], item[block]))
        if on_week is not None:
            on_week(now)
    return found
