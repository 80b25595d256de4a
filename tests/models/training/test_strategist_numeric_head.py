from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaModel

from agent.pricing.model_proposer import prompt_text
from models.training.regret import measure
from models.training.situations import Situation
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_net import StrategistNet, llama_config
from models.training.strategist_numeric_head import ChoiceData, choice_data, fit_numbers, with_language_logits
from prompts import load_prompt
from tests.models.strategist.test_strategist import SHAPE, WORDS, tiny, tiny_tokenizer, tiny_weights
from tests.models.training.test_soft_targets import situation

PROMPT = load_prompt("strategist", 2)
CONFIG = replace(StrategistTrainingConfig(), number_steps=150, joint_steps=50, number_batch=16)
SITUATIONS = [
    situation(slope, cost, may_rise=rise, rival_ratio=rival)
    for slope in (1.2, 2.0, 3.0, 4.5)
    for cost in (0.3, 0.5, 0.7)
    for rise in (True, False)
    for rival in (None, 0.9)
]


def render(one: Situation) -> str:
    return prompt_text(PROMPT, one.facts)


PROMPTS = [render(one) for one in SITUATIONS]
IDS = [one.ids for one in tiny_tokenizer().encode_batch(PROMPTS)]


@pytest.fixture(scope="module")
def net() -> StrategistNet:
    """Trainable network with the weights of `tiny(1)`."""
    tensors, heads = tiny_weights(1)
    model = LlamaModel(_config())
    model.load_state_dict(tensors)
    net = StrategistNet(model, StrategistTrainingConfig(rank=2, alpha=4)).eval()
    net.embedding.data, net.head.data = heads["embedding"], heads["head"]
    return net


def _config() -> LlamaConfig:
    config = llama_config(SHAPE)
    config.vocab_size = len(WORDS)
    return config


@pytest.fixture(scope="module")
def data(net: StrategistNet) -> ChoiceData:
    return with_language_logits(net, choice_data(SITUATIONS, PROMPTS), IDS, lambda _share: None)


def test_logits_of_a_situation_are_equal_alone_and_in_a_batch_and_cover_all_allowed_levers(
    data: ChoiceData, net: StrategistNet
) -> None:
    again = with_language_logits(net, choice_data(SITUATIONS[:1], PROMPTS[:1]), IDS[:1], lambda _share: None)
    first = data.rows(torch.tensor([0])).language_logits
    assert first is not None
    assert again.language_logits is not None
    for beside, alone in zip(first, again.language_logits, strict=True):
        torch.testing.assert_close(beside.float(), alone.float(), atol=2e-2, rtol=1e-2)
    for row, given in enumerate(SITUATIONS):
        levers = set(data.rows(torch.tensor([row])).pairs[0, :, 0].tolist())
        assert levers == {list(type(lever)).index(lever) for lever in given.facts.levers()}
        assert float(data.utility[row].max()) == pytest.approx(1.0)


def test_the_trained_numeric_head_lowers_the_regret_of_the_first_choice(data: ChoiceData) -> None:
    """The layers are random, so any improvement comes from the numeric head."""
    strategist = tiny(1)
    before = measure(strategist, SITUATIONS, render).regret_pct["first"].mean()
    losses: list[float] = []
    head = fit_numbers(choice_data(SITUATIONS, PROMPTS), data, CONFIG, lambda _step, loss: losses.append(loss))
    strategist._numbers = head
    after = measure(strategist, SITUATIONS, render).regret_pct["first"].mean()
    assert after < 0.2 * before
    assert len(losses) == CONFIG.number_steps + CONFIG.joint_steps
    assert losses[-1] < losses[CONFIG.number_steps]
