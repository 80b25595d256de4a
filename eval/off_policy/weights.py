"""How much a logged price tells of a price that was not shown: importance weights, exact and kernelised.

Exact: one over the propensity where the prices agree, else nothing. Kernelised: prices near by count too,

    w = K((log shown - log target) / h) / sum_k mu_k K((log p_k - log target) / h)

where p_k, mu_k are the prices that might have been shown and their chances: the generalised propensity score of a
policy that shows finitely many prices (after Kallus and Zhou, "Policy Evaluation and Optimization with Continuous
Treatments", AISTATS 2018). The mean weight is 1 wherever some price within h might have been shown.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from eval.off_policy.sample import Sample, Target
from models.arrays import Floats

BANDWIDTHS: Final = (0.02, 0.04, 0.08, 0.16)  # of log price
_SAME: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Weights:
    """`value` `(n, m)` for each of the target's prices; `supported` `(n,)`, the target's mass on those with support."""

    value: Floats
    supported: Floats


def exact_weights(sample: Sample, target: Target) -> Weights:
    """Weights of prices that agree."""
    same = np.abs(target.price - sample.shown[:, None]) < _SAME
    might = (np.abs(sample.support[:, None, :] - target.price[:, :, None]) < _SAME) & (sample.chance[:, None, :] > 0)
    supported = (might.any(axis=2) * target.chance).sum(axis=1)
    return Weights(same / sample.propensity[:, None], supported)


def kernel_weights(sample: Sample, target: Target, bandwidth: float) -> Weights:
    """Weights under an Epanechnikov kernel of `bandwidth` in log price."""
    wanted = np.log(target.price)
    near = _kernel((np.log(sample.support)[:, None, :] - wanted[:, :, None]) / bandwidth)  # (n, m, k)
    density = (near * sample.chance[:, None, :]).sum(axis=2)
    here = _kernel((np.log(sample.shown)[:, None] - wanted) / bandwidth)
    value = np.divide(here, density, out=np.zeros_like(here), where=density > 0)
    return Weights(value, ((density > 0) * target.chance).sum(axis=1))


def _kernel(u: Floats) -> Floats:
    return np.maximum(0.0, 1.0 - u * u)
