"""Evaluation of the shipped satisfaction head: repurchase of the category within eight weeks of a sale.

Only sales whose eight weeks are over count; the constant is the rate of the training weeks. The data are simulated.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from eval.demand.protocol import Demand, Ints
from models.arrays import Floats
from models.evaluator.evaluator import Evaluator
from models.training.metrics import auc, log_loss

BINS: Final = 5
_BLOCK: Final = 16_384


@dataclass(frozen=True, slots=True)
class SatisfactionScores:
    """Metrics on sales with a known repurchase.

    Attributes:
        sales: Number of them.
        constant: Log loss of the repurchase rate of the training weeks.
        predicted, observed: Mean prediction and rate in bins of equal size, lowest prediction first.
    """

    sales: int
    log_loss: float
    constant: float
    auc: float
    mean_over_rate: float
    predicted: list[float]
    observed: list[float]


def satisfaction_scores(evaluator: Evaluator, demand: Demand, rows: Ints) -> SatisfactionScores | None:
    """Score the head on the sales among some rows; None where the window of none is over."""
    known = _known_sales(demand, rows)
    if not len(known):
        return None
    label = demand.data.returned[known].astype(np.float64)
    probability, weight = _predict(evaluator, demand, known), np.ones(len(known))
    rate = float(demand.data.returned[_known_sales(demand, demand.rows("train"))].mean())
    bins = [part for part in np.array_split(np.argsort(probability, kind="stable"), BINS) if len(part)]
    return SatisfactionScores(
        sales=len(known),
        log_loss=log_loss(label, probability, weight),
        constant=log_loss(label, np.full(len(known), rate), weight),
        auc=auc(label, probability, weight) if 0 < label.mean() < 1 else 0.5,
        mean_over_rate=float(probability.mean() / max(1e-9, label.mean())),
        predicted=[float(probability[part].mean()) for part in bins],
        observed=[float(label[part].mean()) for part in bins],
    )


def _known_sales(demand: Demand, rows: Ints) -> Ints:
    data = demand.data
    return rows[(data.bought[rows] > 0) & ~np.isnan(data.returned[rows])]


def _predict(evaluator: Evaluator, demand: Demand, rows: Ints) -> Floats:
    parts = []
    for block in np.array_split(rows, 1 + len(rows) // _BLOCK):
        price = demand.data.log_ratio[block].astype(np.float64)[:, None]
        parts.append(evaluator.expect(evaluator.represent(demand.situations(block)), price).satisfaction[:, 0])
    return np.concatenate(parts)
