"""Evidence: past outcomes of similar offers, found by keys of shopper and product, as features of the evaluator."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.shopper.history import RecentItems

EVIDENCE: Final = ("evidence_logit", "evidence_weight", "evidence_similarity", "evidence_bought_ratio")
KEY_DIM: Final = 48
SHOPPER_SHARE: Final = 0.7


def item_states(
    recents: Sequence[RecentItems], states_of: Callable[[Sequence[str]], NDArray[np.float32]]
) -> NDArray[np.float32]:
    """Average the states of shoppers' latest items by recency, scaled to unit length `(n, dim)`; zeros when none.

    `states_of` returns the states of products `(n, dim)`, zeros for unknown ones.
    """
    distinct = {id(recent): recent for recent in recents}
    names = {product: row for row, product in enumerate({p: None for r in distinct.values() for p in r.products})}
    known = states_of(list(names))
    rows_of = {key: row for row, key in enumerate(distinct)}
    states = np.zeros((len(distinct), known.shape[1]), np.float32)
    for row, recent in enumerate(distinct.values()):
        if recent.products:
            states[row] = np.asarray(recent.weights, np.float32) @ known[[names[p] for p in recent.products]]
    rows = [rows_of[id(recent)] for recent in recents]
    return np.asarray(_unit(states)[rows], np.float32).reshape(-1, known.shape[1])


def memory_keys(items: NDArray[np.float32], product: NDArray[np.float32], projection: Floats) -> NDArray[np.float32]:
    """Compute unit keys `(n, 2 * KEY_DIM)` of outcomes: product state, and item state weighted by `SHOPPER_SHARE`."""
    left = _unit(product @ projection)
    right = SHOPPER_SHARE * _unit(items @ projection)
    return np.asarray(_unit(np.concatenate([left, right], axis=1)), np.float32)


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Outcomes retrieved for a batch, `(n, k)` each; missing ones have weight and similarity 0.

    Attributes:
        weight: Inverse sampling rate of each outcome.
        count: Number of outcomes found, `(n,)`.
    """

    bought: Floats
    weight: Floats
    similarity: Floats
    price_ratio: Floats
    count: NDArray[np.int64]

    @classmethod
    def of(cls, found: Sequence[Sequence[tuple[float, float, float, float]]]) -> "Neighbours":
        """Build from one list of (bought, weight, similarity, price ratio) per row."""
        count = np.asarray([len(outcomes) for outcomes in found], np.int64)
        columns = np.zeros((4, len(found), max(1, int(count.max(initial=0)))))
        columns[3] = 1.0
        for row, outcomes in enumerate(found):
            if outcomes:
                columns[:, row, : len(outcomes)] = np.asarray(outcomes).T
        return cls(columns[0], columns[1], columns[2], columns[3], count)


def evidence_matrix(found: Neighbours, base_rate: float) -> NDArray[np.float32]:
    """Summarise retrieved outcomes as features `(n, len(EVIDENCE))`, zeros where nothing was found.

    The features are the shrunk log odds of purchase less those of the base rate, log(1 + total weight), mean
    similarity, and the mean log price ratio of purchases. Weights are multiplied by similarity to the fourth power.
    """
    mass = found.weight * np.maximum(found.similarity, 0.0) ** 4
    sold = mass * found.bought
    total, bought = mass.sum(axis=1), sold.sum(axis=1)
    prior = 1.0 / base_rate
    rate = (bought + prior * base_rate) / (total + prior)
    with np.errstate(divide="ignore"):
        logit = np.where(rate < 1, np.log(rate / (1 - rate)) - np.log(base_rate / (1 - base_rate)), 3.0)
    ratio = (sold * np.log(np.clip(found.price_ratio, 0.2, 3.0))).sum(axis=1) / np.where(bought > 0, bought, 1.0)
    similarity = found.similarity.sum(axis=1) / np.maximum(1, found.count)
    columns = np.stack([logit, np.log1p(total), similarity, ratio], axis=1)
    return np.where(found.count[:, None] > 0, columns, 0.0).astype(np.float32)


def _unit(vectors: Floats | NDArray[np.float32]) -> Floats:
    return np.asarray(vectors / np.maximum(1e-9, np.linalg.norm(vectors, axis=1, keepdims=True)))
