from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.decision import Rung
from agent.model_proposer import ModelProposer, Pace, prompt_text
from models.strategist import ProposalRequest, Strategist, Written
from models.strategist_facts import StrategistFacts
from models.strategy import Anchor, Lever, Strategy
from prompts import load_prompt

FACTS = StrategistFacts("bread", 0.2, (1.4, 1.2, 0.8), may_rise=False, cost_ratio=0.5, rival_ratio=0.95)


class Slow(Strategist):
    """Takes the scripted time for each call, the last of it for all later ones."""

    def __init__(self, *took_ms: float) -> None:
        self.clock_ms = 0.0
        self.calls = 0
        self._took_ms = list(took_ms)

    def propose(self, requests: Sequence[ProposalRequest], k: int = 8) -> list[list[Written]]:
        self.calls += 1
        self.clock_ms += self._took_ms.pop(0) if len(self._took_ms) > 1 else self._took_ms[0]
        return [[Written(Strategy(Lever.HOLD, Anchor.REFERENCE, 0), 0.0)] for _ in requests]


def rungs(model: Slow, quotes: int, left_ms: float) -> list[Rung]:
    """Rungs of quotes in different situations, one after another."""
    proposer = ModelProposer(model, load_prompt("strategist", 2))
    asked = [replace(FACTS, cost_ratio=0.3 + 0.01 * number) for number in range(quotes)]
    return [proposer.propose([facts], [left_ms], lambda: model.clock_ms)[0].rung for facts in asked]


def test_one_slow_call_does_not_keep_later_quotes_off_the_model() -> None:
    found = rungs(Slow(60_000, 20), quotes=40, left_ms=100)
    assert found[0] is Rung.MODEL
    assert found.count(Rung.NUMERIC) <= 5
    assert set(found[-20:]) == {Rung.MODEL}


def test_a_model_that_is_always_too_slow_is_mostly_left_alone() -> None:
    model = Slow(400)
    found = rungs(model, quotes=60, left_ms=100)
    assert found.count(Rung.MODEL) == model.calls < 15


def test_an_answer_known_from_before_comes_from_the_cache_without_a_call() -> None:
    model = Slow(20)
    proposer = ModelProposer(model, load_prompt("strategist", 2))
    first, again = (proposer.propose([FACTS], [100.0], lambda: model.clock_ms)[0] for _ in range(2))
    assert (first.rung, again.rung, model.calls) == (Rung.MODEL, Rung.CACHED, 1)
    assert first.written == again.written


def test_a_steady_pace_is_learned() -> None:
    pace = Pace()
    for _ in range(40):
        pace.took(12.0)
    assert pace.ms == pytest.approx(12.0, abs=0.1)


def test_the_prompt_tells_the_price_response_cost_and_rival() -> None:
    text = prompt_text(load_prompt("strategist", 2), FACTS)
    assert "cost 50 percent" in text
    assert "sales +40 at -20, +20 at -10, -20 at +10" in text
    assert "rival -5 percent" in text
    assert "rise no" in text


def test_the_first_prompt_can_still_be_rendered() -> None:
    assert "elasticity 1.5" in prompt_text(load_prompt("strategist", 1), FACTS)
