"""Reward model of the doubly robust estimators: cross-fitted demand given context and log price.

Decisions are weighted by the inverse propensity, at most `_MAX_WEIGHT`, as in marginal structural models (Robins,
Hernan and Brumback 2000). Without weights the model would be confounded: the logging policy charged more where it knew
that more would be paid, so demand would seem less price-sensitive than it is.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from eval.off_policy.sample import Integers, Sample
from models.arrays import Floats

FOLDS: Final = 5
_RIDGE: Final = 1.0
_MAX_WEIGHT: Final = 5.0  # relative to a decision with propensity 1
_STEPS: Final = 30


class CrossFit:
    """Logit in context, log price and their interactions; each fold is predicted by a model of the other folds.

    Folds keep the decisions of a shopper together.
    """

    def __init__(self, sample: Sample, seed: int = 0) -> None:
        """Fit one model per fold."""
        self.fold = folds(sample.cluster, FOLDS, seed)
        self._mean, self._scale = sample.context.mean(axis=0), sample.context.std(axis=0) + 1e-9
        self._context = self._standard(sample.context)
        self._shown = _design(self._context, np.log(sample.shown))
        self._bought = sample.bought
        self._weight = np.minimum(1 / sample.propensity, _MAX_WEIGHT)
        self._weight /= self._weight.mean()
        others = [self.fold != fold for fold in range(FOLDS)]
        fits = [_fit(self._shown[rows], sample.bought[rows], self._weight[rows]) for rows in others]
        self._beta = np.stack([fit.beta for fit in fits])
        self._hessian = np.stack([fit.hessian for fit in fits])

    def demand(self, price: Floats) -> Floats:
        """Predict purchase probabilities of the sample's rows at prices `(n, m)`."""
        own = self._beta[self.fold]
        found = [_sigmoid((self._design_at(price[:, m]) * own).sum(axis=1)) for m in range(price.shape[1])]
        return np.stack(found, axis=1)

    def slopes(self, price: Floats, weight: Floats) -> Floats:
        """Compute the derivative of `sum_m weight_m demand(price_m)` by the row's coefficients, `(n, p)`."""
        demand = self.demand(price)
        steep = weight * demand * (1 - demand)
        return sum(
            (steep[:, m, None] * self._design_at(price[:, m]) for m in range(price.shape[1])),
            start=np.zeros_like(self._shown),
        )

    def influence(self, slopes: Floats) -> Floats:
        """Influence of each row on a sum over all rows through the other folds' coefficients, `(n,)`, centred.

        Row i changes the coefficients of each fold f that it is not in by `H_f^-1 v_i x_i (y_i - q_f(x_i))`, with v_i
        its weight (influence function of an M-estimate, Huber 1967); `slopes` are derivatives of the sum.
        """
        found = np.zeros(len(self.fold))
        for fold in range(FOLDS):
            others = self.fold != fold
            x = self._shown[others]
            residual = self._bought[others] - _sigmoid(x @ self._beta[fold])
            direction = np.linalg.solve(self._hessian[fold], slopes[~others].sum(axis=0))
            found[others] += self._weight[others] * (x @ direction) * residual
        return np.asarray(found - found.mean())

    def _design_at(self, price: Floats) -> Floats:
        return _design(self._context, np.log(price))

    def _standard(self, context: Floats) -> Floats:
        return np.asarray((context - self._mean) / self._scale)


def folds(cluster: Integers, count: int, seed: int) -> Integers:
    """Assign rows to folds `(n,)`; rows of a cluster share a fold."""
    _, number = np.unique(cluster, return_inverse=True)
    order = np.random.default_rng((seed, 17)).permutation(number.max(initial=0) + 1)
    return np.asarray(order[number] % count, np.int64)


def _design(context: Floats, log_price: Floats) -> Floats:
    base = np.concatenate([np.ones((len(context), 1)), context], axis=1)
    return np.concatenate([base, base * log_price[:, None]], axis=1)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Coefficients `(p,)` and Hessian of the penalised log loss `(p, p)`."""

    beta: Floats
    hessian: Floats


def _fit(x: Floats, y: Floats, weight: Floats) -> _Fit:
    """Fit a weighted ridge logit by Newton's method; intercept and price slope are hardly penalised."""
    beta = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], _RIDGE)
    ridge[[0, x.shape[1] // 2]] = 1e-3
    for _ in range(_STEPS):
        p = _sigmoid(x @ beta)
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(hessian, x.T @ (weight * (y - p)) - ridge * beta)
        beta = beta + np.clip(step, -4, 4)
        if np.abs(step).max() < 1e-6:
            break
    p = _sigmoid(x @ beta)
    return _Fit(np.asarray(beta), np.asarray((x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(ridge)))


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))
