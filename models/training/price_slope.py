"""Calibration of the evaluator's price slope on weeks that it was not fitted on.

A price response that differs from row to row is steeper on the rows that chose it than on later ones. The excess is
measured by a network fitted on the earlier training weeks, as the slope that log price has in the later ones beside
that network's logit, and taken off the mean slope of the network fitted on all of them.
"""

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.promotion import promotion_states
from models.training.evaluator import EvaluatorData
from models.training.evaluator_net import EvaluatorNet, NetInputs
from models.training.metrics import residual_slope

Rows = NDArray[np.int64]

_BLOCK: Final = 65_536
_LEAST_SLOPE: Final = 0.3  # of the mean slope, which a calibration leaves
_HALVINGS: Final = 60


def excess_slope(net: EvaluatorNet, data: EvaluatorData, rows: Rows) -> float:
    """Excess of a network's price response on rows that it was not fitted on; negative if it is too flat."""
    parts = [_purchase_logit(net, data, block) for block in np.array_split(rows, 1 + len(rows) // _BLOCK)]
    probability = 1 / (1 + np.exp(-np.concatenate(parts)))
    label, weight = data.bought[rows].astype(np.float64), data.weight[rows].astype(np.float64)
    return residual_slope(probability, label, weight, data.log_ratio[rows])


def flatten(net: EvaluatorNet, data: EvaluatorData, rows: Rows, excess: float) -> None:
    """Take `excess` off the mean slope of the rows, at most to `_LEAST_SLOPE` of it, by the slope's constant."""
    before = np.concatenate([_first_slope(net, data, b) for b in np.array_split(rows, 1 + len(rows) // _BLOCK)])
    weight = data.weight[rows].astype(np.float64)
    mean = float(np.average(np.logaddexp(0, before), weights=weight))
    wanted = max(_LEAST_SLOPE * mean, mean - excess)
    low, high = -10.0, 10.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if np.average(np.logaddexp(0, before + middle), weights=weight) < wanted:
            low = middle
        else:
            high = middle
    with torch.no_grad():
        net.purchase.weight[1, -1] += low


def _inputs(net: EvaluatorNet, data: EvaluatorData, rows: Rows) -> NetInputs:
    return NetInputs(
        torch.from_numpy(net.binning.encode(data.numeric[rows])),
        torch.from_numpy(data.shopper_states[data.shopper_row[rows]]),
        torch.from_numpy(data.product_states[data.product_row[rows]]),
        None if data.promotion is None else torch.from_numpy(promotion_states(data.promotion[rows])),
    )


def _purchase_logit(net: EvaluatorNet, data: EvaluatorData, rows: Rows) -> Floats:
    with torch.inference_mode():
        purchase, _ = net(_inputs(net, data, rows), torch.from_numpy(data.log_ratio[rows]))
    return np.asarray(purchase.numpy(), np.float64)


def _first_slope(net: EvaluatorNet, data: EvaluatorData, rows: Rows) -> Floats:
    """First slope before softplus, `(n,)`."""
    with torch.inference_mode():
        terms = net.purchase(net.body(*_inputs(net, data, rows)))
    return np.asarray(terms[:, 1].numpy(), np.float64)
