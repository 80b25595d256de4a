"""The strategist's third stage: what the prompt's numbers say, first alone, then beside the language model.

The first two stages are done and the language model stands still, so that its logits are read once and thousands of
steps cost minutes. The loss is that of the second stage in percent of each situation's best worth: soft targets weigh
most at first, expected regret afterwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.language.precision import fast_autocast, training_device
from models.strategist.numeric_head import NumericHead, numeric_features
from models.strategist.tokens import ANCHOR_SLOT, LEVER_SLOT, MOVE_SLOT
from models.training.situations import Situation
from models.training.soft_targets import worth
from models.training.strategist import OnStep, Said, choice_loss, open_ways, pad, said_along, way_tokens
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_net import StrategistNet

_READ_AT_ONCE: Final = 64
_LEAST_BEST: Final = 0.05
_TARGETS_FIRST: Final = 1 / 3  # of the steps on numbers alone
_TARGET_WEIGHTS: Final = (9.0, 0.1)
_JOINT_RATE: Final = 0.5  # of the first rate
_FIRST_TRUST: Final = 0.3
_SLOTS: Final = (LEVER_SLOT, ANCHOR_SLOT, MOVE_SLOT)


@dataclass(frozen=True, slots=True)
class Told:
    """Situations as numbers and, once they were read, as the language model's logits.

    Attributes:
        values: Fields of the prompts `(n, N_FEATURES)`.
        ways: Open levers and anchors `(n, most, 2)`, then -1; `worth` `(n, levers, anchors, moves)` over the best.
        said: Logits of levers, and of anchors and moves behind each way; None before the language model was asked.
    """

    values: Tensor
    ways: Tensor
    worth: Tensor
    said: Said | None = None

    def __len__(self) -> int:
        """The number of situations."""
        return len(self.values)

    def rows(self, chosen: Tensor) -> "Told":
        """Some situations, with no more ways than the one with most of them has."""
        ways = self.ways[chosen]
        most = int((ways[..., 0] >= 0).sum(1).max())
        said = self.said
        if said is not None:
            said = Said(said.lever[chosen], said.anchor[chosen, :most], said.move[chosen, :most])
        return Told(self.values[chosen], ways[:, :most], self.worth[chosen], said)

    def to(self, device: torch.device) -> "Told":
        """The same on a device."""
        said = None if self.said is None else Said(*(part.to(device) for part in self.said))
        return Told(self.values.to(device), self.ways.to(device), self.worth.to(device), said)


def numbers_of(situations: Sequence[Situation], prompts: Sequence[str]) -> Told:
    """What the numbers of the situations' prompts say."""
    value = torch.stack([_relative(worth(one)) for one in situations])
    return Told(numeric_features(prompts), open_ways(value), value)


def listen(net: StrategistNet, told: Told, ids: Sequence[Sequence[int]], on_share: Callable[[float], None]) -> Told:
    """The same situations, and what the language model says of the prompts that `ids` hold as tokens."""
    heard: list[Said] = []
    for start in range(0, len(told), _READ_AT_ONCE):
        ways = told.ways[start : start + _READ_AT_ONCE].to(net.device)
        tokens, lengths = (part.to(net.device) for part in pad(ids[start : start + _READ_AT_ONCE]))
        with torch.inference_mode(), fast_autocast(net.device):
            said = said_along(net.head, net(tokens, lengths, way_tokens(ways)))
        heard.append(Said(*(part.half().cpu() for part in said)))
        on_share(min(1.0, (start + _READ_AT_ONCE) / len(told)))
    return replace(told, said=Said(*(torch.cat(parts) for parts in zip(*heard, strict=True))))


def fit_numbers(alone: Told, beside: Told, config: StrategistTrainingConfig, on_step: OnStep) -> NumericHead:
    """A reader trained on numbers `alone`, then on those `beside` which the language model was heard."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    device = training_device()
    reader = NumericHead().to(device)
    targets = round(_TARGETS_FIRST * config.number_steps)
    weights = [_TARGET_WEIGHTS[step >= targets] for step in range(config.number_steps)]
    _fit(reader, alone.to(device), (config.number_rate, config.number_batch), weights, rng, on_step)
    reader.trust.data.fill_(_FIRST_TRUST)
    weights = [_TARGET_WEIGHTS[1]] * config.joint_steps
    rate = _JOINT_RATE * config.number_rate
    _fit(
        reader,
        beside.to(device),
        (rate, config.number_batch),
        weights,
        rng,
        lambda step, loss: on_step(config.number_steps + step, loss),
    )
    return reader.cpu().eval()


def _fit(
    reader: NumericHead,
    told: Told,
    rate_and_batch: tuple[float, int],
    target_weights: Sequence[float],
    rng: np.random.Generator,
    on_step: OnStep,
) -> None:
    rate, size = rate_and_batch
    optimiser = torch.optim.AdamW(reader.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=len(target_weights))
    for step, weight in enumerate(target_weights):
        batch = told.rows(torch.from_numpy(rng.integers(0, len(told), size)).to(told.values.device))
        loss = told_loss(reader, batch, weight) / (1 + weight)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        on_step(step, float(loss.detach()))


def told_loss(reader: NumericHead, batch: Told, target_weight: float) -> Tensor:
    """`choice_loss` of numbers and, where it was heard, the language model together."""
    lever, anchor = batch.ways.unbind(-1)
    none = torch.full_like(lever, -1)
    numbers = (
        reader(batch.values, none[:, :1], none[:, :1])[:, 0],
        reader(batch.values, lever, none),
        reader(batch.values, lever, anchor),
    )
    if batch.said is None:
        said = Said(*(one[..., slot] for one, slot in zip(numbers, _SLOTS, strict=True)))
    else:
        model = (part.float() for part in batch.said)
        said = Said(*(reader.combine(*each) for each in zip(model, numbers, _SLOTS, strict=True)))
    return choice_loss(said, batch.worth, batch.ways, target_weight)


def _relative(value: NDArray[np.float64]) -> Tensor:
    """Worth over the best, which itself is taken as no smaller than a twentieth of the reference price's."""
    return torch.from_numpy(value / max(_LEAST_BEST, abs(float(value.max())))).float()
