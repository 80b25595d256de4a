"""Training of the strategist's language model in two stages, both against what the evaluator expects on training weeks.

Stage one is supervised: the loss is the Kullback-Leibler divergence from soft targets (`soft_targets`). Stage two
optimises the policy itself: expected worth under the model's own choice of lever, anchor and move. It is group-relative
policy optimisation (Shao et al. 2024) with every strategy that the grammar allows in the group, so that the
expectation is exact and nothing is sampled; the soft targets stay in the loss to hold it near stage one. A third stage
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
from models.training.soft_targets import TEMPERATURE, StrategyExample, lesson, rounding_target, worth
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_net import Read, StrategistNet

_HEAD_RATE: Final = 3.0  # the strategy tokens start from nothing
_BARRED: Final = -1e4
_ANCHOR_WEIGHT: Final = 0.3
_ROUNDING_WEIGHT: Final = 0.2
_ROUNDING_TARGETS: Final = torch.from_numpy(np.stack([rounding_target(move) for move in MOVES])).float()

OnStep = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a situation becomes the text that the strategist reads when it serves, and the label of that prompt."""

    prompt: str
    render: Callable[[Situation], str]


@dataclass(frozen=True, slots=True)
class Watch:
    """Told of every step (number, loss) and of the net after each stage (`targets`, `policy`)."""

    on_step: OnStep
    on_stage: Callable[[str, StrategistNet], None]


def train_strategist(
    situations: Sequence[Situation],
    render: Callable[[Situation], str],
    tokenizer: Tokenizer,
    config: StrategistTrainingConfig,
    watch: Watch,
) -> StrategistNet:
    """Both stages on situations drawn with replacement."""
    torch.manual_seed(config.seed)
    net = StrategistNet.from_base(config).to(training_device())
    course = Course(situations, [one.ids for one in tokenizer.encode_batch([render(s) for s in situations])], config)
    fit_targets(net, course, config, watch.on_step)
    watch.on_stage("targets", net)
    fit_policy(net, course, config, lambda step, loss: watch.on_step(config.steps + step, loss))
    watch.on_stage("policy", net)
    return net


class Course:
    """Batches of situations with their tokens, drawn with replacement."""

    def __init__(
        self, situations: Sequence[Situation], ids: Sequence[Sequence[int]], config: StrategistTrainingConfig
    ) -> None:
        """Seed the draws."""
        self._situations = situations
        self._ids = ids
        self._batch = config.batch
        self.rng = np.random.default_rng(config.seed)

    def batches(self, count: int) -> Iterator[tuple[list[Situation], Tensor, Tensor]]:
        """Situations, right-padded ids and lengths, both on the processor."""
        for _ in range(count):
            chosen = self.rng.integers(0, len(self._situations), self._batch)
            yield [self._situations[row] for row in chosen], *pad([self._ids[row] for row in chosen])


def fit_targets(net: StrategistNet, course: Course, config: StrategistTrainingConfig, on_step: OnStep) -> None:
    """Stage one."""
    step = _Optimiser(net, config.learning_rate, config.steps)
    for number, (situations, ids, lengths) in enumerate(course.batches(config.steps)):
        lessons = [lesson(situation, course.rng) for situation in situations]
        with fast_autocast(net.device):
            read = net(ids.to(net.device), lengths.to(net.device), written_tokens(lessons).to(net.device))
        on_step(number, step(target_loss(net.head, read, lessons)))


def fit_policy(net: StrategistNet, course: Course, config: StrategistTrainingConfig, on_step: OnStep) -> None:
    """Stage two."""
    step = _Optimiser(net, config.policy_learning_rate, config.policy_steps)
    for number, (situations, ids, lengths) in enumerate(course.batches(config.policy_steps)):
        value = torch.from_numpy(np.stack([worth(situation) for situation in situations])).float().to(net.device)
        ways = open_ways(value)
        with fast_autocast(net.device):
            read = net(ids.to(net.device), lengths.to(net.device), way_tokens(ways))
        on_step(number, step(policy_loss(net.head, read, value, ways, config.target_weight)))


def target_loss(head: Tensor, read: Read, lessons: Sequence[StrategyExample]) -> Tensor:
    """Mean divergence of the four slots from their soft targets, 0 when they are met exactly."""
    device = head.device
    value = torch.from_numpy(np.stack([one.worth for one in lessons])).to(device)  # (n, levers, anchors, moves)
    lever, anchor = _stack([x.lever for x in lessons]).to(device), _stack([x.anchor for x in lessons]).to(device)
    rows = torch.arange(len(lessons), device=device)[:, None]
    states = read.branches.float()
    terms = (
        (
            _log_share(_said(head, read.prompt.float(), LEVER_SLOT), value.amax((2, 3))),
            [x.lever_target for x in lessons],
            1.0,
        ),
        (
            _log_share(_said(head, states[:, :, 0], ANCHOR_SLOT), value.amax(3)[rows, lever]),
            [x.anchor_target for x in lessons],
            _ANCHOR_WEIGHT,
        ),
        (
            _log_share(_said(head, states[:, :, 1], MOVE_SLOT), value[rows, lever, anchor]),
            [x.move_target for x in lessons],
            1.0,
        ),
    )
    rounding = torch.log_softmax(_said(head, states[:, :, 2], ROUNDING_SLOT), -1)
    habit = _ROUNDING_TARGETS[_stack([one.move for one in lessons])].to(device)
    total = _ROUNDING_WEIGHT * _divergence(habit, rounding)
    for found, target, weight in terms:
        total = total + weight * _divergence(torch.from_numpy(np.stack(target)).float().to(device), found)
    return total


def policy_loss(head: Tensor, read: Read, value: Tensor, ways: Tensor, target_weight: float) -> Tensor:
    """`choice_loss` of what the head makes of states."""
    return choice_loss(said_along(head, read), value, ways, target_weight)


def said_along(head: Tensor, read: Read) -> "Said":
    """What the head makes of the states along ways of two tokens, lever and anchor."""
    states = read.branches.float()
    return Said(
        _said(head, read.prompt.float(), LEVER_SLOT),
        _said(head, states[:, :, 0], ANCHOR_SLOT),
        _said(head, states[:, :, 1], MOVE_SLOT),
    )


class Said(NamedTuple):
    """Logits of levers `(n, levers)`, of anchors `(n, ways, anchors)` and moves `(n, ways, moves)` behind each way."""

    lever: Tensor
    anchor: Tensor
    move: Tensor


def choice_loss(said: Said, value: Tensor, ways: Tensor, target_weight: float) -> Tensor:
    """Mean expected regret in percent, and `target_weight` times the divergence from softmax(worth / 1 %).

    `value` is `(n, levers, anchors, moves)`; `ways` `(n, ways, 2)` names each open (lever, anchor), then -1.
    """
    lever, anchor = ways.clamp(min=0).unbind(-1)
    rows = torch.arange(len(value), device=value.device)[:, None]
    on_levers = _log_share(said.lever, value.amax((2, 3)))
    on_anchors = _log_share(said.anchor, value.amax(3)[rows, lever])
    on_moves = _log_share(said.move, value[rows, lever, anchor])  # (n, ways, moves)
    log_policy = (on_levers.gather(1, lever) + on_anchors.gather(2, anchor[..., None])[..., 0])[..., None] + on_moves
    closed = (ways[..., :1] < 0) | ~value[rows, lever, anchor].isfinite()
    log_policy = log_policy.masked_fill(closed, _BARRED)
    reached = value[rows, lever, anchor].masked_fill(closed, 0.0)
    best = value.amax((1, 2, 3))
    regret = 100 * (best - (log_policy.exp() * reached).sum((1, 2)))
    target = torch.softmax((reached.masked_fill(closed, float("-inf")) / TEMPERATURE).flatten(1), 1)
    return regret.mean() + target_weight * _divergence(target, log_policy.flatten(1))


def written_tokens(lessons: Sequence[StrategyExample]) -> Tensor:
    """The branches' strategy tokens `(n, branches, 3)`."""
    starts = ((LEVER_AT, "lever"), (ANCHOR_AT, "anchor"), (MOVE_AT, "move"))
    return torch.stack([start + _stack([getattr(one, name) for one in lessons]) for start, name in starts], -1)


def way_tokens(ways: Tensor) -> Tensor:
    """Ways as strategy tokens `(n, ways, 2)`; fillers become the first token, which `policy_loss` leaves out."""
    return ways.clamp(min=0) + torch.tensor([LEVER_AT, ANCHOR_AT], device=ways.device)


def open_ways(value: Tensor) -> Tensor:
    """Each row's open (lever, anchor) pairs `(n, most, 2)`, filled up with -1."""
    rows = [torch.nonzero(row.amax(2).isfinite()) for row in value]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=-1)


def _said(head: Tensor, states: Tensor, slot: slice) -> Tensor:
    """Logits of one slot's tokens."""
    return states @ head[slot].T


def _log_share(logits: Tensor, value: Tensor) -> Tensor:
    """Log-probabilities of a slot's tokens, those without a finite value barred."""
    return torch.log_softmax(logits.masked_fill(~value.isfinite(), _BARRED), -1)


def _divergence(wanted: Tensor, log_share: Tensor) -> Tensor:
    return (torch.xlogy(wanted, wanted) - wanted * log_share).sum(-1).mean()


def _stack(rows: Sequence[NDArray[np.int64]]) -> Tensor:
    return torch.from_numpy(np.stack(rows))


class _Optimiser:
    """AdamW under a one-cycle schedule, gradients clipped; strategy tokens learn faster than LoRA matrices."""

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
    """Right-padded ids `(n, length)` and true lengths."""
    lengths = torch.tensor([len(row) for row in rows])
    ids = torch.zeros(len(rows), int(lengths.max()), dtype=torch.long)
    for index, row in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
    return ids, lengths
