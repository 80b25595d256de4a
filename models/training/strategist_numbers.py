"""The strategist's third stage: what the prompt's numbers add to the language model's states, and the head anew.

The first two stages are done and the language model stands still, so that its states are read once and thousands of
steps cost minutes. The loss is that of the second stage in percent of each situation's best worth: soft targets weigh
most at first, expected regret afterwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from models.strategist import Strategist
from models.strategist_numbers import NumberReader, read_values
from models.training.lessons import worth
from models.training.situations import Situation
from models.training.strategist import OnStep, open_ways, policy_loss
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_net import Read

_READ_AT_ONCE: Final = 16
_LEAST_BEST: Final = 0.05
_TARGETS_FIRST: Final = 1 / 3
_TARGET_WEIGHTS: Final = (9.0, 0.1)
_HEAD_RATE: Final = 0.3  # it has learned before


@dataclass(frozen=True, slots=True)
class Told:
    """What the head is told in one situation.

    Attributes:
        values: Fields of the prompt `(N_VALUES,)`.
        ways: Open levers and anchors `(ways, 2)`; `worth` `(levers, anchors, moves)` over the best.
        prompt: The language model's state behind the prompt `(width,)`; `behind` `(ways, 2, width)` further on.
    """

    values: Tensor
    ways: Tensor
    worth: Tensor
    prompt: Tensor
    behind: Tensor


def tell(
    strategist: Strategist,
    situations: Sequence[Situation],
    render: Callable[[Situation], str],
    on_share: Callable[[float], None],
) -> list[Told]:
    """Read every situation's states, once."""
    found: list[Told] = []
    for start in range(0, len(situations), _READ_AT_ONCE):
        part = situations[start : start + _READ_AT_ONCE]
        prompts = [render(situation) for situation in part]
        value = torch.from_numpy(np.stack([_relative(worth(situation)) for situation in part])).float()
        ways = open_ways(value)
        prompt, behind = strategist.read(prompts, ways.clamp(min=0))
        values = read_values(prompts)
        for row in range(len(part)):
            count = int((ways[row, :, 0] >= 0).sum())
            found.append(
                Told(values[row], ways[row, :count], value[row], prompt[row].half(), behind[row, :count].half())
            )
        on_share(len(found) / len(situations))
    return found


def fit_numbers(
    told: Sequence[Told], head: Tensor, config: StrategistTrainingConfig, on_step: OnStep
) -> tuple[Tensor, NumberReader]:
    """The head and the number reader, trained together on states that stand still."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    reader = NumberReader(head.shape[1])
    head = torch.nn.Parameter(head.detach().clone())
    rates = [config.number_rate, _HEAD_RATE * config.number_rate]
    groups = [{"params": list(reader.parameters()), "lr": rates[0]}, {"params": [head], "lr": rates[1]}]
    optimiser = torch.optim.AdamW(groups, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rates, total_steps=config.number_steps)
    for step in range(config.number_steps):
        batch = [told[row] for row in rng.integers(0, len(told), config.number_batch)]
        weight = _TARGET_WEIGHTS[int(step >= _TARGETS_FIRST * config.number_steps)]
        loss = told_loss(head, reader, batch, weight) / (1 + weight)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([*reader.parameters(), head], 1.0)
        optimiser.step()
        schedule.step()
        on_step(step, float(loss.detach()))
    return head.detach(), reader.eval()


def told_loss(head: Tensor, reader: NumberReader, batch: Sequence[Told], target_weight: float) -> Tensor:
    """`policy_loss` with the numbers told at every place."""
    values = torch.stack([one.values for one in batch])
    ways = torch.nn.utils.rnn.pad_sequence([one.ways for one in batch], batch_first=True, padding_value=-1)
    behind = torch.nn.utils.rnn.pad_sequence([one.behind for one in batch], batch_first=True).float()
    lever, anchor = ways.unbind(-1)
    none = torch.full_like(lever, -1)
    first = torch.stack([one.prompt for one in batch]).float() + reader(values, none[:, :1], none[:, :1])[:, 0]
    added = torch.stack([reader(values, lever, none), reader(values, lever, anchor)], 2)
    read = Read(first, behind + added)
    return policy_loss(head, read, torch.stack([one.worth for one in batch]), ways, target_weight)


def _relative(value: np.ndarray) -> np.ndarray:
    """Worth over the best, which itself is taken as no smaller than a twentieth of the reference price's."""
    return np.asarray(value / max(_LEAST_BEST, abs(float(value.max()))))
