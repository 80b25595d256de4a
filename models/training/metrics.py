"""Validation metrics stored in `meta.json`."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.evaluator import Evaluator
from models.evaluator.monotone import sigmoid
from models.shopper.interest import InterestHead, conditional_state
from models.training.demo_inputs import DemoInputs
from models.training.interest import InterestData


def log_loss(label: Floats, probability: Floats, weight: Floats) -> float:
    """Compute the weighted mean of -log p(label), probabilities clipped to 1e-9."""
    clipped = np.clip(probability, 1e-9, 1 - 1e-9)
    return float(np.average(-(label * np.log(clipped) + (1 - label) * np.log(1 - clipped)), weights=weight))


def auc(label: Floats, score: Floats, weight: Floats) -> float:
    """Compute the weighted area under the ROC curve, ties counted half."""
    order = np.argsort(score, kind="stable")
    label, score, weight = label[order], score[order], weight[order]
    starts = np.flatnonzero(np.r_[True, np.diff(score) > 0])
    positive = np.add.reduceat(label * weight, starts)
    negative = np.add.reduceat((1 - label) * weight, starts)
    below = np.r_[0.0, np.cumsum(negative)[:-1]]
    return float((positive * (below + negative / 2)).sum() / (positive.sum() * negative.sum()))


def residual_slope(probability: Floats, label: Floats, weight: Floats, log_ratio: NDArray[np.float32]) -> float:
    """Slope of the log price in a weighted logistic regression with the model's logit as offset; 0 is best."""
    clipped = np.clip(probability, 1e-9, 1 - 1e-9)
    offset = np.log(clipped / (1 - clipped))
    design = np.stack([np.ones(len(label)), log_ratio.astype(np.float64)], axis=1)
    beta = np.zeros(2)
    for _ in range(25):
        mean = 1 / (1 + np.exp(-(offset + design @ beta)))
        gradient = design.T @ (weight * (label - mean))
        step = np.linalg.solve((design * (weight * mean * (1 - mean))[:, None]).T @ design, gradient)
        beta += step
        if np.abs(step).max() < 1e-10:
            break
    return float(beta[1])


def evaluator_metrics(evaluator: Evaluator, inputs: DemoInputs, rows: NDArray[np.int64]) -> dict[str, float]:
    """Compute log loss, relative information gain, AUC, calibration and elasticity on held-out panel rows."""
    panel = inputs.demo.panel
    label = panel.bought[rows].astype(np.float64)
    weight = panel.weight[rows].astype(np.float64)
    price = panel.log_ratio[rows].astype(np.float64)[:, None]
    parts = []
    for block in np.array_split(np.arange(len(rows)), 1 + len(rows) // 16_384):
        prices = np.concatenate([price[block], np.repeat([[-0.1, 0.1]], len(block), axis=0)], axis=1)
        parts.append(evaluator.expect(evaluator.represent(inputs.situations(rows[block])), prices).purchase)
    response = np.concatenate(parts)  # columns: at the price offered, 10 % below and 10 % above the reference
    probability = response[:, 0]
    rate = float(np.average(label, weights=weight))
    entropy = -(rate * np.log(rate) + (1 - rate) * np.log(1 - rate))
    loss = log_loss(label, probability, weight)
    elasticity = -(np.log(response[:, 2]) - np.log(response[:, 1])) / 0.2
    return {
        "log_loss": loss,
        "rig": 1 - loss / entropy,
        "auc": auc(label, probability, weight),
        "auc_category_only": auc(*(x[~panel.stratum_a[rows]] for x in (label, probability, weight))),
        "mean_prediction_over_rate": float(np.average(probability, weights=weight)) / rate,
        "elasticity": float(np.average(elasticity, weights=weight)),
        "residual_price_slope": residual_slope(probability, label, weight, panel.log_ratio[rows]),
        "wrong_sign_share": float((response[:, 2] > response[:, 1]).mean()),
    }


def interest_metrics(head: InterestHead, data: InterestData) -> dict[str, float]:
    """Compute log loss and AUC of the interest head, with and without history features."""
    weight = np.ones(len(data.label))
    label = data.label.astype(np.float64)
    found = {}
    for name, pair in (("interest", data.pair), ("interest_text_only", np.zeros_like(data.pair))):
        score = sigmoid(head.logits(conditional_state(data.shopper, data.category, pair)).astype(np.float64))
        found[f"{name}_log_loss"] = log_loss(label, score, weight)
        found[f"{name}_auc"] = auc(label, score, weight)
    return found
