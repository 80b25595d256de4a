"""A logit that decreases in price by construction, with a Gaussian posterior over its last layer.

For a situation with body output `phi` `(d,)` and a price at log ratio `x = log(price / reference)`,

    logit(x) = w_0.phi + sum_k (SLOPE_MIN + softplus(w_k.phi)) * basis_k(x),   k = 1..K

where every `basis_k` decreases in `x`; the logit therefore decreases for any weights, hence for every posterior draw.
The posterior over `w = (w_0..w_K)` is a Laplace approximation with cluster-robust covariance (Huber 1967, White 1982).
Intervals are quantiles over a fixed set of draws; all prices share them, so prices can be compared draw by draw.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.arrays import Floats

SLOPE_MIN: Final = 0.02
N_DRAWS: Final = 64
DEAL_SCALE: Final = 0.15
_DRAW_SEED: Final = 20_17


def softplus(values: Floats) -> Floats:
    """Compute log(1 + exp(v)) without overflow; in an eighth of the time that `np.logaddexp` takes."""
    return np.asarray(np.maximum(values, 0.0) + np.log1p(np.exp(-np.abs(values))))


def sigmoid(values: Floats) -> Floats:
    """Compute 1 / (1 + exp(-v)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))


def scalar_sigmoid(value: float) -> float:
    """Compute `sigmoid` of one number; much faster than a one-element array."""
    return 0.5 * (1.0 + math.tanh(0.5 * value))


def price_basis(log_ratio: Floats, size: int, ramps: Floats | None = None) -> Floats:
    """Decreasing basis functions of `x`, `(..., size)`: -x, then `ramps` or the discount response tanh(-x / 0.15)."""
    if ramps is None:
        return np.stack([-log_ratio, np.tanh(-log_ratio / DEAL_SCALE)][:size], axis=-1)
    return np.concatenate([-log_ratio[..., None], ramp_basis(log_ratio, ramps)], axis=-1)[..., :size]


def ramp_basis(log_ratio: Floats, ramps: Floats) -> Floats:
    """Ramp functions that fall by 1 and are zero at the reference, `(..., k)`; `ramps` `(k, 2)` are start and width."""
    low, width = ramps[:, 0], ramps[:, 1]
    at_reference = np.clip(-low / width, 0.0, 1.0)
    return np.asarray(at_reference - np.clip((log_ratio[..., None] - low) / width, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class MonotoneHead:
    """Posterior mean `(K + 1, d)` and draws `(N_DRAWS, K + 1, d)` of the weights; `ramps` as in `price_basis`."""

    mean: Floats
    draws: Floats
    ramps: Floats | None = None

    @classmethod
    def from_posterior(cls, mean: Floats, covariance: Floats, ramps: Floats | None = None) -> "MonotoneHead":
        """Sample the draws once, by a fixed seed; `covariance` is of the flattened weights, `((K+1)*d, (K+1)*d)`."""
        values, vectors = np.linalg.eigh((covariance + covariance.T) / 2)
        root = vectors * np.sqrt(np.clip(values, 0.0, None))
        half = np.random.default_rng(_DRAW_SEED).standard_normal((N_DRAWS // 2, len(values)))
        noise = np.concatenate([half, -half])  # antithetic: the draws average to the posterior mean
        return cls(mean, mean[None] + (noise @ root.T).reshape(N_DRAWS, *mean.shape), ramps)

    def terms(self, phi: Floats) -> Floats:
        """Compute level and slopes before softplus, `(n, K+1)`."""
        return phi @ self.mean.T

    def logits(
        self, phi: Floats, log_ratio: Floats, shift: tuple[Floats, Floats] | None = None, size: int | None = None
    ) -> Floats:
        """Compute mean logits `(n, m)` of situations `phi` `(n, d)` at prices `log_ratio` `(n, m)`.

        `shift` is added to level and first slope, `(n,)` each; only the first `size` basis functions are used.
        """
        terms = self.terms(phi)  # (n, K+1)
        if shift is not None:
            terms[:, 0] += shift[0]
            terms[:, 1] += shift[1]
        slopes = SLOPE_MIN + softplus(terms[:, 1:][:, :size])
        basis = price_basis(log_ratio, slopes.shape[1], self.ramps)
        return np.asarray(terms[:, :1] + np.einsum("nk,nmk->nm", slopes, basis))

    def drawn_logits(
        self, phi: Floats, log_ratio: Floats, shift: tuple[Floats, Floats] | None = None, size: int | None = None
    ) -> Floats:
        """Compute the logits of every draw, `(n, m, N_DRAWS)`; as `logits`, with `shift` `(n, N_DRAWS)` each."""
        terms = np.tensordot(phi, self.draws, axes=(1, 2))  # (n, draws, K+1)
        if shift is not None:
            terms[:, :, 0] += shift[0]
            terms[:, :, 1] += shift[1]
        slopes = SLOPE_MIN + softplus(terms[:, :, 1:][:, :, :size])
        basis = price_basis(log_ratio, slopes.shape[2], self.ramps)
        return np.asarray(terms[:, None, :, 0] + np.einsum("nsk,nmk->nms", slopes, basis))

    def drawn_slopes(self, phi: Floats, shift: Floats | None = None) -> Floats:
        """Compute the first slope of every draw, `(n, N_DRAWS)`; `shift` `(n, N_DRAWS)` is added before softplus."""
        before = phi @ self.draws[:, 1].T
        return np.asarray(SLOPE_MIN + softplus(before if shift is None else before + shift))

    def rest(self, phi: Floats, log_ratio: Floats) -> Floats:
        """Compute what basis functions 2..K add to the mean logit at one price each, `log_ratio` `(n,)`; `(n,)`."""
        slopes = SLOPE_MIN + softplus(self.terms(phi)[:, 1:])
        basis = price_basis(log_ratio, slopes.shape[1], self.ramps)
        return np.asarray((slopes * basis)[:, 1:].sum(axis=1))
