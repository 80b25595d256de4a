"""Assembly of the evaluator from the parts that a training on own outcomes selected, with its posterior covariance."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.evaluator import Evaluator
from models.evaluator.monotone import SLOPE_MIN, MonotoneHead, sigmoid, softplus
from models.evaluator.satisfaction import LEVEL
from models.evaluator.text_effects import GROUP
from models.training.evaluator import key_projection, to_weights
from models.training.evaluator_net import EvaluatorNet, EvaluatorTrainingConfig
from models.training.own_effects import trained_effects
from models.training.own_kink_choice import ramp_covariance
from models.training.own_kinks import Ramps
from models.training.own_logit import PriceLogit
from models.training.own_rows import Rows
from models.training.own_table import OwnTable

LEAST_TOLD: Final = 30
"""Rows that must have an input for its coefficient to be learned."""


@dataclass(frozen=True, slots=True)
class AddedNetwork:
    """The network and its contributions to level and slope of every row, `(n,)` each, at a share of 1.

    The mean over the training rows (`means`) is subtracted, as constants belong to the logit.
    """

    net: EvaluatorNet
    level: Floats
    slope: Floats
    means: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Parts:
    """Fitted logit and ramps, and a network with the share of it that counts."""

    logit: PriceLogit
    ramps: Ramps
    added: AddedNetwork
    share: float


def assemble(
    table: OwnTable,
    known: Rows,
    parts: Parts,
    config: EvaluatorTrainingConfig,
    version: str,
) -> tuple[Evaluator, tuple[Floats, Floats]]:
    """Build the evaluator: the logit's constants and linear term, hidden layers at their share, ramps as slopes."""
    logit, ramps, added, share = parts.logit, parts.ramps, parts.added, parts.share
    net, data = added.net, table.rows.data
    with torch.no_grad():
        net.linear.weight[0, : len(logit.inputs)] = torch.from_numpy(logit.inputs.astype(np.float32))
    constants = logit.constants(table.rows.effects) - share * np.asarray(added.means)
    hidden = share * net.purchase.weight[:, :-2].detach().numpy().astype(np.float64)
    count = len(ramps.heights)
    mean = np.zeros((2 + count, hidden.shape[1] + 2))
    mean[:2, :-2] = hidden
    mean[0, -2], mean[:2, -1] = 1.0, constants
    mean[2:, -1] = np.log(np.expm1(np.maximum(1e-6, ramps.heights - SLOPE_MIN)))
    covariance = np.zeros((mean.size, mean.size))
    if share > 0:
        rows = known[:: 1 + len(known) // 200_000]
        covariance = _hidden_covariance(table, rows, parts, config, mean.shape)
    if count:
        constant = mean.shape[1] * np.arange(2 + count) + mean.shape[1] - 1
        covariance[np.ix_(constant, constant)] += ramp_covariance(table, known, logit, ramps)
    rate = float(np.average(data.bought[known], weights=data.weight[known]))
    nothing = np.zeros((2 * mean.shape[1],) * 2)
    told = _context(table, known, logit)
    effects, text = trained_effects(logit, table.rows.effects), table.rows.text
    weights = replace(
        to_weights(net, (nothing, nothing), own_projection(data.product_states), rate),
        purchase=MonotoneHead.from_posterior(mean, covariance, ramps.places if count else None),
        satisfaction=_no_head(mean.shape[1]),
        intent=told.get("intent"),
        trend=told.get("trend"),
        rival=told.get("rival"),
        effects=effects,
        text=None if text is None else replace(text, sd=effects.sd[GROUP]),
    )
    return Evaluator(weights, version), (covariance, nothing)


def _no_head(width: int) -> MonotoneHead:
    """Head of satisfaction at the prior's level: `EvaluatorWeights.satisfied`, or the prior, stands for it."""
    mean = np.zeros((2, width))
    mean[0, -1] = LEVEL[0]
    return MonotoneHead.from_posterior(mean, np.zeros((2 * width,) * 2))


def _context(table: OwnTable, known: Rows, logit: PriceLogit) -> dict[str, float]:
    """Coefficients of the context that enough rows tell of; the others stay the priors."""
    columns = {"intent": table.signals[known, 0], "trend": table.signals[known, 1], "rival": table.over[known]}
    values = dict(zip(("intent", "trend", "rival"), (*logit.signals.tolist(), logit.rival), strict=True))
    return {name: values[name] for name, own in columns.items() if _varies(own)}


def _varies(column: Floats) -> bool:
    """Check that at least `LEAST_TOLD` rows differ from the most frequent value."""
    counts = np.unique(column, return_counts=True)[1]
    return int(counts.sum() - counts.max()) >= LEAST_TOLD


def _hidden_covariance(
    table: OwnTable,
    rows: Rows,
    parts: Parts,
    config: EvaluatorTrainingConfig,
    shape: tuple[int, int],
) -> Floats:
    """Covariance of the hidden layers' weights on level and slope, given all other parameters."""
    logit, ramps, added, share = parts.logit, parts.ramps, parts.added, parts.share
    net, data = added.net, table.rows.data
    selected = replace(table.of(rows, ramps), level=share * added.level[rows], slope=share * added.slope[rows])
    level, slope = logit.terms(selected)
    p = sigmoid(level - (SLOPE_MIN + softplus(slope)) * selected.log_ratio + logit.rest(selected))
    with torch.inference_mode():
        phi = net.body(
            torch.from_numpy(table.encode(rows)),
            torch.from_numpy(data.shopper_states[data.shopper_row[rows]]),
            torch.from_numpy(data.product_states[data.product_row[rows]]),
        ).numpy()[:, :-2]
    steep = -sigmoid(slope) * selected.log_ratio
    jacobian = np.concatenate([phi, phi * steep[:, None]], axis=1)
    hessian = (jacobian * (selected.mass * p * (1 - p))[:, None]).T @ jacobian
    inverse = np.linalg.inv(hessian + config.prior_precision * np.eye(len(hessian)))
    width = shape[1]
    places = np.r_[np.arange(width - 2), width + np.arange(width - 2)]
    covariance = np.zeros((shape[0] * width,) * 2)
    covariance[np.ix_(places, places)] = inverse
    return covariance


def own_projection(product_states: NDArray[np.float32]) -> Floats:
    """Compute key directions of the outcome memory; with few products the remaining directions are random."""
    rng = np.random.default_rng(17)
    padded = rng.standard_normal((64, product_states.shape[1])).astype(np.float32) * 1e-3
    return key_projection(np.concatenate([product_states, padded]))
