"""Controls for what prices followed, so that the price slope is that of a price set on purpose.

Prices that were cut when demand was high make demand look steeper than it is. Two columns beside the price undo that:

- The *expected price*: a cross-fitted prediction of the log price by everything told (Robinson 1988). With it in the
  logit the fitted slope solves the Neyman-orthogonal score, in which an error of the level counts only as a product
  with an error of the expected price (Chernozhukov et al. 2018, double machine learning; Tan 2019 for the logit, whose
  weights p (1 - p) the prediction has). Shrunk effects of the level then bias the slope little.
- The *unexplained price*: what neither inputs nor cost changes nor a logged draw explain (the control function of
  Petrin and Train 2010, which takes up a hidden promotion). It is kept where prices have a strong enough source that
  is independent of demand, and its coefficient is surely not zero.

When a price is set on purpose, the unexplained price is 0 on average and the expected price a part of the level of its
inputs: `intervened` makes the model of that, averaged over what is hidden (Blundell and Powell 2004).
"""

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import cg

from models.arrays import Floats
from models.evaluator.monotone import SLOPE_MIN, sigmoid, softplus
from models.training.factored_matrix import FactoredMatrix
from models.training.own_logit import PriceLogit
from models.training.own_rows import LogitRows, PriceOrigins, Rows
from models.training.own_table import OwnTable

STRONG: Final = 10.0
"""Least F statistic of what moves prices (Staiger and Stock 1997)."""
SIGNIFICANT: Final = 2.0
_FOLDS: Final = 5
_MOST: Final = 60_000  # rows that predictions of prices are fitted to
_PENALTIES: Final = (1.0, 10.0, 100.0)
_PRECISION: Final = 1e-8  # of ridge regressions, relative
_SEED: Final = 31
_LEAST_ROWS: Final = 40
_LOGISTIC: Final = (16 * np.sqrt(3) / (15 * np.pi)) ** 2  # Zeger, Liang and Albert (1988)
_HALVINGS: Final = 50

Refit = Callable[[Floats], PriceLogit]
"""Fits a logit to rows of a table with the given controls `(n, c)` beside them."""


@dataclass(frozen=True, slots=True)
class PriceSources:
    """Log price of every row of a table, `(n,)` each, split by what moved it.

    Attributes:
        expected: Predicted from the inputs, less its mean.
        drawn: The rest of prices that were drawn at random, 0 elsewhere.
        by_cost: The part of the rest of other prices that follows changes of cost.
        unexplained: What is left of other prices.
        expected_by: Coefficients of the expected price: constant, effects `(k,)` and numeric inputs `(f,)`.
        follows: F statistic of the inputs in a prediction of prices that it was not fitted to.
        strength: F statistic of draws and changes of cost.
    """

    expected: Floats
    drawn: Floats
    by_cost: Floats
    unexplained: Floats
    expected_by: tuple[float, Floats, Floats]
    follows: float
    strength: float


@dataclass(frozen=True, slots=True)
class Controls:
    """The controls that are used, in the units of the log price; None for one that is not needed."""

    sources: PriceSources
    expected: bool
    unexplained: bool
    certainty: float = 0.0
    """Coefficient of the unexplained price over its standard error."""
    error: float = float("inf")
    """Standard error of that coefficient, a logit per unit of log price; infinite where it was not estimated."""

    @property
    def any(self) -> bool:
        """True if a control is used."""
        return self.expected or self.unexplained

    def evidence(self, rows: Rows) -> "SlopeEvidence":
        """Shares of the price changes in some rows that the slope is fitted to, by source."""
        found = self.sources
        drawn, cost, rest = (float((p[rows] ** 2).sum()) for p in (found.drawn, found.by_cost, found.unexplained))
        rest = 0.0 if self.unexplained else rest
        total = max(1e-12, drawn + cost + rest)
        return SlopeEvidence(drawn / total, cost / total, rest / total, self.unexplained, abs(self.certainty))

    def doubt(self, before: float, slope: float) -> float:
        """Log-sd of the slope for what is hidden: `before`, or less as far as draws and cost changes bound it."""
        if self.unexplained:
            return 0.0
        parts = [float((p**2).sum()) for p in (self.sources.drawn, self.sources.by_cost, self.sources.unexplained)]
        return min(before, self.error * parts[2] / max(1e-12, sum(parts)) / max(slope, SLOPE_MIN))

    def without(self) -> "Controls":
        """Copy of which none is used."""
        return replace(self, expected=False, unexplained=False)

    def again(self, table: OwnTable, rows: Rows, logit: PriceLogit) -> "Controls":
        """Copy with sources as other rows tell them; `logit` is of `table`."""
        return replace(self, sources=price_sources(table, rows, logit)) if self.any else self

    @property
    def columns(self) -> Floats:
        """Columns of standard deviation 1, `(n, c)`."""
        found = self.sources
        used = [part for part, kept in self._parts(found) if kept]
        return np.stack([part / _sd(part) for part in used], axis=1) if used else np.zeros((len(found.expected), 0))

    def _parts(self, found: PriceSources) -> list[tuple[Floats, bool]]:
        return [(found.expected, self.expected), (found.unexplained, self.unexplained)]


@dataclass(frozen=True, slots=True)
class SlopeEvidence:
    """Shares of the price changes that the slope is fitted to, by source.

    Attributes:
        random: Prices drawn at random. `cost`: changes of cost. `inputs`: other changes, given the inputs told.
        corrected: Other changes were found to follow hidden demand, and are not used.
        certainty: Standard errors by which they do.
    """

    random: float = 0.0
    cost: float = 0.0
    inputs: float = 1.0
    corrected: bool = False
    certainty: float = 0.0


def price_sources(table: OwnTable, rows: Rows, logit: PriceLogit) -> PriceSources:
    """Split the log price of all rows by what moved it, as the given rows tell; `logit` gives the weights."""
    data, origins = table.rows.data, table.rows.origins
    price = data.log_ratio.astype(np.float64)
    n = len(price)
    known = origins or PriceOrigins(np.full(n, np.nan), np.full(n, np.nan))
    some = rows if len(rows) <= _MOST else np.sort(np.random.default_rng(_SEED).choice(rows, _MOST, replace=False))
    mass = table.rows.mass(np.arange(n))
    p = sigmoid(logit.logits(table.of(np.arange(n))))
    design = _Design(table, some, data.cluster)
    expected = design.predict(price, mass * p * (1 - p))
    followed = design.explained(price, expected, mass)
    drawn = known.random
    drawn &= bool(drawn[some].sum() >= _LEAST_ROWS)
    other = np.flatnonzero(~drawn[some])
    unexplained, by_cost = np.zeros(n), np.zeros(n)
    if len(other) >= _LEAST_ROWS:
        among = design.among(some[other])
        rest = price - among.predict(price, mass).values
        by_cost = _by_cost(known.cost, rest, among, mass) * ~drawn
        unexplained = np.where(drawn, 0.0, rest - by_cost)
    moved = np.where(drawn, price - expected.values, 0.0)
    if drawn.any():
        moved[drawn] -= np.average(moved[some[drawn[some]]], weights=mass[some[drawn[some]]])
    noise = float(np.mean(unexplained[some[other]] ** 2)) if len(other) else 0.0
    strength = float((moved[some] ** 2).sum() + (by_cost[some] ** 2).sum()) / max(noise, 1e-9)
    centred = expected.values - np.average(expected.values[some], weights=mass[some])
    return PriceSources(centred, moved, by_cost, unexplained, expected.by, followed, strength)


def _by_cost(cost: Floats, rest: Floats, design: "_Design", mass: Floats) -> Floats:
    """The part of prices that follows changes of cost within products; 0 where they do not, or are not known."""
    told = np.isfinite(cost)
    fitted = told[design.rows]
    if fitted.sum() < _LEAST_ROWS:
        return np.zeros(len(cost))
    product = design.product
    total, count = (np.bincount(product[told], v, product.max() + 1) for v in (cost[told], np.ones(told.sum())))
    change = np.where(told, cost - (total / np.maximum(1, count))[product], 0.0)
    change = np.where(told, change - design.predict(change, mass * told).values, 0.0)
    some = design.rows[fitted]
    variance = float(mass[some] @ change[some] ** 2)
    if variance < 1e-9 * float(mass[some].sum()):
        return np.zeros(len(cost))
    through = float(mass[some] @ (change[some] * rest[some])) / variance
    left = rest[some] - through * change[some]
    error = np.sqrt(float((mass[some] ** 2) @ (change[some] * left) ** 2)) / variance
    return through * change if (through / max(error, 1e-12)) ** 2 > STRONG else np.zeros(len(cost))


def controlled(table: OwnTable, rows: Rows, logit: PriceLogit, refit: Refit) -> Controls:
    """Choose the controls: those that some rows ask for.

    Args:
        table: All rows, without controls.
        rows: The rows that decide.
        logit: Fitted without controls.
        refit: Fits a logit with controls to those rows.
    """
    sources = price_sources(table, rows, logit)
    found = Controls(sources, sources.follows > STRONG, sources.strength > STRONG and _sd(sources.unexplained) > 1e-4)
    if not found.unexplained:
        return found
    model = refit(found.columns)
    error = float(np.sqrt(model.control_variance[-1]))
    certainty = float(model.controls[-1]) / error
    scale = _sd(sources.unexplained)
    return replace(found, unexplained=abs(certainty) > SIGNIFICANT, certainty=certainty, error=error / scale)


def intervened(logit: PriceLogit, controls: Controls, rows: LogitRows, common: int) -> PriceLogit:
    """The logit of prices set on purpose, without its controls: their part is in the effects, or averaged over.

    `rows` are those that it was fitted to; `common` is the column of the effect of all rows.
    """
    sources, count = controls.sources, len(logit.controls)
    if not count:
        return logit
    base, level, inputs = logit.base, logit.level.copy(), logit.inputs
    if controls.expected:
        constant, by_effects, by_inputs = sources.expected_by
        weight = float(logit.controls[0]) / _sd(sources.expected)
        base = base + weight * constant
        level[: len(by_effects)] += weight * by_effects
        inputs = inputs + weight * by_inputs
    found = replace(logit, base=base, level=level, inputs=inputs, controls=np.zeros(count))
    if not controls.unexplained:
        return found
    variance = float(np.average((rows.controls[:, -1] * logit.controls[-1]) ** 2, weights=rows.mass))
    return _averaged(found, rows, common, float(1 / np.sqrt(1 + _LOGISTIC * variance)))


def _averaged(logit: PriceLogit, rows: LogitRows, common: int, share: float) -> PriceLogit:
    """Scale level and mean slope by `share`, which averages a logit over a Gaussian term."""
    _, slope = logit.terms(rows)
    wanted = share * (SLOPE_MIN + float(np.average(softplus(slope), weights=rows.mass)))
    low, high = -10.0, 0.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if SLOPE_MIN + float(np.average(softplus(slope + middle), weights=rows.mass)) < wanted:
            low = middle
        else:
            high = middle
    flatter = logit.slope.copy()
    flatter[common] += low
    return replace(
        logit,
        base=share * logit.base,
        level=share * logit.level,
        inputs=share * logit.inputs,
        rival=share * logit.rival,
        signals=share * logit.signals,
        slope=flatter,
    )


def _sd(values: Floats) -> float:
    return max(1e-9, float(values.std()))


@dataclass(frozen=True, slots=True)
class _Prediction:
    """Values of all rows `(n,)`, each from rows of other shoppers, and the mean coefficients."""

    values: Floats
    by: tuple[float, Floats, Floats]


class _Design:
    """Everything told of the rows, to predict prices from by cross-fitted ridge regressions."""

    def __init__(self, table: OwnTable, rows: Rows, cluster: NDArray[np.int64]) -> None:
        every = table.of(np.arange(len(table.rows.at_s)))
        self.rows, self.product = rows, table.rows.data.product_row
        self.sizes = every.effects.shape[1], every.inputs.shape[1]
        dense = every.inputs.beside(FactoredMatrix.of_dense(every.steps))
        self.matrix = every.effects.beside(FactoredMatrix(sparse.csr_matrix(dense.cells), dense.mix))
        _, group = np.unique(cluster, return_inverse=True)
        self.fold = np.random.default_rng(_SEED).permutation(int(group.max()) + 1)[group] % _FOLDS
        self.penalty: float | None = None

    def among(self, rows: Rows) -> "_Design":
        """Copy the design to fit other rows, with a penalty of its own."""
        found = copy(self)
        found.rows, found.penalty = rows, None
        return found

    def predict(self, target: Floats, weight: Floats) -> _Prediction:
        """Predict a target; its first call chooses the penalty, by the error on shoppers left out."""
        scaled = weight / weight[self.rows].mean()
        folds = [self.rows[self.fold[self.rows] == fold] for fold in range(_FOLDS)]
        sums = [_Sums.of(self.matrix[own], target[own], scaled[own]) for own in folds]
        if self.penalty is None:
            errors = []
            for penalty in _PENALTIES:
                found = self._predict(len(target), folds, sums, penalty)
                errors.append(float(weight[self.rows] @ (target - found.values)[self.rows] ** 2))
            self.penalty = _PENALTIES[int(np.argmin(errors))]
        found = self._predict(len(target), folds, sums, self.penalty)
        constant, effects, inputs = found.by
        centre = float(np.average(found.values[self.rows], weights=weight[self.rows]))
        return _Prediction(found.values, (constant - centre, effects, inputs))

    def explained(self, target: Floats, found: _Prediction, weight: Floats) -> float:
        """F statistic of the prediction on shoppers left out."""
        some, own = target[self.rows], weight[self.rows]
        left = float(own @ (some - found.values[self.rows]) ** 2)
        whole = float(own @ (some - np.average(some, weights=own)) ** 2)
        return len(some) * (whole - left) / max(left, 1e-12)

    def _predict(self, n: int, folds: Sequence[Rows], sums: "Sequence[_Sums]", penalty: float) -> _Prediction:
        values, fitted, whole = np.zeros(n), np.zeros(n, bool), _Sums.total(sums)
        found = [whole.less(left_out).ridge(penalty) for left_out in sums]
        for own, (mean, coefficients) in zip(folds, found, strict=True):
            values[own], fitted[own] = mean + self.matrix[own] @ coefficients, True
        mean, average = float(np.mean([one[0] for one in found])), np.mean([one[1] for one in found], axis=0)
        values[~fitted] = mean + self.matrix[~fitted] @ average
        k, f = self.sizes
        return _Prediction(values, (mean, average[:k], average[k : k + f]))


@dataclass(frozen=True, slots=True)
class _Sums:
    """Weighted sums of some rows, of which a ridge regression is made.

    Attributes:
        gram: X'WX `(k, k)`. `moments`: X'Wy `(k,)`. `columns`: X'W1 `(k,)`.
        target: Sum of the weighted targets. `weight`: Sum of the weights.
    """

    gram: sparse.csr_matrix
    moments: Floats
    columns: Floats
    target: float
    weight: float

    @classmethod
    def of(cls, matrix: FactoredMatrix, target: Floats, weight: Floats) -> "_Sums":
        """Compute the sums of rows."""
        gram = sparse.csr_matrix(matrix.sparse_gram(weight))
        moments, columns = matrix.transposed_dot(weight * target), matrix.transposed_dot(weight)
        return cls(gram, moments, columns, float(weight @ target), float(weight.sum()))

    @classmethod
    def total(cls, parts: "Sequence[_Sums]") -> "_Sums":
        """Add up the sums of disjoint rows."""
        found = parts[0]
        for one in parts[1:]:
            found = found._plus(one, 1.0)
        return found

    def less(self, other: "_Sums") -> "_Sums":
        """Take the sums of some of the rows away."""
        return self._plus(other, -1.0)

    def _plus(self, other: "_Sums", by: float) -> "_Sums":
        return _Sums(
            self.gram + by * other.gram,
            self.moments + by * other.moments,
            self.columns + by * other.columns,
            self.target + by * other.target,
            self.weight + by * other.weight,
        )

    def ridge(self, penalty: float) -> tuple[float, Floats]:
        """Fit the target less its mean; returns the mean and the coefficients `(k,)`."""
        mean = self.target / self.weight
        matrix = self.gram + penalty * sparse.identity(len(self.moments), format="csr")
        found, _ = cg(
            matrix, self.moments - mean * self.columns, rtol=_PRECISION, M=sparse.diags(1 / matrix.diagonal())
        )
        return mean, np.asarray(found, np.float64)
