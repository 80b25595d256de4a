"""The reward model of doubly robust estimators: demand from context and log price, fitted on other rows only."""

from typing import Final

import numpy as np

from eval.off_policy.sample import Floats, Integers, Sample

FOLDS: Final = 5
_RIDGE: Final = 1.0
_STEPS: Final = 30


class CrossFit:
    """A logit in context, log price and their products, fitted on the other folds; folds keep shoppers together."""

    def __init__(self, sample: Sample, seed: int = 0) -> None:
        """Fit one model a fold."""
        self.fold = folds(sample.cluster, FOLDS, seed)
        self._mean, self._scale = sample.context.mean(axis=0), sample.context.std(axis=0) + 1e-9
        self._context = self._standard(sample.context)
        design = _design(self._context, np.log(sample.shown))
        self._beta = np.stack([_fit(design[self.fold != f], sample.bought[self.fold != f]) for f in range(FOLDS)])

    def demand(self, price: Floats) -> Floats:
        """Purchase probability of the sample's rows at prices `(n, m)`."""
        own = self._beta[self.fold]
        found = [
            _sigmoid((_design(self._context, np.log(price[:, column])) * own).sum(axis=1))
            for column in range(price.shape[1])
        ]
        return np.stack(found, axis=1)

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


def _fit(x: Floats, y: Floats) -> Floats:
    """Ridge logit by Newton's method; level and price slope are not shrunk."""
    beta = np.zeros(x.shape[1])
    ridge = np.full(x.shape[1], _RIDGE)
    ridge[[0, x.shape[1] // 2]] = 1e-3
    for _ in range(_STEPS):
        p = _sigmoid(x @ beta)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(ridge)
        step = np.linalg.solve(hessian, x.T @ (y - p) - ridge * beta)
        beta = beta + np.clip(step, -4, 4)
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(beta)


def _sigmoid(z: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -30, 30))))
