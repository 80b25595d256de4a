"""What a policy would have earned, from a log of another: profit a decision, minor units.

A sale's margin at a price is known; only demand has to be estimated. Every estimator is therefore one of demand at the
target's price t, times the margin there:

    IPS   w y                 (Horvitz and Thompson 1952)
    SNIPS w y / mean w        (Swaminathan and Joachims, NeurIPS 2015)
    DM    q(t)
    DR    q(t) + w (y - q(s)) (Dudik, Langford and Li, ICML 2011)

with y whether the shopper bought at the price s that was shown, w the weight, q the cross-fitted demand. Kernelised
weights take their bandwidth from `choose_bandwidth`.

DM and DR carry what each decision did to q (`CrossFit.influence`): near the target's price the kernel compares prices
that differ, so that the noise of q's slope stays in kernel DR, above all where two policies lie close together and
share the sales that judge them.
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
    """Names as the field uses them."""

    IPS = "IPS"
    SNIPS = "SNIPS"
    DM = "DM"
    DR = "DR"
    KERNEL_SNIPS = "kernel SNIPS"
    KERNEL_DR = "kernel DR"


@dataclass(frozen=True, slots=True)
class Judge:
    """A sample with what all targets share."""

    sample: Sample
    model: CrossFit

    @classmethod
    def of(cls, sample: Sample) -> "Judge":
        """Fit the reward model."""
        return cls(sample, CrossFit(sample))

    def terms(self, target: Target, estimator: Estimator, bandwidth: float | None = None) -> Terms:
        """An estimator's sums; kernelised ones choose their bandwidth when none is given."""
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
        """The widest kernel whose kernel DR agrees with all narrower ones within their noise.

        Lepski's principle, as in SLOPE (Su, Srinath and Krishnamurthy, ICML 2020).
        """
        lows, highs = [], []
        for bandwidth in BANDWIDTHS:
            values = self._doubly_robust(target, kernel_weights(self.sample, target, bandwidth))
            half = 2 * float(values.std()) / np.sqrt(len(values))
            lows.append(float(values.mean()) - half)
            highs.append(float(values.mean()) + half)
        chosen = BANDWIDTHS[0]
        for place, (_, bandwidth) in enumerate(pairwise(BANDWIDTHS), 2):
            if max(lows[:place]) > min(highs[:place]):
                break
            chosen = bandwidth
        return chosen

    def _doubly_robust(self, target: Target, weights: Weights) -> Floats:
        missed = self.sample.bought - self.model.demand(self.sample.shown[:, None])[:, 0]
        demand = self.model.demand(target.price) + weights.value * missed[:, None]
        return np.asarray((target.chance * self.sample.margin(target.price) * demand).sum(axis=1))

    def _model_noise(self, target: Target, weights: Weights) -> Floats:
        """What each decision adds to the sum of `_doubly_robust` through q, `(n,)`, mean 0."""
        paid = target.chance * self.sample.margin(target.price)
        at_target = self.model.slopes(target.price, paid)
        at_shown = self.model.slopes(self.sample.shown[:, None], (paid * weights.value).sum(axis=1, keepdims=True))
        return self.model.influence(at_target - at_shown)


def _plain(values: Floats) -> Terms:
    return Terms(values, np.ones(len(values)))
