from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import LlamaModel

from models.language.llama import LlamaShape
from models.strategist.strategy import MOVES, Anchor, Lever
from models.strategist.tokens import ANCHOR_AT, LEVER_AT, MOVE_AT, VOCABULARY
from models.training.soft_targets import strategy_example, strategy_utilities
from models.training.strategist import branch_tokens, open_pairs, pad, pair_tokens, policy_loss, target_loss
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_net import HiddenStates, StrategistNet, llama_config
from tests.models.training.test_soft_targets import situation

SHAPE = LlamaShape(width=24, n_layers=2, n_heads=4, n_kv_heads=2, intermediate=48, rope_theta=10_000.0, norm_eps=1e-5)
ASKED = [
    situation(3.0, 0.5, stock="deep", rival_ratio=0.9),
    situation(1.2, 0.7, may_rise=True),
    situation(4.0, 0.4, last_paid_ratio=0.9, loyalty="regular"),
]


@pytest.fixture(scope="module")
def net() -> StrategistNet:
    torch.manual_seed(3)
    return StrategistNet(LlamaModel(llama_config(SHAPE)), StrategistTrainingConfig(rank=2, alpha=4)).eval()


def prompts() -> tuple[torch.Tensor, torch.Tensor]:
    return pad([[5, 9, 2, 40], [7, 7], [1, 2, 3, 4, 5, 6]])


def test_a_branch_has_equal_states_in_a_tree_and_alone_after_its_prompt(net: StrategistNet) -> None:
    ids, lengths = prompts()
    written = torch.randint(0, VOCABULARY, (3, 4, 3), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        tree = net(ids, lengths, written)
        for row, length in enumerate(lengths.tolist()):
            for branch in range(written.shape[1]):
                alone = net(ids[row : row + 1, :length], lengths[row : row + 1], written[row, branch][None, None])
                torch.testing.assert_close(tree.branches[row, branch], alone.branches[0, 0], atol=1e-5, rtol=1e-4)
                torch.testing.assert_close(tree.prompt[row], alone.prompt[0], atol=1e-5, rtol=1e-4)


def test_policy_loss_is_the_regret_expected_under_the_models_own_choices(net: StrategistNet) -> None:
    ids, lengths = prompts()
    value = torch.from_numpy(np.stack([strategy_utilities(one) for one in ASKED])).float()
    pairs = open_pairs(value)
    with torch.no_grad():
        hidden = net(ids, lengths, pair_tokens(pairs))
        found = float(policy_loss(net.head, hidden, value, pairs, 0.0))
        expected = [_expected_regret(net.head, hidden, value, pairs, row) for row in range(len(ASKED))]
    assert found == pytest.approx(np.mean(expected), rel=1e-4)


def _expected_regret(
    head: torch.Tensor, hidden: HiddenStates, value: torch.Tensor, pairs: torch.Tensor, row: int
) -> float:
    """Compute the expectation by enumerating all strategies."""

    def shares(state: torch.Tensor, start: int, size: int, allowed: torch.Tensor) -> torch.Tensor:
        logits = head[start : start + size] @ state
        return torch.softmax(logits.masked_fill(~allowed, float("-inf")), 0)

    open_ = value[row].isfinite()
    on_lever = shares(hidden.prompt[row], LEVER_AT, len(Lever), open_.any(2).any(1))
    total = 0.0
    for pair, (lever, anchor) in enumerate(pairs[row].tolist()):
        if lever < 0:
            continue
        state = hidden.branches[row, pair]
        on_anchor = shares(state[0], ANCHOR_AT, len(Anchor), open_[lever].any(1))[anchor]
        on_move = shares(state[1], MOVE_AT, len(MOVES), open_[lever, anchor])
        for move in torch.nonzero(open_[lever, anchor])[:, 0].tolist():
            total += float(on_lever[lever] * on_anchor * on_move[move] * value[row, lever, anchor, move])
    return 100 * (float(value[row].max()) - total)


def test_both_stages_lower_their_loss_and_change_lora_and_strategy_tokens(net: StrategistNet) -> None:
    ids, lengths = prompts()
    examples = [strategy_example(one, np.random.default_rng(5)) for one in ASKED]
    value = torch.from_numpy(np.stack([one.utility for one in examples])).float()
    pairs = open_pairs(value)
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], 0.01)
    before = {name: p.detach().clone() for name, p in net.named_parameters() if p.requires_grad}
    curves: list[list[float]] = [[], []]
    for stage, steps in ((0, 30), (1, 30)):
        for _ in range(steps):
            if stage == 0:
                loss = target_loss(net.head, net(ids, lengths, branch_tokens(examples)), examples)
            else:
                loss = policy_loss(net.head, net(ids, lengths, pair_tokens(pairs)), value, pairs, 0.1)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            curves[stage].append(float(loss.detach()))
    assert curves[0][-1] < 0.5 * curves[0][0]
    assert curves[1][-1] < curves[1][0]
    changed = [name for name, p in net.named_parameters() if p.requires_grad and not torch.equal(p, before[name])]
    assert {"embedding", "head"} < set(changed)
    assert any("lora_B" in name for name in changed)


def test_the_config_sets_the_number_of_layers() -> None:
    assert replace(StrategistTrainingConfig(), layers=8).shape.n_layers == 8
