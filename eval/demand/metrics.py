"""Metrics of protocol A for any model that predicts the purchase probability at a price."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from sklearn.metrics import average_precision_score

from eval.demand.protocol import Demand, Ints
from models.arrays import Floats
from models.training.metrics import auc, log_loss, residual_slope

STEP: Final = 0.1  # of the log price, for elasticity and sign
_RESAMPLES: Final = 2000


@dataclass(frozen=True, slots=True)
class Predictions:
    """Probabilities `(n,)` at the offered price and at log prices `STEP` below and above it."""

    offered: Floats
    below: Floats
    above: Floats


@dataclass(frozen=True, slots=True)
class DemandScores:
    """Metrics of one model.

    Attributes:
        rig: Relative information gain, 1 - log loss / entropy of the base rate.
        auc_a: AUC for products that the household had bought before; `auc_b` for the others.
        elasticity: Own-price elasticity of aggregate demand, by a central difference at the offered prices.
        wrong_sign_share: Share of rows whose probability rises with the price.
        residual_slope: See `residual_slope`.
        mean_over_rate: Mean prediction divided by the purchase rate.
    """

    log_loss: float
    rig: float
    auc: float
    pr_auc: float
    auc_a: float
    auc_b: float
    elasticity: float
    wrong_sign_share: float
    residual_slope: float
    mean_over_rate: float


def demand_scores(demand: Demand, rows: Ints, predicted: Predictions) -> DemandScores:
    """Score the predictions for the given rows, weighted by sampling weight."""
    label = demand.data.bought[rows].astype(np.float64)
    weight = demand.data.weight[rows].astype(np.float64)
    stratum_a = demand.stratum_a[rows]
    rate = float(np.average(label, weights=weight))
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    loss = log_loss(label, predicted.offered, weight)
    total = [float(weight @ part) for part in (predicted.below, predicted.above)]
    return DemandScores(
        log_loss=loss,
        rig=float(1 - loss / entropy),
        auc=auc(label, predicted.offered, weight),
        pr_auc=float(average_precision_score(label, predicted.offered, sample_weight=weight)),
        auc_a=auc(label[stratum_a], predicted.offered[stratum_a], weight[stratum_a]),
        auc_b=auc(label[~stratum_a], predicted.offered[~stratum_a], weight[~stratum_a]),
        elasticity=float(np.log(total[1] / total[0]) / (2 * STEP)),
        wrong_sign_share=float((predicted.above > predicted.below + 1e-12).mean()),
        residual_slope=residual_slope(predicted.offered, label, weight, demand.data.log_ratio[rows]),
        mean_over_rate=float(np.average(predicted.offered, weights=weight)) / rate,
    )


@dataclass(frozen=True, slots=True)
class Difference:
    """Mean log loss of one model minus that of another, with a 95 % interval over resampled households."""

    value: float
    low: float
    high: float


def paired_difference(demand: Demand, rows: Ints, one: Floats, other: Floats, seed: int = 17) -> Difference:
    """Estimate the difference by a paired bootstrap over households (Efron & Tibshirani 1993, ch. 8)."""
    label = demand.data.bought[rows].astype(np.float64)
    weight = demand.data.weight[rows].astype(np.float64)

    def losses(probability: Floats) -> Floats:
        clipped = np.clip(probability, 1e-9, 1 - 1e-9)
        return np.asarray(-weight * (label * np.log(clipped) + (1 - label) * np.log(1 - clipped)), np.float64)

    _, household = np.unique(demand.data.cluster[rows], return_inverse=True)
    difference = np.bincount(household, weights=losses(one) - losses(other))
    weights = np.bincount(household, weights=weight)
    n = len(difference)
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=_RESAMPLES)
    resampled = (counts @ difference) / (counts @ weights)
    low, high = np.percentile(resampled, [2.5, 97.5])
    return Difference(float(difference.sum() / weights.sum()), float(low), float(high))
