"""Training rows of a merchant's outcomes in the form that the price logit needs."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.binning import Binning
from models.evaluator.monotone import sigmoid
from models.training.factored_matrix import FactoredMatrix
from models.training.own_kinks import NONE, Ramps
from models.training.own_logit import STEPS, PriceLogit
from models.training.own_rows import LogitRows, OwnRows, Rows

BLOCK: Final = 65_536
_CLIP: Final = 1e-9
EQUAL: Final = 1e-6
SURELY_WORSE: Final = 3.0
"""Standard errors by which what has reasons of its own may not be worse on later outcomes."""


class OwnTable:
    """All rows, encoded as they are asked for."""

    def __init__(
        self,
        rows: OwnRows,
        binning: Binning,
        center: float,
        log_ratio: Floats | None = None,
        controls: Floats | None = None,
    ) -> None:
        """Encode numeric inputs with `binning`; `log_ratio` `(n,)` replaces that of the rows.

        Models see log ratios less `center`, and `controls` `(n, c)` beside the inputs.
        """
        self.rows, self.binning, self.center = rows, binning, center
        self.controls = np.zeros((len(rows.at_s), 0)) if controls is None else controls
        data = rows.data
        self.log_ratio = data.log_ratio.astype(np.float64) if log_ratio is None else log_ratio
        rival = np.nan_to_num(rows.rival.astype(np.float64), nan=np.inf)
        self.over = np.maximum(0.0, data.log_ratio.astype(np.float64) - rival)
        self.signals = rows.signals

    def but(
        self, *, rows: OwnRows | None = None, log_ratio: Floats | None = None, controls: Floats | None = None
    ) -> "OwnTable":
        """Copy with other parts."""
        return OwnTable(
            rows or self.rows,
            self.binning,
            self.center,
            self.log_ratio if log_ratio is None else log_ratio,
            self.controls if controls is None else controls,
        )

    def with_rows(self, rows: OwnRows, train: Rows) -> "OwnTable":
        """Copy with other inputs, binned as the training rows have them."""
        binning = Binning.fit(np.asarray(rows.data.numeric[train]), self.binning.bins)
        return OwnTable(rows, binning, self.center, self.log_ratio, self.controls)

    def of(self, rows: Rows, ramps: Ramps = NONE, added: Floats | None = None) -> LogitRows:
        """Select rows; `added` is what trees add to the level, `(n,)` over the whole table."""
        data, at_s = self.rows.data, self.rows.at_s[rows]
        log_ratio = self.log_ratio[rows] - self.center
        edges = np.quantile(at_s, np.linspace(0, 1, STEPS + 2)[1:-1])
        return LogitRows(
            bought=data.bought[rows].astype(np.float64),
            mass=self.rows.mass(rows),
            log_ratio=log_ratio,
            effects=self.rows.effects.values[rows],
            inputs=FactoredMatrix.of_dense(self.encode(rows)),
            steps=-(at_s[:, None] <= edges).astype(np.float32),
            over=self.over[rows],
            signals=self.signals[rows],
            cluster=data.cluster[rows],
            controls=self.controls[rows],
            level=0.0 if added is None else added[rows],
            rest=ramps.logits(log_ratio),
        )

    def encode(self, rows: Rows) -> NDArray[np.float32]:
        """Encode numeric inputs for the linear term, `(n, width)`."""
        parts = np.array_split(rows, 1 + len(rows) // BLOCK)
        return np.concatenate([self.binning.encode(np.asarray(self.rows.data.numeric[part])) for part in parts])

    def losses(self, rows: Rows, logits: Floats) -> Floats:
        """Compute the log loss of each row, `(n,)`."""
        p = np.clip(sigmoid(logits), _CLIP, 1 - _CLIP)
        return np.asarray(-np.log(np.where(self.rows.data.bought[rows] > 0, p, 1 - p)))


def gain_on(
    rows: Rows, before: tuple[OwnTable, PriceLogit], after: tuple[OwnTable, PriceLogit]
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Gain of one logit over another on some rows with its standard error, and the mean losses of both."""
    losses = [table.losses(rows, logit.logits(table.of(rows))) for table, logit in (before, after)]
    mass = before[0].rows.mass(rows)
    first, second = (float(np.average(loss, weights=mass)) for loss in losses)
    return paired_gain(losses[0], losses[1], mass), (first, second)


def plainest_near_best(losses: Sequence[Floats], mass: Floats) -> int:
    """Place of the first option, in order from the plainest, within one standard error of the best."""
    best = losses[int(np.argmin([float(np.average(loss, weights=mass)) for loss in losses]))]
    gains = (paired_gain(loss, best, mass) for loss in losses)
    return next(place for place, (gain, error) in enumerate(gains) if gain <= error + EQUAL)


def paired_gain(before: Floats, after: Floats, mass: Floats) -> tuple[float, float]:
    """Weighted mean decrease in loss from `before` to `after`, and its standard error."""
    difference = before - after
    mean = float(np.average(difference, weights=mass))
    error = float(np.sqrt((mass**2 * (difference - mean) ** 2).sum()) / mass.sum())
    return mean, error
