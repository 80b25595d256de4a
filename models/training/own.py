"""Training the evaluator on a merchant's own outcomes: sizes chosen on later outcomes, scored on the latest."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from models.evaluator import Evaluator
from models.training.evaluator import (
    EvaluatorData,
    EvaluatorNet,
    EvaluatorTrainingConfig,
    Floats,
    fit,
    key_projection,
    posterior,
    sized,
    to_weights,
)
from models.training.metrics import log_loss

TRAIN_SHARE: Final = 0.7
VALIDATION_SHARE: Final = 0.15
_SIZES: Final = (2_000, 20_000, 200_000)
_BLOCK: Final = 65_536

Rows = NDArray[np.int64]
Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Split:
    """Rows by time: the earliest train, later ones choose, the latest are scored once."""

    train: Rows
    validation: Rows
    test: Rows

    @classmethod
    def by_time(cls, at_s: NDArray[np.float64]) -> "Split":
        """Split at the quantiles of time; rows of one moment stay together."""
        first, second = np.quantile(at_s, [TRAIN_SHARE, TRAIN_SHARE + VALIDATION_SHARE])
        return cls(
            np.flatnonzero(at_s <= first),
            np.flatnonzero((at_s > first) & (at_s <= second)),
            np.flatnonzero(at_s > second),
        )


@dataclass(frozen=True, slots=True)
class Trained:
    """What was trained, and its last layers' covariances."""

    evaluator: Evaluator
    covariances: tuple[Floats, Floats]
    config: dict[str, object]
    validation_loss: float


def train_own(data: EvaluatorData, split: Split, version: str, progress: Progress) -> Trained:
    """Train each size that so many rows allow, keep the best on the validation rows."""
    configs = [sized(size) for size in _SIZES if size == _SIZES[0] or size <= 2 * len(split.train)]
    tried = [_tried(data, split, config, _told(progress, place, len(configs))) for place, config in enumerate(configs)]
    loss, net, config = min(tried, key=lambda one: one[0])
    known = np.concatenate([split.train, split.validation])
    covariances = posterior(net, data, known, config)
    projection = own_projection(data.product_states)
    rate = float(np.average(data.bought[known], weights=data.weight[known]))
    evaluator = Evaluator(to_weights(net, covariances, projection, rate), version)
    return Trained(evaluator, covariances, asdict(config), loss)


def _tried(
    data: EvaluatorData, split: Split, config: EvaluatorTrainingConfig, on_epoch: Callable[[int, float], None]
) -> tuple[float, EvaluatorNet, EvaluatorTrainingConfig]:
    net = fit(data, split.train, config, on_epoch, lambda net: held_out_loss(net, data, split.validation))
    return held_out_loss(net, data, split.validation), net, config


def _told(progress: Progress, place: int, count: int) -> Callable[[int, float], None]:
    return lambda epoch, loss: progress(f"train: size {place + 1} of {count}, epoch {epoch + 1}, loss {loss:.4f}", 0.5)


def held_out_loss(net: EvaluatorNet, data: EvaluatorData, rows: Rows) -> float:
    """Weighted log loss of the network on rows, nothing masked."""
    parts = []
    with torch.inference_mode():
        for block in np.array_split(rows, 1 + len(rows) // _BLOCK):
            logit, _ = net(
                torch.from_numpy(net.binning.encode(np.asarray(data.numeric[block]))),
                torch.from_numpy(data.shopper_states[data.shopper_row[block]]),
                torch.from_numpy(data.product_states[data.product_row[block]]),
                torch.from_numpy(data.log_ratio[block]),
            )
            parts.append(torch.sigmoid(logit).numpy().astype(np.float64))
    return log_loss(data.bought[rows].astype(np.float64), np.concatenate(parts), data.weight[rows].astype(np.float64))


def own_projection(product_states: NDArray[np.float32]) -> Floats:
    """Key directions of the outcome memory; a catalogue of few products leaves the other directions to chance."""
    rng = np.random.default_rng(17)
    padded = rng.standard_normal((64, product_states.shape[1])).astype(np.float32) * 1e-3
    return key_projection(np.concatenate([product_states, padded]))
