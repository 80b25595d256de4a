"""Training of the strategist's numeric head, the third stage: first without, then with the language model's logits.

The language model is frozen after the first two stages, so its logits are computed once and thousands of steps take
minutes. The loss is that of the second stage, relative to each situation's best utility; soft targets dominate at
first, expected regret afterwards.
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
from models.training.soft_targets import strategy_utilities
from models.training.strategist import OnStep, SlotLogits, choice_loss, open_pairs, pad, pair_tokens, slot_logits
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_net import StrategistNet

_BATCH: Final = 64
_MIN_SCALE: Final = 0.05
_TARGETS_FIRST: Final = 1 / 3  # share of the steps without language model that use the first target weight
_TARGET_WEIGHTS: Final = (9.0, 0.1)
_JOINT_RATE: Final = 0.5  # learning rate with the language model, as a share of that without
_INITIAL_TRUST: Final = 0.3
_SLOTS: Final = (LEVER_SLOT, ANCHOR_SLOT, MOVE_SLOT)


@dataclass(frozen=True, slots=True)
class ChoiceData:
    """Training situations of the numeric head.

    Attributes:
        values: Features of the prompts `(n, N_FEATURES)`.
        pairs: Allowed (lever, anchor) pairs `(n, n_pairs, 2)`, padded with -1.
        utility: `(n, levers, anchors, moves)`, relative to the best.
        language_logits: Logits of the language model, None if not computed.
    """

    values: Tensor
    pairs: Tensor
    utility: Tensor
    language_logits: SlotLogits | None = None

    def __len__(self) -> int:
        """Number of situations."""
        return len(self.values)

    def rows(self, chosen: Tensor) -> "ChoiceData":
        """Select situations, with padding trimmed to the most pairs among them."""
        pairs = self.pairs[chosen]
        most = int((pairs[..., 0] >= 0).sum(1).max())
        logits = self.language_logits
        if logits is not None:
            logits = SlotLogits(logits.lever[chosen], logits.anchor[chosen, :most], logits.move[chosen, :most])
        return ChoiceData(self.values[chosen], pairs[:, :most], self.utility[chosen], logits)

    def to(self, device: torch.device) -> "ChoiceData":
        """Copy to a device."""
        logits = self.language_logits
        if logits is not None:
            logits = SlotLogits(*(part.to(device) for part in logits))
        return ChoiceData(self.values.to(device), self.pairs.to(device), self.utility.to(device), logits)


def choice_data(situations: Sequence[Situation], prompts: Sequence[str]) -> ChoiceData:
    """Build data without language-model logits from situations and their rendered prompts."""
    value = torch.stack([_relative(strategy_utilities(one)) for one in situations])
    return ChoiceData(numeric_features(prompts), open_pairs(value), value)


def with_language_logits(
    net: StrategistNet, data: ChoiceData, ids: Sequence[Sequence[int]], on_share: Callable[[float], None]
) -> ChoiceData:
    """Add the language model's logits, computed from the prompts' token `ids`."""
    blocks: list[SlotLogits] = []
    for start in range(0, len(data), _BATCH):
        pairs = data.pairs[start : start + _BATCH].to(net.device)
        tokens, lengths = (part.to(net.device) for part in pad(ids[start : start + _BATCH]))
        with torch.inference_mode(), fast_autocast(net.device):
            logits = slot_logits(net.head, net(tokens, lengths, pair_tokens(pairs)))
        blocks.append(SlotLogits(*(part.half().cpu() for part in logits)))
        on_share(min(1.0, (start + _BATCH) / len(data)))
    return replace(data, language_logits=SlotLogits(*(torch.cat(parts) for parts in zip(*blocks, strict=True))))


def fit_numbers(
    numbers_only: ChoiceData, with_language: ChoiceData, config: StrategistTrainingConfig, on_step: OnStep
) -> NumericHead:
    """Train a head on `numbers_only`, then together with the language model on `with_language`."""
    torch.manual_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    device = training_device()
    head = NumericHead().to(device)
    targets = round(_TARGETS_FIRST * config.number_steps)
    weights = [_TARGET_WEIGHTS[step >= targets] for step in range(config.number_steps)]
    _fit(head, numbers_only.to(device), (config.number_rate, config.number_batch), weights, rng, on_step)
    head.trust.data.fill_(_INITIAL_TRUST)
    weights = [_TARGET_WEIGHTS[1]] * config.joint_steps
    rate = _JOINT_RATE * config.number_rate
    _fit(
        head,
        with_language.to(device),
        (rate, config.number_batch),
        weights,
        rng,
        lambda step, loss: on_step(config.number_steps + step, loss),
    )
    return head.cpu().eval()


def _fit(
    head: NumericHead,
    data: ChoiceData,
    rate_and_batch: tuple[float, int],
    target_weights: Sequence[float],
    rng: np.random.Generator,
    on_step: OnStep,
) -> None:
    rate, size = rate_and_batch
    optimiser = torch.optim.AdamW(head.parameters(), rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=len(target_weights))
    for step, weight in enumerate(target_weights):
        batch = data.rows(torch.from_numpy(rng.integers(0, len(data), size)).to(data.values.device))
        loss = numeric_head_loss(head, batch, weight) / (1 + weight)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        on_step(step, float(loss.detach()))


def numeric_head_loss(head: NumericHead, batch: ChoiceData, target_weight: float) -> Tensor:
    """Compute `choice_loss` of the numeric head's logits, combined with the language model's if available."""
    lever, anchor = batch.pairs.unbind(-1)
    none = torch.full_like(lever, -1)
    numbers = (
        head(batch.values, none[:, :1], none[:, :1])[:, 0],
        head(batch.values, lever, none),
        head(batch.values, lever, anchor),
    )
    if batch.language_logits is None:
        logits = SlotLogits(*(one[..., slot] for one, slot in zip(numbers, _SLOTS, strict=True)))
    else:
        model = (part.float() for part in batch.language_logits)
        logits = SlotLogits(*(head.combine(*each) for each in zip(model, numbers, _SLOTS, strict=True)))
    return choice_loss(logits, batch.utility, batch.pairs, target_weight)


def _relative(value: NDArray[np.float64]) -> Tensor:
    """Utility divided by the best, which is taken as at least `_MIN_SCALE` (the reference price has about 1)."""
    return torch.from_numpy(value / max(_MIN_SCALE, abs(float(value.max())))).float()
