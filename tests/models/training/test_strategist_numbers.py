from dataclasses import replace

import pytest
import torch

from agent.model_proposer import prompt_text
from models.training.regret import measure
from models.training.situations import Situation
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_numbers import Told, fit_numbers, listen, numbers_of
from prompts import load_prompt
from tests.models.test_strategist import tiny
from tests.models.training.test_lessons import situation

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


@pytest.fixture(scope="module")
def heard() -> list[Told]:
    return listen(tiny(1), numbers_of(SITUATIONS, PROMPTS), PROMPTS, lambda _share: None)


def test_a_situation_is_heard_beside_others_as_alone_with_all_that_it_leaves_open(heard: list[Told]) -> None:
    again = listen(tiny(1), numbers_of(SITUATIONS[:1], PROMPTS[:1]), PROMPTS[:1], lambda _share: None)[0]
    assert heard[0].said is not None
    assert again.said is not None
    for beside, alone in zip(heard[0].said, again.said, strict=True):
        torch.testing.assert_close(beside.float(), alone.float(), atol=2e-2, rtol=1e-2)
    for one, given in zip(heard, SITUATIONS, strict=True):
        assert set(one.ways[:, 0].tolist()) == {list(type(lever)).index(lever) for lever in given.facts.levers()}
        assert float(one.worth.max()) == pytest.approx(1.0)


def test_numbers_bring_the_first_choice_nearer_to_the_best_price(heard: list[Told]) -> None:
    """Random layers know nothing of the situation: what is learned, the numbers taught, and the layers lose trust."""
    strategist = tiny(1)
    before = measure(strategist, SITUATIONS, render).regret_pct["first"].mean()
    losses: list[float] = []
    reader = fit_numbers(numbers_of(SITUATIONS, PROMPTS), heard, CONFIG, lambda _step, loss: losses.append(loss))
    strategist._numbers = reader
    after = measure(strategist, SITUATIONS, render).regret_pct["first"].mean()
    assert after < 0.2 * before
    assert len(losses) == CONFIG.number_steps + CONFIG.joint_steps
    assert losses[-1] < losses[CONFIG.number_steps]
