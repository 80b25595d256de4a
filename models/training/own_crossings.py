"""Products of effects: what a profile or a situation means for one product or category and not for others.

Most shops have far more pairs of words than rows to tell them apart. So a pair of groups (such as product and
`profile.loyalty`) enters only where Rao's score test (1948) on the model without it finds more than chance allows, the
clearest first, as long as the joint covariance has room.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Floats
from models.evaluator.lesson import CROSSED
from models.training.factored_matrix import FactoredMatrix
from models.training.own_rows import EffectColumns

LEFT: Final = ("product", "product.category")
RIGHT: Final = ("profile.", "context.", "purchase_history.", "offers.")
SD: Final = (0.5, 0.3)  # prior, of level and slope
_FINE: Final = "@0.5"  # basis functions that are left out: coarse ones have a quarter as many
_LEAST_ROWS: Final = 20
_SIGNIFICANT: Final = 4.0  # standard deviations of a chi-square above its mean


@dataclass(frozen=True, slots=True)
class Scores:
    """Derivatives of the log likelihood by each row's logit: gradient, curvature, and of the logit by the slope."""

    residual: Floats
    curvature: Floats
    steep: Floats


@dataclass(frozen=True, slots=True)
class _Pair:
    name: str
    columns: list[str]
    values: sparse.csr_matrix
    excess: float


def with_crossings(columns: EffectColumns, rows: NDArray[np.int64], scores: Scores, room: int) -> EffectColumns:
    """Add the products of groups that the score test finds, at most `room` columns.

    Args:
        columns: Effects of all rows.
        rows: The rows that `scores` are of.
        scores: Of the fitted model without products.
        room: Largest number of columns added.
    """
    found = sorted(_candidates(columns, rows, scores, room), key=lambda pair: -pair.excess)
    kept: list[_Pair] = []
    for pair in found:
        if pair.excess > _SIGNIFICANT and sum(len(one.columns) for one in (*kept, pair)) <= room:
            kept.append(pair)
    for pair in kept:
        columns = columns.with_group(pair.name, pair.columns, FactoredMatrix.of_columns(pair.values), SD)
    return columns


def _candidates(columns: EffectColumns, rows: NDArray[np.int64], scores: Scores, room: int) -> Iterator[_Pair]:
    for left in LEFT:
        if left not in columns.groups:
            continue
        ours = np.flatnonzero(columns.group == columns.groups.index(left))
        for place, right in enumerate(columns.groups):
            theirs = np.flatnonzero(columns.group == place)
            if not right.startswith(RIGHT) or right.endswith(_FINE) or CROSSED in right:
                continue
            if len(ours) > 1 and len(theirs) > 1 and len(ours) * len(theirs) <= room:
                yield _pair(columns, (left, ours), (right, theirs), rows, scores)


def _pair(
    columns: EffectColumns,
    left: tuple[str, NDArray[np.int64]],
    right: tuple[str, NDArray[np.int64]],
    rows: NDArray[np.int64],
    scores: Scores,
) -> _Pair:
    ours, theirs = (columns.values.columns(side[1]).to_sparse() for side in (left, right))
    products = [ours.multiply(theirs[:, [place]]) for place in range(theirs.shape[1])]
    values = sparse.hstack(products).tocsr()
    names = [f"{columns.names[a]}{CROSSED}{columns.names[b]}" for b in right[1].tolist() for a in left[1].tolist()]
    seen = np.asarray((values[rows] != 0).sum(axis=0)).ravel() >= _LEAST_ROWS
    values = values[:, seen]
    return _Pair(
        name=f"{left[0]}{CROSSED}{right[0]}",
        columns=[name for name, kept in zip(names, seen.tolist(), strict=True) if kept],
        values=values,
        excess=max(_excess(values[rows], scores, by) for by in (np.ones(len(rows)), scores.steep)),
    )


def _excess(values: sparse.csr_matrix, scores: Scores, by: Floats) -> float:
    """Standard deviations by which the score statistic of level (`by` 1) or slope exceeds that of chance."""
    if not values.shape[1]:
        return 0.0
    gradient = values.T @ (by * scores.residual)
    information = values.multiply(values).T @ (by**2 * scores.curvature)
    statistic = float((gradient**2 / np.maximum(1e-9, information)).sum())
    count = values.shape[1]
    return float((statistic - count) / np.sqrt(2.0 * count))
