"""The reward model of doubly robust estimators: demand from context and log price, fitted on other rows only.

Decisions count by one over their propensity, at most `_MOST`: the log asked more where it knew that more would be
paid, and what it knew beyond the context would otherwise pass for a demand that hardly answers to price (confounding;
weighted as in marginal structural models, Robins, Hernan and Brumback 2000).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from eval.off_policy.sample import Integers, Sample
from models.arrays import Floats

FOLDS: Final = 5
_RIDGE: Final = 1.0
_MOST: Final = 5.0  # weight of a decision over one whose price was certain
_STEPS: Final = 30


class CrossFit:
    """A logit in context, log price and their products, fitted on the other folds; folds keep shoppers together."""

    def __init__(self, sample: Sample, seed: int = 0) -> None:
        """Fit one model a fold."""
        self.fold = folds(sample.cluster, FOLDS, seed)
        self._mean, self._scale = sample.context.mean(axis=0), sample.context.std(axis=0) + 1e-9
        self._context = self._standard(sample.context)
        self._shown = _design(self._context, np.log(sample.shown))
        self._bought = sample.bought
        self._weight = np.minimum(1 / sample.propensity, _MOST)
        self._weight /= self._weight.mean()
        others = [self.fold != fold for fold in range(FOLDS)]
        fits = [_fit(self._shown[rows], sample.bought[rows], self._weight[rows]) for rows in others]
        self._beta = np.stack([fit.beta for fit in fits])
        self._hessian = np.stack([fit.hessian for fit in fits])

    def demand(self, price: Floats) -> Floats:
        """Purchase probability of the sample's rows at prices `(n, m)`."""
        own = self._beta[self.fold]
        found = [_sigmoid((self._design_at(price[:, m]) * own).sum(axis=1)) for m in range(price.shape[1])]
        return np.stack(found, axis=1)

    def slopes(self, price: Floats, weight: Floats) -> Floats:
        """Derivative of `sum_m weight_m demand(price_m)` in each row's own coefficients, `(n, p)`."""
        demand = self.demand(price)
        steep = weight * demand * (1 - demand)
        return sum(
            (steep[:, m, None] * self._design_at(price[:, m]) for m in range(price.shape[1])),
            start=np.zeros_like(self._shown),
        )

    def influence(self, slopes: Floats) -> Floats:
        """What each row adds to a sum over all rows by having moved the other folds' coefficients, `(n,)`, mean 0.

        A row i moves the coefficients of every fold f that it is not in by `H_f^-1 v_i x_i (y_i - q_f(x_i))`, v
        its weight (the influence function of an M-estimate, Huber 1967); `slopes` say what that does to the sum over f.
        """
        found = np.zeros(len(self.fold))
        for fold in range(FOLDS):
            others = self.fold != fold
            x = self._shown[others]
            missed = self._bought[others] - _sigmoid(x @ self._beta[fold])
            moved = np.linalg.solve(self._hessian[fold], slopes[~others].sum(axis=0))
            found[others] += self._weight[others] * (x @ moved) * missed
        return np.asarray(found - found.mean())

    def _design_at(self, price: Floats) -> Floats:
        return _design(self._context, np.log(price))

    def _standard(self, context: Floats) -> Floats:
        return np.asarray((context - self._mean) / self._scale)


def folds(cluster: Integers, count: int, seed: int) -> Integers:
    """A fold `(n,)` for each row; rows of one cluster share theirs."""
    _, number = np.unique(cluster, return_inverse=True)
    order = np.random.default_rng((seed, 17)).permutation(number.max(initial=0) + 1)
    return np.asarray(order[number] % count, np.int64)


def _design(context: Floats, log_price: Floats) -> Floats:
    base = np.concatenate([np.ones((len(context), 1)), context], axis=1)
    return np.concatenate([base, base * log_price[:, None]], axis=1)


@dataclass(frozen=True, slots=True)
class _Fit:
    """Coefficients `(p,)`, and the Hessian of the penalised log loss there `(p, p)`."""

    beta: Floats
    hessian: Floats


def _fit(x: Floats, y: Floats, weight: Floats) -> _Fit:
    """Weighted ridge logit by Newton's method; level and price slope are not shrunk."""
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
