"""Assembly of the evaluator from the parts that a training on own outcomes selected, with its posterior covariance."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.boosted_trees import BoostedTrees
from models.evaluator.evaluator import RANK, EvaluatorWeights
from models.evaluator.monotone import SLOPE_MIN, MonotoneHead
from models.evaluator.satisfaction import LEVEL
from models.evaluator.text_effects import GROUP
from models.evaluator.tried_prices import TriedPrices
from models.training.evaluator import key_projection
from models.training.own_effects import trained_effects
from models.training.own_kink_choice import ramp_covariance
from models.training.own_kinks import Ramps
from models.training.own_logit import PriceLogit
from models.training.own_rows import Rows
from models.training.own_table import OwnTable

LEAST_TOLD: Final = 30
"""Rows that must have an input for its coefficient to be learned."""
_WIDTH: Final = 3
"""Columns of the body's output: trees, linear term and one."""


@dataclass(frozen=True, slots=True)
class Parts:
    """Fitted logit and ramps, and the trees beside them."""

    logit: PriceLogit
    ramps: Ramps
    trees: BoostedTrees


def assemble(
    table: OwnTable, known: Rows, parts: Parts, tried: TriedPrices | None, doubt: float
) -> tuple[EvaluatorWeights, tuple[Floats, Floats]]:
    """Build the evaluator's weights: the logit's constants and linear term, trees, ramps as slopes; and covariances."""
    logit, ramps, data = parts.logit, parts.ramps, table.rows.data
    count, dim = len(ramps.heights), data.product_states.shape[1]
    mean = np.zeros((2 + count, _WIDTH))
    mean[0, :2] = 1.0
    mean[:2, -1] = logit.constants(table.rows.effects)
    mean[2:, -1] = np.log(np.expm1(np.maximum(1e-6, ramps.heights - SLOPE_MIN)))
    covariance = np.zeros((mean.size, mean.size))
    if count:
        constant = _WIDTH * np.arange(2 + count) + _WIDTH - 1
        covariance[np.ix_(constant, constant)] = ramp_covariance(table, known, logit, ramps)
    told = _context(table, known, logit)
    effects, text = trained_effects(logit, table.rows.effects), table.rows.text
    weights = EvaluatorWeights(
        binning=table.binning,
        shopper_projection=np.zeros((dim, RANK)),
        product_projection=np.zeros((dim, RANK)),
        linear=np.concatenate([logit.inputs, np.zeros(2 * RANK + 1)]),
        hidden=(),
        trees=parts.trees,
        purchase=MonotoneHead.from_posterior(mean, covariance, ramps.places if count else None),
        satisfaction=_no_head(_WIDTH),
        key_projection=own_projection(data.product_states),
        base_rate=float(np.average(data.bought[known], weights=data.weight[known])),
        intent=told.get("intent"),
        trend=told.get("trend"),
        rival=told.get("rival"),
        effects=effects,
        tried=tried,
        center=table.center,
        doubt=doubt,
        text=None if text is None else replace(text, sd=effects.sd[GROUP]),
        behaviour=table.rows.interest_alone is not None,
    )
    return weights, (covariance, np.zeros((2 * _WIDTH,) * 2))


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


def own_projection(product_states: NDArray[np.float32]) -> Floats:
    """Compute key directions of the outcome memory; with few products the remaining directions are random."""
    rng = np.random.default_rng(17)
    padded = rng.standard_normal((64, product_states.shape[1])).astype(np.float32) * 1e-3
    return key_projection(np.concatenate([product_states, padded]))
