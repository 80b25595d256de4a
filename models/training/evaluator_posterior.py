"""Posterior of the evaluator's last layers: a Laplace approximation with household-clustered sandwich covariance.

Huber 1967, White 1982; used in `models.evaluator.monotone`.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.arrays import Floats
from models.evaluator.monotone import DEAL_SCALE, SLOPE_MIN
from models.evaluator.promotion import promotion_states
from models.training.evaluator import EvaluatorData
from models.training.evaluator_net import EvaluatorNet, EvaluatorTrainingConfig

_BLOCK: Final = 65_536
_MAX_CLUSTERS: Final = 20_000


def posterior(
    net: EvaluatorNet, data: EvaluatorData, rows: NDArray[np.int64], config: EvaluatorTrainingConfig
) -> tuple[Floats, Floats]:
    """Compute cluster-robust covariances of the flattened purchase and satisfaction weights from the given rows."""
    phi = np.concatenate([_phi(net, data, block) for block in np.array_split(rows, 1 + len(rows) // _BLOCK)])
    returned = data.returned[rows]
    observed = ~np.isnan(returned)
    target = (data.bought[rows], np.log(data.rate[rows]), rows)
    purchase = _robust(net.purchase, phi, data, target, config.prior_precision)
    satisfaction = _robust(
        net.satisfaction,
        phi[observed],
        data,
        (returned[observed], np.zeros(int(observed.sum()), np.float32), rows[observed]),
        config.prior_precision,
    )
    return purchase, satisfaction


def _phi(net: EvaluatorNet, data: EvaluatorData, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    with torch.inference_mode():
        phi = net.body(
            torch.from_numpy(net.binning.encode(data.numeric[rows])),
            torch.from_numpy(data.shopper_states[data.shopper_row[rows]]),
            torch.from_numpy(data.product_states[data.product_row[rows]]),
            None if data.promotion is None else torch.from_numpy(promotion_states(data.promotion[rows])),
        )
    return np.asarray(phi.numpy(), np.float32)


def _robust(
    head: nn.Linear,
    phi: NDArray[np.float32],
    data: EvaluatorData,
    target: tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]],
    prior_precision: float,
) -> Floats:
    """Compute `H^-1 M H^-1`: `H` is the Hessian plus prior, `M` the sum over clusters of outer products of scores."""
    label, offset, rows = target
    weights = head.weight.detach().numpy().astype(np.float64)
    if not len(rows):
        return np.asarray(np.eye(weights.size) / prior_precision)
    _, cluster = np.unique(data.cluster[rows], return_inverse=True)
    cluster = cluster % _MAX_CLUSTERS  # merging independent clusters leaves the expected M unchanged
    hessian = prior_precision * np.eye(weights.size)
    scores = np.zeros((int(cluster.max()) + 1, weights.size))
    order = np.argsort(cluster, kind="stable")
    for block in np.array_split(order, 1 + len(order) // _BLOCK):
        jacobian, probability = _linearised(weights, phi[block], data.log_ratio[rows[block]], offset[block])
        hessian += (jacobian * (probability * (1 - probability))[:, None]).T @ jacobian
        starts = np.flatnonzero(np.r_[True, np.diff(cluster[block]) > 0])
        residual = (probability - label[block])[:, None] * jacobian
        scores[cluster[block][starts]] += np.add.reduceat(residual, starts, axis=0)
    inverse = np.linalg.inv(hessian)
    return np.asarray(inverse @ (scores.T @ scores + prior_precision * np.eye(len(inverse))) @ inverse, np.float64)


def _linearised(
    weights: Floats, phi: NDArray[np.float32], log_ratio: NDArray[np.float32], offset: NDArray[np.float32]
) -> tuple[Floats, Floats]:
    """Compute the derivative of the logit by the flattened weights `(n, (K + 1) * d)`, and the probability `(n,)`."""
    terms = phi @ weights.T
    basis = np.stack([-log_ratio, np.tanh(-log_ratio / DEAL_SCALE)], 1)[:, : terms.shape[1] - 1]
    gate = 1 / (1 + np.exp(-terms[:, 1:]))
    slopes = SLOPE_MIN + np.logaddexp(0, terms[:, 1:])
    logit = terms[:, 0] + (slopes * basis).sum(1) - offset
    factors = np.concatenate([np.ones((len(phi), 1)), gate * basis], 1)
    jacobian = (factors[:, :, None] * phi[:, None, :]).reshape(len(phi), -1).astype(np.float64)
    return jacobian, np.asarray(1 / (1 + np.exp(-logit)), np.float64)
