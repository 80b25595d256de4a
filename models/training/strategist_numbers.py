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
from torch.nn.utils.rnn import pad_sequence

from models.strategist import ANCHOR_SLOT, LEVER_SLOT, MOVE_SLOT, Strategist
from models.strategist_numbers import NumberReader, read_values
from models.training.lessons import worth
from models.training.situations import Situation
from models.training.strategist import OnStep, Said, choice_loss, open_ways
from models.training.strategist_config import StrategistTrainingConfig

_READ_AT_ONCE: Final = 16
_LEAST_BEST: Final = 0.05
_TARGETS_FIRST: Final = 1 / 3  # of the steps on numbers alone
_TARGET_WEIGHTS: Final = (9.0, 0.1)
_JOINT_RATE: Final = 0.5  # of the first rate
_FIRST_TRUST: Final = 0.3
_SLOTS: Final = (LEVER_SLOT, ANCHOR_SLOT, MOVE_SLOT)


@dataclass(frozen=True, slots=True)
class Told:
    """One situation as numbers and, once it was read, as the language model's logits.

    Attributes:
        values: Fields of the prompt `(N_VALUES,)`.
        ways: Open levers and anchors `(ways, 2)`; `worth` `(levers, anchors, moves)` over the best.
        said: Logits of levers, and of anchors and moves behind each way; None before the language model was asked.
    """

    values: Tensor
    ways: Tensor
    worth: Tensor
    said: Said | None = None


def numbers_of(situations: Sequence[Situation], prompts: Sequence[str]) -> list[Told]:
    """What the numbers of the situations' prompts say."""
    return [_told(one, value) for one, value in zip(situations, read_values(prompts), strict=True)]


def listen(
    strategist: Strategist, alone: Sequence[Told], prompts: Sequence[str], on_share: Callable[[float], None]
) -> list[Told]:
    """The same, and what the language model says of their prompts."""
    found: list[Told] = []
    for start in range(0, len(alone), _READ_AT_ONCE):
        told = alone[start : start + _READ_AT_ONCE]
        ways = pad_sequence([one.ways for one in told], batch_first=True)
        levers, anchors, moves = strategist.read(prompts[start : start + _READ_AT_ONCE], ways)
        for row, one in enumerate(told):
            count = len(one.ways)
            said = Said(levers[row].half(), anchors[row, :count].half(), moves[row, :count].half())
            found.append(replace(one, said=said))
        on_share(len(found) / len(alone))
    return found


def fit_numbers(
    alone: Sequence[Told], beside: Sequence[Told], config: StrategistTrainingConfig, on_step: OnStep
) -> NumberReader:
    """A reader trained on numbers `alone`, then on those `beside` which the language model was heard."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    reader = NumberReader()
    targets = round(_TARGETS_FIRST * config.number_steps)
    weights = [_TARGET_WEIGHTS[step >= targets] for step in range(config.number_steps)]
    _fit(reader, alone, (config.number_rate, config.number_batch), weights, rng, on_step)
    reader.trust.data.fill_(_FIRST_TRUST)
    weights = [_TARGET_WEIGHTS[1]] * config.joint_steps
    rate = _JOINT_RATE * config.number_rate
    _fit(
        reader,
        beside,
        (rate, config.number_batch),
        weights,
        rng,
        lambda step, loss: on_step(config.number_steps + step, loss),
    )
    return reader.eval()


def _fit(
    reader: NumberReader,
    told: Sequence[Told],
    rate_and_batch: tuple[float, int],
    target_weights: Sequence[float],
    rng: np.random.Generator,
    on_step: OnStep,
) -> None:
    rate, size = rate_and_batch
    optimiser = torch.optim.AdamW(reader.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=len(target_weights))
    for step, weight in enumerate(target_weights):
        batch = [told[row] for row in rng.integers(0, len(told), size)]
        loss = told_loss(reader, batch, weight) / (1 + weight)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        on_step(step, float(loss.detach()))


def told_loss(reader: NumberReader, batch: Sequence[Told], target_weight: float) -> Tensor:
    """`choice_loss` of numbers and, where it was heard, the language model together."""
    values = torch.stack([one.values for one in batch])
    ways = pad_sequence([one.ways for one in batch], batch_first=True, padding_value=-1)
    lever, anchor = ways.unbind(-1)
    none = torch.full_like(lever, -1)
    numbers = (
        reader(values, none[:, :1], none[:, :1])[:, 0],
        reader(values, lever, none),
        reader(values, lever, anchor),
    )
    heard = [one.said for one in batch if one.said is not None]
    if heard:
        levers = torch.stack([one.lever for one in heard]).float()
        anchors = pad_sequence([one.anchor for one in heard], batch_first=True).float()
        moves = pad_sequence([one.move for one in heard], batch_first=True).float()
        model = (levers, anchors, moves)
        said = Said(*(reader.join(*each) for each in zip(model, numbers, _SLOTS, strict=True)))
    else:
        said = Said(*(one[..., slot] for one, slot in zip(numbers, _SLOTS, strict=True)))
    return choice_loss(said, torch.stack([one.worth for one in batch]), ways, target_weight)


def _told(situation: Situation, values: Tensor) -> Told:
    value = _relative(worth(situation))
    return Told(values, open_ways(value[None])[0], value)


def _relative(value: NDArray[np.float64]) -> Tensor:
    """Worth over the best, which itself is taken as no smaller than a twentieth of the reference price's."""
    return torch.from_numpy(value / max(_LEAST_BEST, abs(float(value.max())))).float()
