"""Off-policy estimators of a policy's profit per decision, in minor units.

The margin at a price is known, so only demand is estimated. Each estimator is one of demand at the target price t,
multiplied by the margin there:

    IPS   w y                 (Horvitz and Thompson 1952)
    SNIPS w y / mean w        (Swaminathan and Joachims, NeurIPS 2015)
    DM    q(t)
    DR    q(t) + w (y - q(s)) (Dudik, Langford and Li, ICML 2011)

with y the purchase label at the price s shown, w the importance weight and q the cross-fitted demand. The bandwidth of
kernel weights comes from `choose_bandwidth`.

Terms of DM and DR include each decision's influence on q (`CrossFit.influence`). Kernel DR compares different prices,
so the estimation error of q's slope does not cancel; this matters most for two similar policies, which are evaluated
on the same sales.
"""

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from eval.off_policy.demand import CrossFit
from eval.off_policy.intervals import Terms
from eval.off_policy.sample import Sample, Target
from eval.off_policy.weights import BANDWIDTHS, Weights, exact_weights, kernel_weights
from models.arrays import Floats


class Estimator(StrEnum):
    """Estimators by their standard names."""

    IPS = "IPS"
    SNIPS = "SNIPS"
    DM = "DM"
    DR = "DR"
    KERNEL_SNIPS = "kernel SNIPS"
    KERNEL_DR = "kernel DR"


@dataclass(frozen=True, slots=True)
class OffPolicyEvaluator:
    """Evaluates target policies on one sample with a shared reward model."""

    sample: Sample
    model: CrossFit

    @classmethod
    def of(cls, sample: Sample) -> "OffPolicyEvaluator":
        """Fit the reward model to a sample."""
        return cls(sample, CrossFit(sample))

    def terms(self, target: Target, estimator: Estimator, bandwidth: float | None = None) -> Terms:
        """Compute the terms of an estimator; kernel estimators choose a bandwidth if none is given."""
        if estimator is Estimator.DM:
            paid = target.chance * self.sample.margin(target.price)
            values = (paid * self.model.demand(target.price)).sum(axis=1)
            return _plain(values + self.model.influence(self.model.slopes(target.price, paid)))
        if estimator in (Estimator.KERNEL_SNIPS, Estimator.KERNEL_DR):
            weights = kernel_weights(self.sample, target, bandwidth or self.choose_bandwidth(target))
        else:
            weights = exact_weights(self.sample, target)
        if estimator in (Estimator.DR, Estimator.KERNEL_DR):
            return _plain(self._doubly_robust(target, weights) + self._model_noise(target, weights))
        paid = self.sample.margin(target.price) * weights.value * self.sample.bought[:, None]
        above = (target.chance * paid).sum(axis=1)
        mass = (target.chance * weights.value).sum(axis=1)
        return Terms(above, mass) if estimator is not Estimator.IPS else _plain(above)

    def choose_bandwidth(self, target: Target) -> float:
        """Choose the widest bandwidth whose kernel DR agrees with all narrower ones within their noise.

        Lepski's method, as in SLOPE (Su, Srinath and Krishnamurthy, ICML 2020).
        """
        lows, highs = [], []
        for bandwidth in BANDWIDTHS:
            values = self._doubly_robust(target, kernel_weights(self.sample, target, bandwidth))
            half = 2 * float(values.std()) / np.sqrt(len(values))
            lows.append(float(values.mean()) - half)
            highs.append(float(values.mean()) + half)
        chosen = BANDWIDTHS[0]
        for count, (_, bandwidth) in enumerate(pairwise(BANDWIDTHS), 2):
            if max(lows[:count]) > min(highs[:count]):
                break
            chosen = bandwidth
        return chosen

    def _doubly_robust(self, target: Target, weights: Weights) -> Floats:
        residual = self.sample.bought - self.model.demand(self.sample.shown[:, None])[:, 0]
        demand = self.model.demand(target.price) + weights.value * residual[:, None]
        return np.asarray((target.chance * self.sample.margin(target.price) * demand).sum(axis=1))

    def _model_noise(self, target: Target, weights: Weights) -> Floats:
        """Influence of each decision on the sum of `_doubly_robust` through q, `(n,)`, centred."""
        paid = target.chance * self.sample.margin(target.price)
        at_target = self.model.slopes(target.price, paid)
        at_shown = self.model.slopes(self.sample.shown[:, None], (paid * weights.value).sum(axis=1, keepdims=True))
        return self.model.influence(at_target - at_shown)


def _plain(values: Floats) -> Terms:
    return Terms(values, np.ones(len(values)))
