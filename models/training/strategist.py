"""Training of the strategist's language model in two stages, on utilities predicted by the evaluator.

Stage one is supervised: the loss is the Kullback-Leibler divergence from soft targets (`soft_targets`). Stage two
optimises the policy: the expected utility under the model's own distribution of lever, anchor and move. It is
group-relative policy optimisation (Shao et al. 2024) where the group contains every strategy that the grammar allows,
so the expectation is exact and nothing is sampled; the soft targets stay in the loss as a regulariser. A third stage
follows in `strategist_numeric_head`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor

from models.language.precision import fast_autocast, training_device
from models.strategist.strategy import MOVES
from models.strategist.tokens import ANCHOR_AT, ANCHOR_SLOT, LEVER_AT, LEVER_SLOT, MOVE_AT, MOVE_SLOT, ROUNDING_SLOT
from models.training.situations import Situation
from models.training.soft_targets import (
    TEMPERATURE,
    StrategyExample,
    rounding_target,
    strategy_example,
    strategy_utilities,
)
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_net import HiddenStates, StrategistNet

_HEAD_RATE: Final = 3.0  # learning-rate factor of the strategy tokens, which are not pretrained
_MASKED_LOGIT: Final = -1e4
_ANCHOR_WEIGHT: Final = 0.3
_ROUNDING_WEIGHT: Final = 0.2
_ROUNDING_TARGETS: Final = torch.from_numpy(np.stack([rounding_target(move) for move in MOVES])).float()

OnStep = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """The prompt that the strategist is served with: its label, and how it is rendered for a situation."""

    prompt: str
    render: Callable[[Situation], str]


@dataclass(frozen=True, slots=True)
class TrainingCallbacks:
    """Callbacks after each step (number, loss) and after each stage (`targets` or `policy`, network)."""

    on_step: OnStep
    on_stage: Callable[[str, StrategistNet], None]


def train_strategist(
    situations: Sequence[Situation],
    render: Callable[[Situation], str],
    tokenizer: Tokenizer,
    config: StrategistTrainingConfig,
    callbacks: TrainingCallbacks,
) -> StrategistNet:
    """Train both stages on situations drawn with replacement."""
    torch.manual_seed(config.seed)
    net = StrategistNet.from_base(config).to(training_device())
    ids = [one.ids for one in tokenizer.encode_batch([render(s) for s in situations])]
    batches = SituationBatches(situations, ids, config)
    fit_targets(net, batches, config, callbacks.on_step)
    callbacks.on_stage("targets", net)
    fit_policy(net, batches, config, lambda step, loss: callbacks.on_step(config.steps + step, loss))
    callbacks.on_stage("policy", net)
    return net


class SituationBatches:
    """Batches of situations with their tokens, drawn with replacement."""

    def __init__(
        self, situations: Sequence[Situation], ids: Sequence[Sequence[int]], config: StrategistTrainingConfig
    ) -> None:
        """Draw from `situations` and their prompts' token `ids`, seeded by `config`."""
        self._situations = situations
        self._ids = ids
        self._batch = config.batch
        self.rng = np.random.default_rng(config.seed)

    def draw(self, count: int) -> Iterator[tuple[list[Situation], Tensor, Tensor]]:
        """Yield `count` batches: situations, right-padded ids and lengths, both on the CPU."""
        for _ in range(count):
            chosen = self.rng.integers(0, len(self._situations), self._batch)
            yield [self._situations[row] for row in chosen], *pad([self._ids[row] for row in chosen])


def fit_targets(
    net: StrategistNet, batches: SituationBatches, config: StrategistTrainingConfig, on_step: OnStep
) -> None:
    """Train stage one, towards the soft targets."""
    step = _Optimiser(net, config.learning_rate, config.steps)
    for number, (situations, ids, lengths) in enumerate(batches.draw(config.steps)):
        examples = [strategy_example(situation, batches.rng) for situation in situations]
        with fast_autocast(net.device):
            hidden = net(ids.to(net.device), lengths.to(net.device), branch_tokens(examples).to(net.device))
        on_step(number, step(target_loss(net.head, hidden, examples)))


def fit_policy(
    net: StrategistNet, batches: SituationBatches, config: StrategistTrainingConfig, on_step: OnStep
) -> None:
    """Train stage two, towards the highest expected utility."""
    step = _Optimiser(net, config.policy_learning_rate, config.policy_steps)
    for number, (situations, ids, lengths) in enumerate(batches.draw(config.policy_steps)):
        utilities = np.stack([strategy_utilities(situation) for situation in situations])
        value = torch.from_numpy(utilities).float().to(net.device)
        pairs = open_pairs(value)
        with fast_autocast(net.device):
            hidden = net(ids.to(net.device), lengths.to(net.device), pair_tokens(pairs))
        on_step(number, step(policy_loss(net.head, hidden, value, pairs, config.target_weight)))


def target_loss(head: Tensor, hidden: HiddenStates, examples: Sequence[StrategyExample]) -> Tensor:
    """Weighted sum of the mean divergences of the four slots from their soft targets, 0 when all are met."""
    device = head.device
    value = torch.from_numpy(np.stack([one.utility for one in examples])).to(device)  # (n, levers, anchors, moves)
    lever, anchor = _stack([x.lever for x in examples]).to(device), _stack([x.anchor for x in examples]).to(device)
    rows = torch.arange(len(examples), device=device)[:, None]
    states = hidden.branches.float()
    terms = (
        (
            _masked_log_softmax(_token_logits(head, hidden.prompt.float(), LEVER_SLOT), value.amax((2, 3))),
            [x.lever_target for x in examples],
            1.0,
        ),
        (
            _masked_log_softmax(_token_logits(head, states[:, :, 0], ANCHOR_SLOT), value.amax(3)[rows, lever]),
            [x.anchor_target for x in examples],
            _ANCHOR_WEIGHT,
        ),
        (
            _masked_log_softmax(_token_logits(head, states[:, :, 1], MOVE_SLOT), value[rows, lever, anchor]),
            [x.move_target for x in examples],
            1.0,
        ),
    )
    rounding = torch.log_softmax(_token_logits(head, states[:, :, 2], ROUNDING_SLOT), -1)
    habit = _ROUNDING_TARGETS[_stack([one.move for one in examples])].to(device)
    total = _ROUNDING_WEIGHT * _divergence(habit, rounding)
    for found, target, weight in terms:
        total = total + weight * _divergence(torch.from_numpy(np.stack(target)).float().to(device), found)
    return total


def policy_loss(head: Tensor, hidden: HiddenStates, value: Tensor, pairs: Tensor, target_weight: float) -> Tensor:
    """Compute `choice_loss` from hidden states."""
    return choice_loss(slot_logits(head, hidden), value, pairs, target_weight)


def slot_logits(head: Tensor, hidden: HiddenStates) -> "SlotLogits":
    """Compute logits from hidden states after the prompt, and after the lever and the anchor of each pair."""
    states = hidden.branches.float()
    return SlotLogits(
        _token_logits(head, hidden.prompt.float(), LEVER_SLOT),
        _token_logits(head, states[:, :, 0], ANCHOR_SLOT),
        _token_logits(head, states[:, :, 1], MOVE_SLOT),
    )


class SlotLogits(NamedTuple):
    """Logits of levers `(n, levers)`, and of anchors `(n, pairs, anchors)` and moves `(n, pairs, moves)` per pair."""

    lever: Tensor
    anchor: Tensor
    move: Tensor


def choice_loss(logits: SlotLogits, value: Tensor, pairs: Tensor, target_weight: float) -> Tensor:
    """Mean expected regret in percent, plus `target_weight` times the divergence from softmax(utility / 1 %).

    `value` is `(n, levers, anchors, moves)`; `pairs` `(n, n_pairs, 2)` are the allowed (lever, anchor), padded with -1.
    """
    lever, anchor = pairs.clamp(min=0).unbind(-1)
    rows = torch.arange(len(value), device=value.device)[:, None]
    lever_log_prob = _masked_log_softmax(logits.lever, value.amax((2, 3)))
    anchor_log_prob = _masked_log_softmax(logits.anchor, value.amax(3)[rows, lever])
    move_log_prob = _masked_log_softmax(logits.move, value[rows, lever, anchor])  # (n, pairs, moves)
    log_policy = (lever_log_prob.gather(1, lever) + anchor_log_prob.gather(2, anchor[..., None])[..., 0])[
        ..., None
    ] + move_log_prob
    closed = (pairs[..., :1] < 0) | ~value[rows, lever, anchor].isfinite()
    log_policy = log_policy.masked_fill(closed, _MASKED_LOGIT)
    reached = value[rows, lever, anchor].masked_fill(closed, 0.0)
    best = value.amax((1, 2, 3))
    regret = 100 * (best - (log_policy.exp() * reached).sum((1, 2)))
    target = torch.softmax((reached.masked_fill(closed, float("-inf")) / TEMPERATURE).flatten(1), 1)
    return regret.mean() + target_weight * _divergence(target, log_policy.flatten(1))


def branch_tokens(examples: Sequence[StrategyExample]) -> Tensor:
    """Strategy tokens (lever, anchor, move) of the branches, `(n, branches, 3)`."""
    starts = ((LEVER_AT, "lever"), (ANCHOR_AT, "anchor"), (MOVE_AT, "move"))
    return torch.stack([start + _stack([getattr(one, name) for one in examples]) for start, name in starts], -1)


def pair_tokens(pairs: Tensor) -> Tensor:
    """Convert pairs to strategy tokens `(n, n_pairs, 2)`; padding becomes the first token and is masked in the loss."""
    return pairs.clamp(min=0) + torch.tensor([LEVER_AT, ANCHOR_AT], device=pairs.device)


def open_pairs(value: Tensor) -> Tensor:
    """List the allowed (lever, anchor) pairs of each row, `(n, n_pairs, 2)`, padded with -1."""
    rows = [torch.nonzero(row.amax(2).isfinite()) for row in value]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


def _token_logits(head: Tensor, states: Tensor, slot: slice) -> Tensor:
    """Compute logits of one slot's tokens."""
    return states @ head[slot].T


def _masked_log_softmax(logits: Tensor, value: Tensor) -> Tensor:
    """Compute log-probabilities of a slot's tokens, masking those without a finite utility."""
    return torch.log_softmax(logits.masked_fill(~value.isfinite(), _MASKED_LOGIT), -1)


def _divergence(target: Tensor, log_probability: Tensor) -> Tensor:
    return (torch.xlogy(target, target) - target * log_probability).sum(-1).mean()


def _stack(rows: Sequence[NDArray[np.int64]]) -> Tensor:
    return torch.from_numpy(np.stack(rows))


class _Optimiser:
    """AdamW with a one-cycle schedule and gradient clipping; strategy tokens have a higher rate than LoRA matrices."""

    def __init__(self, net: StrategistNet, rate: float, steps: int) -> None:
        adapted = [parameter for parameter in net.layers.parameters() if parameter.requires_grad]
        self._trained = [*adapted, net.embedding, net.head]
        rates = [rate, _HEAD_RATE * rate]
        groups = [{"params": adapted, "lr": rates[0]}, {"params": [net.embedding, net.head], "lr": rates[1]}]
        self._inner = torch.optim.AdamW(groups, weight_decay=0.01)
        self._schedule = torch.optim.lr_scheduler.OneCycleLR(self._inner, rates, total_steps=steps, pct_start=0.1)

    def __call__(self, loss: Tensor) -> float:
        self._inner.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._trained, 1.0)
        self._inner.step()
        self._schedule.step()
        return float(loss.detach())


def pad(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Right-pad token ids to `(n, length)`; returns them and the true lengths `(n,)`."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
    return ids, lengths
