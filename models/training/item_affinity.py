"""Training of the item factors: a low-rank plus sparse approximation of EASE, extended to products without purchases.

The item-item weights are EASE's closed form (Steck 2019), `B = I - P / diag(P)` with `P = (X'X + ridge)^-1` and a zero
diagonal. Its leading singular vectors become the item factors, the largest residuals become `near`. For panel rows,
weights are fitted on earlier weeks only (`walk_forward`), since weights fitted on a purchase would leak it.
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
    """Hyperparameters of the item factors.

    Attributes:
        items: Number of products with factors. `rank`: length of a factor. `near`: sparse weights per product.
        ridge, text_ridge: Regularisation of the item-item and of the text regression.
        refit_weeks: Interval between fits of `walk_forward`.
    """

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
    """Purchases, `(n,)` each; `item` indexes the vocabulary `ids`."""

    ids: list[str]
    household: Ints
    item: Ints
    week: Ints
    n_households: int

    def owned(self, before_week: int) -> Matrix:
        """Flag the items bought before a week, `(n_households, n_items)` of 0 and 1."""
        early = self.week < before_week
        matrix = np.zeros((self.n_households, len(self.ids)), np.float32)
        matrix[self.household[early], self.item[early]] = 1.0
        return matrix


def vocabulary(always: Sequence[int], product: Ints, household: Ints, items: int) -> list[int]:
    """Choose the vocabulary: `always`, then the products bought by most households; pass training rows only."""
    pairs = np.unique(np.stack([product, household], axis=1), axis=0)[:, 0]
    found, count = np.unique(pairs, return_counts=True)
    ranked = found[np.lexsort((found, -count))].tolist()
    return list(dict.fromkeys([*always, *ranked]))[: max(len(always), items)]


def item_weights(owned: Matrix, ridge: float) -> Matrix:
    """Compute EASE weights `(n_items, n_items)` with a zero diagonal."""
    gram = (owned.T @ owned).astype(np.float64)
    gram[np.diag_indices_from(gram)] += ridge
    inverse = np.linalg.inv(gram)
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return np.asarray(weights, np.float32)


@dataclass(frozen=True, slots=True)
class _Factors:
    """Low-rank factors plus sparse residuals of the weights, whose column i predicts item i."""

    given: Matrix
    wanted: Matrix
    near: NDArray[np.int32]
    near_weight: Matrix

    def totals(self, owned: Matrix, states: Matrix, items: Ints) -> Matrix:
        """Sum the weights of households' `owned` `(n, n_items)` and `states` `(n, rank)` for one item each, `(n,)`."""
        near = np.take_along_axis(owned, self.near[items].astype(np.int64), axis=1)
        return np.asarray((states * self.wanted[items]).sum(1) + (near * self.near_weight[items]).sum(1), np.float32)


def factorise(weights: Matrix, config: TasteTrainingConfig) -> _Factors:
    """Compute the best low-rank approximation and each item's largest residuals."""
    torch.manual_seed(config.seed)
    rank = min(config.rank, len(weights))
    left, size, right = torch.svd_lowrank(torch.from_numpy(weights), q=min(rank + 32, len(weights)), niter=4)
    root = size[:rank].sqrt()
    given, wanted = (left[:, :rank] * root).numpy(), (right[:, :rank] * root).numpy()
    residual = weights - given @ wanted.T
    np.fill_diagonal(residual, -(given * wanted).sum(1))  # a product does not predict itself
    kept = min(config.near, len(weights))
    magnitude = np.abs(residual)
    np.fill_diagonal(magnitude, np.inf)
    near = np.argpartition(-magnitude, kept - 1, axis=0)[:kept]
    return _Factors(given, wanted, near.T.astype(np.int32), np.take_along_axis(residual, near, axis=0).T.copy())


def fit_taste(purchases: Purchases, text_states: Matrix, config: TasteTrainingConfig) -> Taste:
    """Fit item factors to purchases up to the last training week; `text_states` are `(n_items, dim)`."""
    factors = factorise(item_weights(purchases.owned(config.last_week + 1), config.ridge), config)
    states = text_states.astype(np.float64)
    gram = states.T @ states + config.text_ridge * np.eye(states.shape[1])
    text_wanted = np.linalg.solve(gram, states.T @ factors.wanted).astype(np.float32)
    rows = {product: row for row, product in enumerate(purchases.ids)}
    return Taste(rows, factors.given, factors.wanted, factors.near, factors.near_weight, text_wanted)


def walk_forward(
    purchases: Purchases,
    rows: tuple[Ints, Ints, Ints],
    config: TasteTrainingConfig,
    on_week: Callable[[int], None] | None = None,
) -> Matrix:
    """Compute log affinities `(n,)` of rows (household, item, week) from weights and purchases of earlier weeks only.

    Weights are refitted every `refit_weeks`, the last time on all training weeks.
    """
    household, item, week = rows
    found = np.zeros(len(household), np.float32)
    factors: _Factors | None = None
    for now in np.unique(week).tolist():
        owned = purchases.owned(now)
        due = now <= config.last_week and (now - config.first_week) % config.refit_weeks == 0
        if factors is None or due or now == config.last_week + 1:
            known = purchases.owned(min(now, config.last_week + 1))
            factors = factorise(item_weights(known, config.ridge), config)
        states = owned @ factors.given
        current = np.flatnonzero(week == now)
        for block in np.array_split(current, 1 + len(current) // 4096):
            who = household[block]
            found[block] = log_affinity(factors.totals(owned[who], states[who], item[block]))
        if on_week is not None:
            on_week(now)
    return found
