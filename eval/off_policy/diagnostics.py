"""Diagnostics of off-policy estimates: effective sample size, weight tails and support."""

from dataclasses import dataclass

import numpy as np

from eval.off_policy.sample import Sample, Target
from eval.off_policy.weights import Weights


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """Diagnostics of the importance weights of one policy.

    Attributes:
        decisions: Number of decisions in the log.
        effective: Effective sample size, (sum w)^2 / sum w^2 (Kish 1965).
        mean_weight: Mean weight, near 1 if the propensities are correct.
        largest_share: Largest share of the total weight on one decision.
        weight_p99: 99th percentile of the weights.
        supported: Share of the policy's prices with positive logging probability at or near them.
        varied: Share of decisions with more than one possible price.
    """

    decisions: int
    effective: float
    mean_weight: float
    largest_share: float
    weight_p99: float
    supported: float
    varied: float


def diagnose(sample: Sample, target: Target, weights: Weights) -> Diagnostics:
    """Compute the diagnostics of a target's weights."""
    each = (target.chance * weights.value).sum(axis=1)
    total, squares = float(each.sum()), float((each**2).sum())
    return Diagnostics(
        decisions=len(sample),
        effective=total**2 / squares if squares else 0.0,
        mean_weight=float(each.mean()),
        largest_share=float(each.max()) / total if total else 0.0,
        weight_p99=float(np.percentile(each, 99)),
        supported=float(weights.supported.mean()),
        varied=float((sample.chance.max(axis=1) < 1 - 1e-9).mean()),
    )
