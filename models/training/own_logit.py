"""The price logit that a merchant's outcomes are first fitted with: shrunk effects on level and slope.

    logit = v.a + f.b + t.c - (SLOPE_MIN + softplus(slope_0 + v.d)) x - r max(0, x - rival)

where x = log(price / reference), `v` are effects by name (all, product, category, profile and context words), `f` the
network's inputs, `t` steps in time counted back from the latest row, so that the level is the present one. Every group
of coefficients (a profile field, say) has a Gaussian prior whose variance is learned from the same rows (empirical
Bayes; MacKay 1992): what does not matter shrinks to nothing, so that few rows fit little more than a logit in log price
and many fit everything they show. No rows are held out for that. Newton's method with the Gauss-Newton Hessian; effects
kept alone (products, one a row) are eliminated first.
"""

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Floats
from models.evaluator.monotone import SLOPE_MIN, sigmoid, softplus
from models.training.own_rows import EffectColumns

JOINT: Final = 160  # effects with one covariance; the online state has room for some more
STEPS: Final = 8
RIVAL: Final = (2.5, 1.5)  # prior mean and sd of what a price above the rival's costs
SLOPE: Final = 1.85  # prior mean before softplus: an elasticity of about two
_ITERATIONS: Final = 30
_HALVINGS: Final = 12
_TOLERANCE: Final = 1e-6
_LEAST_SD: Final = 0.03
_STEADY: Final = 1e-4
_PRIOR_COUNT: Final = 2.0
_SURE: Final = 3.0  # sds of a chi-square above its mean from which on a group is more than noise
_MOST_ELIMINATED: Final = 20_000
_ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class LogitRows:
    """Rows to fit; `(n,)` unless said otherwise.

    Attributes:
        mass: Weights that sum to the effective number of rows.
        effects: `(n, k)`. `inputs` `(n, f)`. `steps` `(n, STEPS)`.
        over: max(0, log price above the rival's), zeros where there is none.
        level, slope, rest: What else moves level, slope before softplus, and logit; taken as known.
        cluster: Rows of one shopper.
    """

    bought: Floats
    mass: Floats
    log_ratio: Floats
    effects: sparse.csr_matrix
    inputs: NDArray[np.float32]
    steps: NDArray[np.float32]
    over: Floats
    cluster: NDArray[np.int64]
    level: Floats | float = 0.0
    slope: Floats | float = 0.0
    rest: Floats | float = 0.0


@dataclass(frozen=True, slots=True)
class PriceLogit:
    """Coefficients and what they are known to.

    Attributes:
        level, slope: `(k,)` by effect; `base` is added to every level.
        inputs: `(f,)`. `steps` `(STEPS,)`. `rival` scalar.
        sd: `(groups, 2)` learned prior sd of level and slope. `input_sd`, `step_sd` likewise.
        joint: Columns with one covariance, most often touched first; `covariance` `(2 j, 2 j)`, all levels, then all
            slopes. `alone` are the other columns and `alone_covariance` `(a, 3)` their level variance, covariance,
            slope variance.
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
    alone: NDArray[np.int64]
    covariance: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    alone_covariance: Floats = field(default_factory=lambda: np.zeros((0, 3)))

    def terms(self, rows: LogitRows, *, inputs: bool = True) -> tuple[Floats, Floats]:
        """Level and slope before softplus of each row, `(n,)` each, at the end of the rows' time."""
        level = self.base + rows.effects @ self.level + rows.level
        if inputs:
            level = level + rows.inputs @ self.inputs
        return np.asarray(level), np.asarray(SLOPE + rows.effects @ self.slope + rows.slope)

    def constants(self, columns: EffectColumns) -> Floats:
        """Level and slope before softplus of a row that nothing else is known of, `(2,)`."""
        common = columns.names.index(_ALL)
        return np.asarray([self.base + self.level[common], SLOPE + self.slope[common]])

    def logits(self, rows: LogitRows) -> Floats:
        """Purchase logits `(n,)` at the prices shown, as of the end of the training's time."""
        level, slope = self.terms(rows)
        return self._logits(rows, level, slope)

    def _logits(self, rows: LogitRows, level: Floats, slope: Floats) -> Floats:
        return np.asarray(
            level - (SLOPE_MIN + softplus(slope)) * rows.log_ratio - self.rival * rows.over + rows.rest, np.float64
        )


def fit_logit(
    rows: LogitRows, columns: EffectColumns, start: PriceLogit | None = None, *, drifts: bool = True
) -> PriceLogit:
    """The posterior mode and covariance; with `start`, its prior variances are kept and not learned again.

    Unless it `drifts`, the level is the same at all times.
    """
    model = start or _start(rows, columns, drifts=drifts)
    learns = start is None
    value = -np.inf
    for number in range(_ITERATIONS):
        system = _System(rows, model, columns.group)
        model, value, gain = system.step(columns.group, value if not learns else None)
        if learns and number:
            model, moved = _sds(model, system, columns)
            learns = moved and number < _ITERATIONS - 8
            if not learns:
                model = _pruned(model, system, columns)
        elif gain < _TOLERANCE * len(rows.bought):
            break
    return _System(rows, model, columns.group).with_covariance(columns.group)


def _start(rows: LogitRows, columns: EffectColumns, *, drifts: bool) -> PriceLogit:
    touched = np.asarray((abs(columns.values) > 0).sum(axis=0)).ravel()
    shared = np.flatnonzero(~columns.alone)
    touched[columns.names.index(_ALL)] = len(rows.bought) + 1
    joint = shared[np.argsort(-touched[shared], kind="stable")][:JOINT]
    rate = float(np.clip(np.average(rows.bought, weights=rows.mass), 1e-6, 1 - 1e-6))
    return PriceLogit(
        base=float(np.log(rate / (1 - rate))),
        level=np.zeros(len(columns.names)),
        slope=np.zeros(len(columns.names)),
        inputs=np.zeros(rows.inputs.shape[1]),
        steps=np.zeros(rows.steps.shape[1]),
        rival=RIVAL[0],
        sd=_half(columns),
        input_sd=0.1,
        step_sd=0.1 if drifts else _STEADY,
        joint=joint,
        alone=np.setdiff1d(np.arange(len(columns.names)), joint),
    )


def _half(columns: EffectColumns) -> Floats:
    """Half of the prior sd to begin with, but for the effect that all rows touch."""
    sd = 0.5 * columns.sd
    place = columns.groups.index(_ALL)
    sd[place] = columns.sd[place]
    return sd


class _System:
    """Gradient and Hessian at a model. The dense part holds joint effects (levels, slopes), inputs, steps, rival."""

    def __init__(self, rows: LogitRows, model: PriceLogit, group: NDArray[np.int64]) -> None:
        self.rows, self.model = rows, model
        level, slope = model.terms(rows)
        level = level + rows.steps @ model.steps
        logit = model._logits(rows, level, slope)
        p = sigmoid(logit)
        self.value = _value(rows, logit) - 0.5 * _penalty(model, group)
        self.residual = rows.mass * (rows.bought - p)
        self.curvature = np.maximum(1e-12, rows.mass * p * (1 - p))
        self.steep = -sigmoid(slope) * rows.log_ratio
        v = rows.effects.tocsc()
        joint, alone = v[:, model.joint].tocsr(), v[:, model.alone].tocsr()
        self.sparse = sparse.hstack([joint, sparse.diags(self.steep) @ joint]).tocsr()
        self.dense = np.concatenate([rows.inputs, rows.steps, -rows.over[:, None]], axis=1)
        self.alone = alone
        self._precisions(group)
        self.gradient = np.r_[
            self.sparse.T @ self.residual, self.dense.T @ self.residual
        ] - self.precision * self._vector(model)
        self.hessian = self._dense_hessian()
        self._eliminate(group)

    def _precisions(self, group: NDArray[np.int64]) -> None:
        model, sd = self.model, self.model.sd
        own = sd[group[model.joint]]
        self.precision = np.r_[
            1 / own[:, 0] ** 2,
            1 / own[:, 1] ** 2,
            np.full(len(model.inputs), 1 / model.input_sd**2),
            np.full(len(model.steps), 1 / model.step_sd**2),
            1 / RIVAL[1] ** 2,
        ]
        self.alone_precision = 1 / sd[group[model.alone]] ** 2

    def _vector(self, model: PriceLogit) -> Floats:
        rival = np.asarray([model.rival - RIVAL[0]])
        return np.concatenate([model.level[model.joint], model.slope[model.joint], model.inputs, model.steps, rival])

    def _dense_hessian(self) -> Floats:
        w = self.curvature
        weighted = sparse.diags(w) @ self.sparse
        corner = (self.sparse.T @ weighted).toarray()
        across = np.asarray(weighted.T @ self.dense)
        inner = self.dense.T @ (self.dense * w[:, None].astype(np.float32))
        return np.asarray(np.block([[corner, across], [across.T, inner]]) + np.diag(self.precision), np.float64)

    def _eliminate(self, group: NDArray[np.int64]) -> None:
        """Two by two blocks of the effects kept alone, and the Hessian of the rest without them."""
        w, g, alone = self.curvature, self.steep, self.alone
        squared = alone.multiply(alone).tocsr()
        aa = squared.T @ w + self.alone_precision[:, 0]
        ab = squared.T @ (w * g)
        bb = squared.T @ (w * g * g) + self.alone_precision[:, 1]
        det = np.maximum(1e-12, aa * bb - ab * ab)
        self.blocks = np.stack([bb / det, -ab / det, aa / det], axis=1)  # inverses
        a, b = self.model.level[self.model.alone], self.model.slope[self.model.alone]
        self.alone_gradient = np.stack(
            [
                alone.T @ self.residual - self.alone_precision[:, 0] * a,
                alone.T @ (g * self.residual) - self.alone_precision[:, 1] * b,
            ],
            axis=1,
        )
        self.reduced, self.reach = self.hessian, None
        if 0 < alone.shape[1] <= _MOST_ELIMINATED:
            left = [np.asarray(self._across(alone, factor)) for factor in (w, w * g)]
            solved = [
                left[0] * self.blocks[:, 0] + left[1] * self.blocks[:, 1],
                left[0] * self.blocks[:, 1] + left[1] * self.blocks[:, 2],
            ]
            self.reduced = self.hessian - solved[0] @ left[0].T - solved[1] @ left[1].T
            self.reach = (left, solved)

    def _across(self, alone: sparse.csr_matrix, factor: Floats) -> Floats:
        weighted = sparse.diags(factor) @ alone
        return np.concatenate([(self.sparse.T @ weighted).toarray(), np.asarray((weighted.T @ self.dense).T)])

    def step(self, group: NDArray[np.int64], value: float | None) -> tuple[PriceLogit, float, float]:
        """A damped Newton step: the model after it, its value, and what was gained."""
        gradient, own = self.gradient, self.alone_gradient
        if self.reach is not None:
            gradient = gradient - self.reach[1][0] @ own[:, 0] - self.reach[1][1] @ own[:, 1]
        change = np.linalg.solve(_definite(self.reduced), gradient)
        if self.reach is not None:
            own = own - np.stack([self.reach[0][0].T @ change, self.reach[0][1].T @ change], axis=1)
        blocks = self.blocks
        alone = np.stack(
            [blocks[:, 0] * own[:, 0] + blocks[:, 1] * own[:, 1], blocks[:, 1] * own[:, 0] + blocks[:, 2] * own[:, 1]],
            axis=1,
        )
        share = 1.0
        for _ in range(_HALVINGS):
            model = self._moved(share * change, share * alone)
            level, slope = model.terms(self.rows)
            logit = model._logits(self.rows, level + self.rows.steps @ model.steps, slope)
            found = _value(self.rows, logit) - 0.5 * _penalty(model, group)
            if found >= self.value:
                return model, found, found - self.value
            share /= 2
        return self.model, self.value, 0.0

    def _moved(self, change: Floats, alone: Floats) -> PriceLogit:
        model, j = self.model, len(self.model.joint)
        level, slope = model.level.copy(), model.slope.copy()
        level[model.joint] += change[:j]
        slope[model.joint] += change[j : 2 * j]
        level[model.alone] += alone[:, 0]
        slope[model.alone] += alone[:, 1]
        f, t = len(model.inputs), len(model.steps)
        rest = change[2 * j :]
        return replace(
            model,
            level=level,
            slope=slope,
            inputs=model.inputs + rest[:f],
            steps=model.steps + rest[f : f + t],
            rival=max(0.0, float(model.rival + rest[-1])),
        )

    def variances(self) -> tuple[Floats, Floats]:
        """Posterior variances of the dense part, and `(a, 2)` of the effects alone, given the rest."""
        return np.diag(np.linalg.inv(_definite(self.reduced))), self.blocks[:, [0, 2]]

    def with_covariance(self, group: NDArray[np.int64]) -> PriceLogit:
        """The model with its covariances; rows of one shopper that go together widen them (quasi-likelihood)."""
        inverse = np.linalg.inv(_definite(self.reduced))
        j = 2 * len(self.model.joint)
        _, cluster = np.unique(self.rows.cluster, return_inverse=True)
        sums = sparse.csr_matrix(
            (self.residual, (cluster, np.arange(len(cluster)))), (int(cluster.max()) + 1, len(cluster))
        )
        scores = (sums @ self.sparse).toarray()  # (clusters, 2 j)
        inner = inverse[:j, :j]
        information = self.hessian[:j, :j] - np.diag(self.precision[:j])
        expected = float(np.einsum("ij,ji->", inner, information))
        found = float(np.einsum("ci,ij,cj->", scores, inner, scores))
        wider = max(1.0, found / max(1e-9, expected))
        covariance = np.asarray(wider * inner, np.float64)
        return replace(self.model, covariance=covariance, alone_covariance=self.blocks)


def _value(rows: LogitRows, logit: Floats) -> float:
    return float(-(rows.mass * np.logaddexp(0.0, np.where(rows.bought > 0, -logit, logit))).sum())


def _penalty(model: PriceLogit, group: NDArray[np.int64]) -> float:
    sd = model.sd[group]
    return float(
        ((model.level / sd[:, 0]) ** 2).sum()
        + ((model.slope / sd[:, 1]) ** 2).sum()
        + (model.inputs**2).sum() / model.input_sd**2
        + (model.steps**2).sum() / model.step_sd**2
        + ((model.rival - RIVAL[0]) / RIVAL[1]) ** 2
    )


def _sds(model: PriceLogit, system: "_System", columns: EffectColumns) -> tuple[PriceLogit, bool]:
    """Prior sds learned anew from coefficients and their posterior variances; whether any moved by much."""
    dense, alone = system.variances()
    j = len(model.joint)
    variance = np.zeros((len(model.level), 2))
    variance[model.joint] = np.stack([dense[:j], dense[j : 2 * j]], axis=1)
    variance[model.alone] = alone
    found = model.sd.copy()
    for place, name in enumerate(columns.groups):
        if name == _ALL:
            continue
        members = columns.group == place
        for part, values in enumerate((model.level, model.slope)):
            found[place, part] = _sd(values[members], variance[members, part], model.sd[place, part])
    f, t = len(model.inputs), len(model.steps)
    rest = dense[2 * j :]
    input_sd = _sd(model.inputs, rest[:f], model.input_sd)
    steady = model.step_sd <= _STEADY
    step_sd = model.step_sd if steady else _sd(model.steps, rest[f : f + t], model.step_sd)
    before = np.r_[model.sd.ravel(), model.input_sd, model.step_sd]
    after = np.r_[found.ravel(), input_sd, step_sd]
    moved = bool((np.abs(np.log(after / before)) > 0.05).any())
    return replace(model, sd=found, input_sd=input_sd, step_sd=step_sd), moved


def _pruned(model: PriceLogit, system: "_System", columns: EffectColumns) -> PriceLogit:
    """Groups that a test takes for noise back to the least sd: few levels by chance look as if they differed."""
    variance = _variances(model, system)
    found = model.sd.copy()
    for place, name in enumerate(columns.groups):
        members = columns.group == place
        count = max(1, int(members.sum()) - 1)
        for part, values in enumerate((model.level, model.slope)):
            known = variance[members, part] / found[place, part] ** 2  # what is left of the prior variance
            shrunk = np.maximum(1e-3, 1.0 - known)
            statistic = float((values[members] ** 2 / (variance[members, part] * shrunk)).sum())
            if name != _ALL and statistic < count + _SURE * np.sqrt(2.0 * count):
                found[place, part] = min(found[place, part], _LEAST_SD)
    return replace(model, sd=found)


def _variances(model: PriceLogit, system: "_System") -> Floats:
    """Posterior variances of level and slope by effect, `(k, 2)`."""
    dense, alone = system.variances()
    j = len(model.joint)
    variance = np.zeros((len(model.level), 2))
    variance[model.joint] = np.stack([dense[:j], dense[j : 2 * j]], axis=1)
    variance[model.alone] = alone
    return variance


def _sd(values: Floats, variance: Floats, sd: float) -> float:
    """MacKay's update, held by two pseudo-observations at the least sd."""
    if not len(values):
        return sd
    counted = float(np.clip(1.0 - variance / sd**2, 0.0, 1.0).sum())
    found = np.sqrt((float((values**2).sum()) + _PRIOR_COUNT * _LEAST_SD**2) / (counted + _PRIOR_COUNT))
    return float(np.clip(found, sd / 3, sd * 3))


def _definite(matrix: Floats) -> Floats:
    return np.asarray((matrix + matrix.T) / 2 + 1e-9 * np.eye(len(matrix)))
