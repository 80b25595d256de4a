"""Fit of one factor of satisfaction: a logit of being content with shrunk effects of category and product.

    logit = a + u[category] + v[product] - exp(s) log(price / reference)

The prior of `a` and `s` is that of `models.evaluator.satisfaction`; variances of `u` and `v` are estimated from the
rows (`own_evidence`). Labels may lie between 0 and 1, as ratings do: the likelihood is then a quasi-likelihood, whose
variance is at most that of a yes or no. Fitted by Newton's method; products are eliminated (Schur complement).
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from models.arrays import Floats
from models.evaluator.monotone import sigmoid
from models.evaluator.satisfaction import Factor
from models.training.own_evidence import LEAST_SD, Evidence

Ints = NDArray[np.int64]

MOST_CATEGORIES: Final = 200
"""Categories with an effect of their own, those reported most."""
_START_SD: Final = 0.3
_SCALE: Final = 0.5  # of the half-Cauchy prior of the effects' standard deviations
_UPDATES: Final = 10
_ITERATIONS: Final = 30
_HALVINGS: Final = 12
_SETTLED: Final = 0.05
_TOLERANCE: Final = 1e-9
_MOST_LOG_SLOPE: Final = 4.0


@dataclass(frozen=True, slots=True)
class ContentRows:
    """Reports to fit, `(n,)` each; `names` as in `Sales`, `cluster` tells shoppers apart."""

    names: tuple[tuple[str, str], ...]
    product: Ints
    cluster: Ints
    log_ratio: Floats
    content: Floats


@dataclass(frozen=True, slots=True)
class _Model:
    """Coefficients: level, logarithm of the slope and categories; products; sds of both kinds of effects."""

    dense: Floats
    products: Floats
    sd: tuple[float, float]


def fit_factor(rows: ContentRows, prior: Factor, *, whole: bool = True) -> Factor:
    """Fit the posterior; without `whole` the slope stays the prior's and there are no effects."""
    if not whole:
        rows = replace(rows, names=(("", ""),), product=np.zeros_like(rows.product))
    system = _System(rows, prior, whole=whole)
    model = _Model(
        np.r_[prior.mean, np.zeros(len(system.categories))],
        np.zeros(len(rows.names)),
        (_START_SD, _START_SD) if whole else (LEAST_SD * 1e-3, LEAST_SD * 1e-3),
    )
    for _ in range(_UPDATES if whole else 1):
        model = system.fitted(model)
        updated = system.with_estimated_sds(model) if whole else model
        changed = np.abs(np.log(np.asarray(updated.sd) / np.asarray(model.sd))).max()
        model = updated
        if changed < _SETTLED:
            break
    return system.factor(system.fitted(model))


class _System:
    """Rows of the fit, their design, and Newton's steps."""

    def __init__(self, rows: ContentRows, prior: Factor, *, whole: bool) -> None:
        self.rows, self.prior, self.whole = rows, prior, whole
        self.variance = np.diag(prior.covariance).copy()
        if not whole:
            self.variance[1] = 1e-8
        words = np.asarray([category.lower() for _, category in rows.names])[rows.product]
        found, counts = np.unique(words[words != ""], return_counts=True)
        most = found[np.argsort(-counts, kind="stable")][:MOST_CATEGORIES] if whole else found[:0]
        self.categories = np.sort(most)
        n = len(rows.content)
        place = np.searchsorted(self.categories, words) if len(self.categories) else np.zeros(n, np.int64)
        place = np.minimum(place, max(0, len(self.categories) - 1))
        member = np.flatnonzero(self.categories[place] == words) if len(self.categories) else np.zeros(0, np.int64)
        shape = (n, len(self.categories))
        self.of_category = sparse.csr_matrix((np.ones(len(member)), (member, place[member])), shape)
        self.of_product = sparse.csr_matrix((np.ones(n), (np.arange(n), rows.product)), (n, len(rows.names)))

    def logits(self, model: _Model) -> Floats:
        """Logits of the rows, `(n,)`."""
        level = model.dense[0] + self.of_category @ model.dense[2:] + model.products[self.rows.product]
        return np.asarray(level - np.exp(model.dense[1]) * self.rows.log_ratio)

    def value(self, model: _Model) -> float:
        """Log posterior density, up to a constant."""
        logit, own = self.logits(model), model.dense[:2] - self.prior.mean
        likelihood = float((self.rows.content * logit - np.logaddexp(0.0, logit)).sum())
        penalty = float((own**2 / self.variance).sum()) + float((model.dense[2:] ** 2).sum()) / model.sd[1] ** 2
        return likelihood - 0.5 * (penalty + float((model.products**2).sum()) / model.sd[0] ** 2)

    def fitted(self, model: _Model) -> _Model:
        """Posterior mode at the model's sds of effects."""
        value = self.value(model)
        for _ in range(_ITERATIONS):
            change, products = self._step(model)
            share = 1.0
            for _ in range(_HALVINGS):
                dense = model.dense + share * change
                dense[1] = min(dense[1], _MOST_LOG_SLOPE)
                moved = replace(model, dense=dense, products=model.products + share * products)
                gain = self.value(moved) - value
                if gain >= 0:
                    break
                share /= 2
            else:
                return model
            model, value = moved, value + gain
            if gain < _TOLERANCE * len(self.rows.content):
                return model
        return model

    def _parts(self, model: _Model) -> tuple[Floats, sparse.csr_matrix, Floats, Floats, Floats]:
        """Residuals, dense design, inverse of the reduced Hessian, blocks of products, and their coupling."""
        p = sigmoid(self.logits(model))
        w = np.maximum(1e-9, p * (1 - p))
        steep = -np.exp(model.dense[1]) * self.rows.log_ratio
        design = sparse.hstack([np.stack([np.ones(len(p)), steep], axis=1), self.of_category]).tocsr()
        weighted = sparse.diags(w) @ design
        hessian = (design.T @ weighted).toarray() + np.diag(self._precision(model))
        blocks = self.of_product.T @ w + 1.0 / model.sd[0] ** 2
        coupling = np.asarray((self.of_product.T @ weighted).todense()) / blocks[:, None]  # (products, dense)
        reduced = hessian - coupling.T @ (coupling * blocks[:, None])
        return self.rows.content - p, design, np.linalg.inv((reduced + reduced.T) / 2), blocks, coupling

    def _precision(self, model: _Model) -> Floats:
        return np.concatenate([1.0 / self.variance, np.full(len(self.categories), 1.0 / model.sd[1] ** 2)])

    def _step(self, model: _Model) -> tuple[Floats, Floats]:
        residual, design, inverse, blocks, coupling = self._parts(model)
        offset = np.r_[model.dense[:2] - self.prior.mean, model.dense[2:]]
        gradient = design.T @ residual - self._precision(model) * offset
        own = self.of_product.T @ residual - model.products / model.sd[0] ** 2
        change = inverse @ (gradient - coupling.T @ own)
        return np.asarray(change), np.asarray(own / blocks - coupling @ change)

    def with_estimated_sds(self, model: _Model) -> _Model:
        """Update the sds of effects, half of the way in logarithms."""
        _, _, inverse, blocks, _ = self._parts(model)
        products, categories = Evidence(), Evidence()
        products.add_independent(model.products, 1.0 / blocks, model.sd[0])
        categories.add(model.dense[2:], inverse[2:, 2:], model.sd[1])
        found = np.sqrt(model.sd[0] * products.best_sd(_SCALE))
        shared = np.sqrt(model.sd[1] * categories.best_sd(_SCALE)) if len(self.categories) else LEAST_SD
        return replace(model, sd=(float(found), float(shared)))

    def factor(self, model: _Model) -> Factor:
        """The posterior, its variances inflated where reports of one shopper are alike."""
        residual, design, inverse, blocks, _ = self._parts(model)
        _, cluster = np.unique(self.rows.cluster, return_inverse=True)
        sums = sparse.csr_matrix((residual, (cluster, np.arange(len(cluster)))))
        scores = np.asarray((sums @ design).todense())
        alone = np.asarray((sparse.diags(residual) @ design).todense())
        found, expected = (float(np.einsum("ci,ij,cj->", part, inverse, part)) for part in (scores, alone))
        inflation = max(1.0, found / max(1e-12, expected))
        covariance = inflation * inverse
        if not self.whole:
            return Factor(model.dense[:2], np.diag([covariance[0, 0], self.prior.covariance[1, 1]]))
        level = covariance[0, 0]
        within = covariance[0, 0] + 2 * covariance[0, 2:] + np.diag(covariance)[2:] - level
        effects = {
            f"product.category={word}": (float(mean), float(max(0.0, variance)))
            for word, mean, variance in zip(self.categories.tolist(), model.dense[2:], within, strict=True)
        }
        counted = np.flatnonzero(np.asarray(self.of_product.sum(axis=0)).ravel())
        effects |= {
            f"product={self.rows.names[place][0]}": (float(model.products[place]), float(inflation / blocks[place]))
            for place in counted.tolist()
        }
        return Factor(model.dense[:2], covariance[:2, :2], effects, (model.sd[0] ** 2, model.sd[1] ** 2))
