from dataclasses import replace

import pytest
import torch

from agent.model_proposer import prompt_text
from models.training.regret import measure
from models.training.strategist_config import StrategistTrainingConfig
from models.training.strategist_numbers import Told, fit_numbers, tell
from prompts import load_prompt
from tests.models.test_strategist import tiny
from tests.models.training.test_lessons import situation

PROMPT = load_prompt("strategist", 2)
CONFIG = replace(StrategistTrainingConfig(), number_steps=150, number_batch=16)
SITUATIONS = [
    situation(slope, cost, may_rise=rise, rival_ratio=rival)
    for slope in (1.2, 2.0, 3.0, 4.5)
    for cost in (0.3, 0.5, 0.7)
    for rise in (True, False)
    for rival in (None, 0.9)
]


@pytest.fixture(scope="module")
def told() -> list[Told]:
    return tell(tiny(1), SITUATIONS, lambda one: prompt_text(PROMPT, one.facts), lambda _share: None)


def test_states_are_those_that_the_strategist_sees_when_it_writes(told: list[Told]) -> None:
    """Read beside fifteen others or alone: the same; and as many ways as the situation leaves open."""
    again = tell(tiny(1), SITUATIONS[:1], lambda one: prompt_text(PROMPT, one.facts), lambda _share: None)[0]
    torch.testing.assert_close(told[0].prompt.float(), again.prompt.float(), atol=1e-2, rtol=1e-2)
    torch.testing.assert_close(told[0].behind.float(), again.behind.float(), atol=1e-2, rtol=1e-2)
    for one, given in zip(told, SITUATIONS, strict=True):
        levers = set(one.ways[:, 0].tolist())
        assert len(levers) == len(given.facts.levers())
        assert float(one.worth.max()) == pytest.approx(1.0)


def test_numbers_bring_the_first_choice_nearer_to_the_best_price(told: list[Told]) -> None:
    """Random layers know nothing of the situation: what is learned, the numbers taught."""
    strategist = tiny(1)
    render = lambda one: prompt_text(PROMPT, one.facts)  # noqa: E731
    before = measure(strategist, SITUATIONS, render).regret_pct["first"].mean()
    losses: list[float] = []
    head, numbers = fit_numbers(told, strategist._head, CONFIG, lambda _step, loss: losses.append(loss))
    strategist._head, strategist._numbers = head, numbers
    after = measure(strategist, SITUATIONS, render).regret_pct["first"].mean()
    assert after < 0.2 * before
    assert losses[-1] < losses[CONFIG.number_steps // 2]
