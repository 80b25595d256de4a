"""Price logit of a merchant's outcomes, with shrunk effects on level and slope.

    logit = v.a + f.b + t.c + u.g + m.q - (SLOPE_MIN + softplus(slope_0 + v.d)) x - r max(0, x - rival)

where x = log(price / reference) less its mean over the training rows, so that level and slope are told apart wherever
the prices lie; `v` are named effects (all, product, category, profile and context words), `f` encoded numeric inputs,
and `t` steps in time that are zero at the latest rows, so that the level is the current one; `u` are controls for what
prices followed (`own_controls`), and `m` are session intent and market trend; `q` and `r` have priors around
`ContextPriors`. Each group of coefficients (such as a profile field) has a Gaussian prior whose variance is estimated
from the same rows by empirical Bayes (`own_evidence`): irrelevant groups shrink to zero, few rows fit little more than
a logit in log price, and no rows are held out for regularisation. Fitted by Newton's method with the Gauss-Newton
Hessian; independent effects (products, one per row) are eliminated by block elimination (Schur complement).
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Floats
from models.evaluator.context_priors import PRIOR_SD, ContextPriors
from models.evaluator.monotone import SLOPE_MIN, sigmoid, softplus
from models.training.factored_matrix import FactoredMatrix
from models.training.own_crossings import Scores
from models.training.own_prior_sds import ALL, group_sds, inputs_sd
from models.training.own_rows import EffectColumns, LogitRows

JOINT: Final = 160  # effects with one covariance, below the online state's capacity
STEPS: Final = 8
RIVAL: Final = (ContextPriors().rival, PRIOR_SD.rival)  # prior mean and sd of r
_SIGNALS: Final = np.asarray([ContextPriors().intent, ContextPriors().trend])  # prior mean of q
_SIGNALS_SD: Final = np.asarray([PRIOR_SD.intent, PRIOR_SD.trend])
_LAST: Final = 1 + len(_SIGNALS)  # columns behind the controls
SLOPE: Final = 1.85  # prior mean before softplus, an elasticity of about two
_ITERATIONS: Final = 30
_UPDATES: Final = 12  # of prior sds
_HALVINGS: Final = 12
_TOLERANCE: Final = 1e-6
_STEADY: Final = 1e-4
_SETTLED: Final = 0.05
_CONTROL_SD: Final = 2.0  # of coefficients of controls, whose columns have standard deviation 1
_MAX_ELIMINATED: Final = 20_000
_MOST_SHARED: Final = 1_500  # effects solved together


@dataclass(frozen=True, slots=True)
class PriceLogit:
    """Coefficients and their posterior covariances.

    Attributes:
        level, slope: `(k,)` by effect; `base` is added to every level.
        inputs: `(f,)`. `steps`: `(STEPS,)`. `rival`: coefficient r. `signals`: coefficients q.
        controls: `(c,)`, with `control_variance` `(c,)`.
        sd: Estimated prior sd of level and slope, `(groups, 2)`. `input_sd`, `step_sd`: likewise.
        joint: Columns with one covariance, most frequent first; `covariance` is `(2 j, 2 j)`, all levels, then all
            slopes.
        independent: The other columns; `independent_covariance` `(a, 3)` has level variance, covariance and slope
            variance.
    """

    base: float
    level: Floats
    slope: Floats
    inputs: Floats
    steps: Floats
    rival: float
    sd: Floats
    input_sd: float
    step_sd: float
    joint: NDArray[np.int64]
    independent: NDArray[np.int64]
    covariance: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    independent_covariance: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    controls: Floats = field(default_factory=lambda: np.zeros(0))
    control_variance: Floats = field(default_factory=lambda: np.zeros(0))
    signals: Floats = field(default_factory=_SIGNALS.copy)

    def terms(self, rows: LogitRows, *, inputs: bool = True) -> tuple[Floats, Floats]:
        """Compute level and slope before softplus of each row, `(n,)` each, as of the latest rows."""
        level = self.base + rows.effects @ self.level + rows.level
        if inputs:
            level = level + rows.inputs @ self.inputs
        return np.asarray(level), np.asarray(SLOPE + rows.effects @ self.slope)

    def constants(self, columns: EffectColumns) -> Floats:
        """Level and slope before softplus of a row without any other effect, `(2,)`."""
        common = columns.names.index(ALL)
        return np.asarray([self.base + self.level[common], SLOPE + self.slope[common]])

    @property
    def drifts(self) -> bool:
        """Whether the level may change over time."""
        return self.step_sd > _STEADY

    def scores(self, rows: LogitRows) -> Scores:
        """Derivatives of the log likelihood of the rows it was fitted to."""
        level, slope = self.terms(rows)
        p = sigmoid(self._logits(rows, level + rows.steps @ self.steps, slope))
        return Scores(rows.mass * (rows.bought - p), rows.mass * p * (1 - p), -sigmoid(slope) * rows.log_ratio)

    def logits(self, rows: LogitRows) -> Floats:
        """Compute purchase logits `(n,)` at the prices shown, as of the latest training rows."""
        level, slope = self.terms(rows)
        return self._logits(rows, level, slope)

    def rest(self, rows: LogitRows) -> Floats:
        """Parts of the logit that neither level nor slope has, `(n,)`: offsets, controls, signals, the competitor."""
        known = rows.rest + rows.controls @ self.controls + rows.signals @ self.signals
        return np.asarray(known - self.rival * rows.over, np.float64)

    def _logits(self, rows: LogitRows, level: Floats, slope: Floats) -> Floats:
        return np.asarray(level - (SLOPE_MIN + softplus(slope)) * rows.log_ratio + self.rest(rows), np.float64)


def fit_logit(
    rows: LogitRows,
    columns: EffectColumns,
    start: PriceLogit | None = None,
    *,
    drifts: bool = True,
    sd: Floats | None = None,
) -> PriceLogit:
    """Fit the posterior mode and covariance.

    Args:
        rows: Rows to fit.
        columns: Effects of the rows.
        start: Model to start from, whose prior variances are kept; without it they are estimated.
        drifts: Whether the level may change over time.
        sd: Prior sds to begin the estimation with, `(groups, 2)`; without them those of the columns.
    """
    model = start or _start(rows, columns, columns.sd if sd is None else sd, drifts=drifts)
    estimates_sd = start is None
    value = -np.inf
    for number in range(_ITERATIONS):
        system = _System(rows, model, columns)
        model, value, gain = system.step(columns.group, value if not estimates_sd else None)
        if estimates_sd and number:
            model, changed = _with_estimated_sds(model, system, columns)
            estimates_sd = changed and number < _UPDATES
        elif gain < _TOLERANCE * len(rows.bought):
            break
    return _System(rows, model, columns).with_covariance()


def _start(rows: LogitRows, columns: EffectColumns, sd: Floats, *, drifts: bool) -> PriceLogit:
    frequency = columns.values.counts()
    shared = np.flatnonzero(~columns.independent)
    frequency[columns.names.index(ALL)] = len(rows.bought) + 1
    joint = shared[np.argsort(-frequency[shared], kind="stable")][:JOINT]
    rate = float(np.clip(np.average(rows.bought, weights=rows.mass), 1e-6, 1 - 1e-6))
    return PriceLogit(
        base=float(np.log(rate / (1 - rate))),
        level=np.zeros(len(columns.names)),
        slope=np.zeros(len(columns.names)),
        inputs=np.zeros(rows.inputs.shape[1]),
        steps=np.zeros(rows.steps.shape[1]),
        rival=RIVAL[0],
        controls=np.zeros(rows.controls.shape[1]),
        sd=sd.copy(),
        input_sd=0.1,
        step_sd=0.1 if drifts else _STEADY,
        joint=joint,
        independent=np.setdiff1d(np.arange(len(columns.names)), joint),
    )


class _System:
    """Newton system at a model.

    Its dense part has shared effects (levels, then slopes; those of `model.joint` first), inputs, steps, controls,
    signals and rival. The other effects are `apart`: eliminated exactly where a row has one of them at most.
    """

    def __init__(self, rows: LogitRows, model: PriceLogit, columns: EffectColumns) -> None:
        self.rows, self.model = rows, model
        group = columns.group
        further = model.independent[~columns.independent[model.independent]]
        self.shared = np.concatenate([model.joint, further[: max(0, _MOST_SHARED - len(model.joint))]])
        self.apart = np.setdiff1d(model.independent, self.shared)
        level, slope = model.terms(rows)
        level = level + rows.steps @ model.steps
        logit = model._logits(rows, level, slope)
        p = sigmoid(logit)
        self.value = _value(rows, logit) - 0.5 * _penalty(model, group)
        self.residual = rows.mass * (rows.bought - p)
        self.curvature = np.maximum(1e-12, rows.mass * p * (1 - p))
        self.steep = -sigmoid(slope) * rows.log_ratio
        self.effects = rows.effects.columns(self.shared)
        self.sparse = self.effects.beside(self.effects.scaled(self.steep))
        rest = np.concatenate([rows.steps, rows.controls, rows.signals, -rows.over[:, None]], axis=1, dtype=np.float64)
        self.dense = rows.inputs.beside(FactoredMatrix.of_dense(rest))
        self.independent = rows.effects.columns(self.apart).to_sparse().tocsr()
        self._precisions(group)
        self.gradient = np.r_[
            self.sparse.transposed_dot(self.residual), self.dense.transposed_dot(self.residual)
        ] - self.precision * self._vector(model)
        self.hessian = self._dense_hessian()
        self._eliminate()

    def _precisions(self, group: NDArray[np.int64]) -> None:
        model, sd = self.model, self.model.sd
        own = sd[group[self.shared]]
        self.precision = np.r_[
            1 / own[:, 0] ** 2,
            1 / own[:, 1] ** 2,
            np.full(len(model.inputs), 1 / model.input_sd**2),
            np.full(len(model.steps), 1 / model.step_sd**2),
            np.full(len(model.controls), 1 / _CONTROL_SD**2),
            1 / _SIGNALS_SD**2,
            1 / RIVAL[1] ** 2,
        ]
        self.independent_precision = 1 / sd[group[self.apart]] ** 2

    def _vector(self, model: PriceLogit) -> Floats:
        effects = model.level[self.shared], model.slope[self.shared]
        last = model.signals - _SIGNALS, [model.rival - RIVAL[0]]
        return np.concatenate([*effects, model.inputs, model.steps, model.controls, *last])

    def _dense_hessian(self) -> Floats:
        w, g, effects = self.curvature, self.steep, self.effects
        mixed = effects.transposed_dot(effects.scaled(w * g))
        corner = np.block([[effects.gram(w), mixed], [mixed.T, effects.gram(w * g * g)]])
        across, inner = self.sparse.transposed_dot(self.dense.scaled(w)), self.dense.gram(w)
        return np.asarray(np.block([[corner, across], [across.T, inner]]) + np.diag(self.precision), np.float64)

    def _eliminate(self) -> None:
        """Compute the 2 x 2 blocks of the effects apart, and the Schur complement of the dense part."""
        w, g, independent = self.curvature, self.steep, self.independent
        squared = independent.multiply(independent).tocsr()
        aa = squared.T @ w + self.independent_precision[:, 0]
        ab = squared.T @ (w * g)
        bb = squared.T @ (w * g * g) + self.independent_precision[:, 1]
        det = np.maximum(1e-12, aa * bb - ab * ab)
        self.blocks = np.stack([bb / det, -ab / det, aa / det], axis=1)  # inverses
        a, b = self.model.level[self.apart], self.model.slope[self.apart]
        self.independent_gradient = np.stack(
            [
                independent.T @ self.residual - self.independent_precision[:, 0] * a,
                independent.T @ (g * self.residual) - self.independent_precision[:, 1] * b,
            ],
            axis=1,
        )
        self.reduced, self.coupling = self.hessian, None
        disjoint = int(np.diff(independent.indptr).max(initial=0)) <= 1
        if disjoint and 0 < independent.shape[1] <= _MAX_ELIMINATED:
            left = [np.asarray(self._across(independent, factor)) for factor in (w, w * g)]
            solved = [
                left[0] * self.blocks[:, 0] + left[1] * self.blocks[:, 1],
                left[0] * self.blocks[:, 1] + left[1] * self.blocks[:, 2],
            ]
            self.reduced = self.hessian - solved[0] @ left[0].T - solved[1] @ left[1].T
            self.coupling = (left, solved)

    def _across(self, independent: sparse.csr_matrix, factor: Floats) -> Floats:
        weighted = sparse.diags(factor) @ independent
        return np.concatenate([part.transposed_dot(weighted) for part in (self.sparse, self.dense)])

    def step(self, group: NDArray[np.int64], value: float | None) -> tuple[PriceLogit, float, float]:
        """Take a damped Newton step; returns the new model, its value, and the gain in value."""
        gradient, own = self.gradient, self.independent_gradient
        if self.coupling is not None:
            gradient = gradient - self.coupling[1][0] @ own[:, 0] - self.coupling[1][1] @ own[:, 1]
        change = np.linalg.solve(_definite(self.reduced), gradient)
        if self.coupling is not None:
            own = own - np.stack([self.coupling[0][0].T @ change, self.coupling[0][1].T @ change], axis=1)
        blocks = self.blocks
        independent = np.stack(
            [blocks[:, 0] * own[:, 0] + blocks[:, 1] * own[:, 1], blocks[:, 1] * own[:, 0] + blocks[:, 2] * own[:, 1]],
            axis=1,
        )
        share = 1.0
        for _ in range(_HALVINGS):
            model = self._moved(share * change, share * independent)
            level, slope = model.terms(self.rows)
            logit = model._logits(self.rows, level + self.rows.steps @ model.steps, slope)
            found = _value(self.rows, logit) - 0.5 * _penalty(model, group)
            if found >= self.value:
                return model, found, found - self.value
            share /= 2
        return self.model, self.value, 0.0

    def _moved(self, change: Floats, independent: Floats) -> PriceLogit:
        model, count = self.model, len(self.shared)
        level, slope = model.level.copy(), model.slope.copy()
        level[self.shared] += change[:count]
        slope[self.shared] += change[count : 2 * count]
        level[self.apart] += independent[:, 0]
        slope[self.apart] += independent[:, 1]
        f, t = len(model.inputs), len(model.steps)
        rest = change[2 * count :]
        return replace(
            model,
            level=level,
            slope=slope,
            inputs=model.inputs + rest[:f],
            steps=model.steps + rest[f : f + t],
            controls=model.controls + rest[f + t : -_LAST],
            signals=model.signals + rest[-_LAST:-1],
            rival=max(0.0, float(model.rival + rest[-1])),
        )

    def covariances(self) -> tuple[Floats, Floats]:
        """Posterior covariance of the dense part, and variances of the effects apart given the rest, `(a, 2)`."""
        return np.asarray(np.linalg.inv(_definite(self.reduced)), np.float64), self.blocks[:, [0, 2]]

    def with_covariance(self) -> PriceLogit:
        """Add covariances to the model, inflated for correlated rows of one shopper (quasi-likelihood).

        A row of its own that stands for several offers counts as that many independent ones.
        """
        inverse = np.linalg.inv(_definite(self.reduced))
        joint, count = len(self.model.joint), len(self.shared)
        at = np.r_[:joint, count : count + joint]
        _, cluster, size = np.unique(self.rows.cluster, return_inverse=True, return_counts=True)
        own = np.where(size[cluster] == 1, self.residual / np.sqrt(np.maximum(1.0, self.rows.mass)), self.residual)
        sums = sparse.csr_matrix((own, (cluster, np.arange(len(cluster)))), (int(cluster.max()) + 1, len(cluster)))
        scores = self.sparse.left_dot(sums)[:, at]  # (clusters, 2 joint)
        inner = inverse[np.ix_(at, at)]
        information = self.hessian[np.ix_(at, at)] - np.diag(self.precision[at])
        expected = float(np.einsum("ij,ji->", inner, information))
        found = float(np.einsum("ci,ij,cj->", scores, inner, scores))
        inflation = max(1.0, found / max(1e-9, expected))
        covariance = np.asarray(inflation * inner, np.float64)
        controls = inflation * np.diag(inverse)[2 * count + len(self.model.inputs) + len(self.model.steps) : -_LAST]
        return replace(
            self.model, covariance=covariance, independent_covariance=self._given_rest(), control_variance=controls
        )

    def _given_rest(self) -> Floats:
        """Compute variances and covariance of `model.independent`, given all other coefficients, `(a, 3)`."""
        count = len(self.shared)
        place = np.arange(count)
        aa, ab, bb = (self.hessian[i, j] for i, j in ((place, place), (place, count + place), (count + place,) * 2))
        det = np.maximum(1e-12, aa * bb - ab * ab)
        found = np.zeros((len(self.model.level), 3))
        found[self.shared] = np.stack([bb / det, -ab / det, aa / det], axis=1)
        found[self.apart] = self.blocks
        return found[self.model.independent]


def _value(rows: LogitRows, logit: Floats) -> float:
    return float(-(rows.mass * np.logaddexp(0.0, np.where(rows.bought > 0, -logit, logit))).sum())


def _penalty(model: PriceLogit, group: NDArray[np.int64]) -> float:
    sd = model.sd[group]
    return float(
        ((model.level / sd[:, 0]) ** 2).sum()
        + ((model.slope / sd[:, 1]) ** 2).sum()
        + (model.inputs**2).sum() / model.input_sd**2
        + (model.steps**2).sum() / model.step_sd**2
        + (model.controls**2).sum() / _CONTROL_SD**2
        + (((model.signals - _SIGNALS) / _SIGNALS_SD) ** 2).sum()
        + ((model.rival - RIVAL[0]) / RIVAL[1]) ** 2
    )


def _with_estimated_sds(model: PriceLogit, system: "_System", columns: EffectColumns) -> tuple[PriceLogit, bool]:
    """Update the prior sds from coefficients and posterior covariances; returns whether any changed by over 5 %."""
    covariance, independent = system.covariances()
    known = (system.shared, covariance), (system.apart, independent)
    found = group_sds(columns, model.sd, (model.level, model.slope), known)
    first, f = 2 * len(system.shared), len(model.inputs)
    dense = np.diag(covariance)[first:]
    input_sd = inputs_sd(model.inputs, dense[:f], model.input_sd)
    step_sd = inputs_sd(model.steps, dense[f:][: len(model.steps)], model.step_sd) if model.drifts else model.step_sd
    before = np.r_[model.sd.ravel(), model.input_sd, model.step_sd]
    after = np.r_[found.ravel(), input_sd, step_sd]
    changed = bool((np.abs(np.log(after / before)) > _SETTLED).any())
    return replace(model, sd=found, input_sd=input_sd, step_sd=step_sd), changed


def _definite(matrix: Floats) -> Floats:
    return np.asarray((matrix + matrix.T) / 2 + 1e-9 * np.eye(len(matrix)))
