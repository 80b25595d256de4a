"""Importance weights for off-policy estimation, exact and kernelised.

Exact weights are 1 / propensity where target and shown price agree, else 0. Kernel weights also use nearby prices,

    w = K((log shown - log target) / h) / sum_k mu_k K((log p_k - log target) / h)

where p_k and mu_k are the possible prices and their probabilities: the generalised propensity score of a policy with
finitely many prices (after Kallus and Zhou, "Policy Evaluation and Optimization with Continuous Treatments", AISTATS
2018). The expected weight is 1 wherever a possible price lies within h.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from eval.off_policy.sample import Sample, Target
from models.arrays import Floats

BANDWIDTHS: Final = (0.02, 0.04, 0.08, 0.16)  # in log price
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the target's prices `(n, m)`, and the target's probability of supported prices, `(n,)`."""

    value: Floats
    supported: Floats


def exact_weights(sample: Sample, target: Target) -> Weights:
    """Compute exact weights."""
    same = np.abs(target.price - sample.shown[:, None]) < _SAME
    possible = (np.abs(sample.support[:, None, :] - target.price[:, :, None]) < _SAME) & (sample.chance[:, None, :] > 0)
    supported = (possible.any(axis=2) * target.chance).sum(axis=1)
    return Weights(same / sample.propensity[:, None], supported)


def kernel_weights(sample: Sample, target: Target, bandwidth: float) -> Weights:
    """Compute weights with an Epanechnikov kernel of `bandwidth` in log price."""
    log_target = np.log(target.price)
    near = _kernel((np.log(sample.support)[:, None, :] - log_target[:, :, None]) / bandwidth)  # (n, m, k)
    density = (near * sample.chance[:, None, :]).sum(axis=2)
    shown = _kernel((np.log(sample.shown)[:, None] - log_target) / bandwidth)
    value = np.divide(shown, density, out=np.zeros_like(shown), where=density > 0)
    return Weights(value, ((density > 0) * target.chance).sum(axis=1))


def _kernel(u: Floats) -> Floats:
    return np.maximum(0.0, 1.0 - u * u)
