from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.decision import Rung
from agent.pricing.model_proposer import ModelProposer, Pace, model_time_ms, prompt_text
from models.strategist.facts import StrategistFacts
from models.strategist.strategist import ProposalRequest, Strategist, Written
from models.strategist.strategy import Anchor, Lever, Strategy
from prompts import load_prompt

FACTS = StrategistFacts("bread", 0.2, (1.4, 1.2, 0.8), may_rise=False, cost_ratio=0.5, rival_ratio=0.95)


class Slow(Strategist):
    """Takes the scripted time for each call, the last of it for all later ones."""

    def __init__(self, *took_ms: float) -> None:
        self.clock_ms = 0.0
        self.calls = self.asked = 0
        self._took_ms = list(took_ms)

    def ends_in(self, ms: float) -> Callable[[], float]:
        """Time until a moment so far away, by its own clock."""
        end = self.clock_ms + ms
        return lambda: end - self.clock_ms

    def propose(self, requests: Sequence[ProposalRequest], k: int = 8) -> list[list[Written]]:
        self.calls += 1
        self.asked += len(requests)
        self.clock_ms += self._took_ms.pop(0) if len(self._took_ms) > 1 else self._took_ms[0]
        return [[Written(Strategy(Lever.HOLD, Anchor.REFERENCE, 0), 0.0)] for _ in requests]


def situations(count: int) -> list[StrategistFacts]:
    return [replace(FACTS, cost_ratio=0.3 + 0.01 * number) for number in range(count)]


def rungs(model: Slow, quotes: int, time_ms: float) -> list[Rung]:
    """Rungs of quotes in different situations, one after another."""
    proposer = ModelProposer(model, load_prompt("strategist", 2))
    asked = situations(quotes)
    return [proposer.propose([facts], model.ends_in(time_ms))[0].rung for facts in asked]


def test_one_slow_call_does_not_keep_later_quotes_off_the_model() -> None:
    found = rungs(Slow(60_000, 20), quotes=40, time_ms=50)
    assert found[0] is Rung.MODEL
    assert found.count(Rung.NUMERIC) <= 5
    assert set(found[-20:]) == {Rung.MODEL}


def test_a_model_that_is_always_too_slow_is_mostly_left_alone() -> None:
    model = Slow(400)
    found = rungs(model, quotes=60, time_ms=50)
    assert found.count(Rung.MODEL) == model.calls < 15


def test_an_answer_known_from_before_comes_from_the_cache_without_a_call() -> None:
    model = Slow(20)
    proposer = ModelProposer(model, load_prompt("strategist", 2))
    first, again = (proposer.propose([FACTS], model.ends_in(100))[0] for _ in range(2))
    assert (first.rung, again.rung, model.calls) == (Rung.MODEL, Rung.CACHED, 1)
    assert first.written == again.written


def test_of_a_batch_as_many_are_written_as_the_time_allows() -> None:
    model = Slow(110)
    proposer = ModelProposer(model, load_prompt("strategist", 2))
    found = [one.rung for one in proposer.propose(situations(16), model.ends_in(60))]
    assert found == [Rung.MODEL] * model.asked + [Rung.NUMERIC] * (16 - model.asked)
    assert 1 < model.asked < 16
    assert model.calls == 1


@pytest.mark.parametrize(("fixed", "each"), [(80.0, 30.0), (5.0, 20.0), (30.0, 0.5)])
def test_a_steady_pace_is_learned_for_one_and_for_many(fixed: float, each: float) -> None:
    pace, rng = Pace(), np.random.default_rng(3)
    for n in rng.choice([1, 2, 4, 8, 16], 2_000):
        pace.took(int(n), fixed + each * n)
    for n in (1, 4, 16):
        assert pace.expected(n) == pytest.approx(fixed + each * n, rel=0.05)
    assert pace.fits(fixed + 4.5 * each, 16) == 4
    assert pace.fits(fixed, 16) == 0


def test_a_long_time_without_time_is_not_taken_for_a_fast_model() -> None:
    pace = Pace()
    for _ in range(500):
        pace.held_off()
    for _ in range(12):
        pace.took(1, 60.0)
    assert pace.fits(50.0, 1) == 0


@given(st.floats(1, 60_000), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_who_waited_longer_gets_less_of_the_model(deadline_ms: float, left: float, waited: float, other: float) -> None:
    left_ms, gone_ms = left * deadline_ms, (1 - left) * deadline_ms
    less, more = sorted((waited * gone_ms, other * gone_ms))
    longer, shorter = (model_time_ms(deadline_ms, left_ms, ms) for ms in (more, less))
    assert longer <= shorter <= deadline_ms / 2


def test_a_second_is_no_reason_to_write_behind_a_queue_nor_a_short_deadline_to_write_nothing() -> None:
    assert model_time_ms(1_000, 980, 0) == 380
    assert model_time_ms(1_000, 750, 0) == 150  # a batch that takes long by itself
    assert model_time_ms(1_000, 750, 200) < 0
    assert model_time_ms(120, 100, 0) == 50
    assert model_time_ms(60_000, 59_000, 0) == 23_000


def test_the_prompt_tells_the_price_response_cost_and_rival() -> None:
    text = prompt_text(load_prompt("strategist", 2), FACTS)
    assert "cost 50 percent" in text
    assert "elasticity 1.5, sales +39 at -20, +21 at -10, -21 at +10" in text
    assert "rival -5 percent" in text
    assert "rise no" in text


def test_the_first_prompt_can_still_be_rendered() -> None:
    assert "elasticity 1.5" in prompt_text(load_prompt("strategist", 1), FACTS)


def test_a_situation_that_comes_again_and_again_stays_known() -> None:
    model = Slow(1)
    proposer = ModelProposer(model, load_prompt("strategist", 2), capacity=4)
    often, *others = situations(20)
    for other in others:
        for facts in (often, other):
            proposer.propose([facts], model.ends_in(1_000))
    assert model.calls == 20
    assert proposer.propose([others[0]], model.ends_in(1_000))[0].rung is Rung.MODEL
