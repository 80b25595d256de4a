"""A merchant's outcomes as training reads them: inputs of the network, effects by name, prices, weights, times."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Floats
from models.evaluator.lesson import Term
from models.training.evaluator import EvaluatorData

Rows = NDArray[np.int64]

TRAIN_SHARE: Final = 0.7
VALIDATION_SHARE: Final = 0.15


@dataclass(frozen=True, slots=True)
class Split:
    """Rows by time: the earliest train, later ones choose, the latest are scored once."""

    train: Rows
    validation: Rows
    test: Rows

    @classmethod
    def by_time(cls, at_s: Floats) -> "Split":
        """Split at the quantiles of time; rows of one moment stay together."""
        first, second = np.quantile(at_s, [TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE])
        return cls(
            np.flatnonzero(at_s <= first),
            np.flatnonzero((at_s > first) & (at_s <= second)),
            np.flatnonzero(at_s > second),
        )

    @property
    def known(self) -> Rows:
        """Everything before the test rows."""
        return np.concatenate([self.train, self.validation])


@dataclass(frozen=True, slots=True)
class EffectColumns:
    """Which effects (`models.evaluator.online_effects.Term`) each row touches, and how strongly.

    Attributes:
        names: Of the columns. `group` `(k,)` numbers into `groups`: what shares a prior. `alone` `(k,)` as in `Term`.
        values: `(n, k)`.
        sd: `(len(groups), 2)` prior sd of level and slope before any outcome.
    """

    names: tuple[str, ...]
    groups: tuple[str, ...]
    group: NDArray[np.int64]
    alone: NDArray[np.bool_]
    values: sparse.csr_matrix
    sd: Floats


class EffectBuilder:
    """Collects the effects of rows, in any order of rows."""

    def __init__(self, n_rows: int) -> None:
        """For so many rows."""
        self._n = n_rows
        self._columns: dict[str, int] = {}
        self._groups: dict[str, int] = {}
        self._group: list[int] = []
        self._alone: list[bool] = []
        self._sd: list[tuple[float, float]] = []
        self._parts: list[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]] = []

    def add(self, rows: Sequence[int], terms: Iterable[Sequence[Term]]) -> None:
        """Effects of some rows."""
        row: list[int] = []
        column: list[int] = []
        value: list[float] = []
        for place, own in zip(rows, terms, strict=True):
            for term in own:
                row.append(place)
                column.append(self._column(term))
                value.append(term.value)
        self._parts.append((np.asarray(row, np.int32), np.asarray(column, np.int32), np.asarray(value, np.float32)))

    def columns(self) -> EffectColumns:
        """All of them."""
        parts = [np.concatenate(part) for part in zip(*self._parts, strict=True)]
        shape = (self._n, len(self._columns))
        return EffectColumns(
            names=tuple(self._columns),
            groups=tuple(self._groups),
            group=np.asarray(self._group, np.int64),
            alone=np.asarray(self._alone, bool),
            values=sparse.csr_matrix((parts[2], (parts[0], parts[1])), shape),
            sd=np.asarray(self._sd, np.float64),
        )

    def _column(self, term: Term) -> int:
        column = self._columns.get(term.name)
        if column is None:
            column = self._columns[term.name] = len(self._columns)
            group = self._groups.setdefault(term.group, len(self._groups))
            if group == len(self._sd):
                self._sd.append((term.level_sd, term.slope_sd))
            self._group.append(group)
            self._alone.append(term.independent)
        return column


@dataclass(frozen=True, slots=True)
class OwnRows:
    """Everything that training reads; `(n,)` arrays unless said otherwise.

    Attributes:
        data: Inputs of the network, prices, labels; its `weight` enters every loss.
        effects: `(n, k)`.
        rival: log(competitor / reference), nan where none is known.
    """

    data: EvaluatorData
    effects: EffectColumns
    at_s: Floats
    rival: NDArray[np.float32]

    def mass(self, rows: Rows) -> Floats:
        """Weights of rows, scaled so that they sum to their effective number (Kish 1965)."""
        weight = self.data.weight[rows].astype(np.float64)
        return np.asarray(weight * (weight.sum() / (weight**2).sum()))
