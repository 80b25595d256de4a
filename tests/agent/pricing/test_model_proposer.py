from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.domain.clock import FixedClock
from agent.domain.decision import Rung
from agent.pricing.model_proposer import ModelProposer, prompt_text, proposal_request, rounding, situation_of
from agent.state.known_strategies import KnownStrategies
from agent.store import Store
from models.strategist.facts import StrategistFacts
from models.strategist.proposals import Written
from models.strategist.strategy import Anchor, Lever, Strategy
from prompts import Prompt, load_prompt

FACTS = StrategistFacts("bread", 0.2, (1.4, 1.2, 0.8), may_rise=False, cost_ratio=0.5, rival_ratio=0.95)
PROMPT = load_prompt("strategist", 2)
HOLD = (Written(Strategy(Lever.HOLD, Anchor.REFERENCE, 0), 0.0),)

_ratios = st.none() | st.floats(0, 2) | st.sampled_from((0.7, 0.995, 1.0, 1.005, 1.3, 1.5))
_facts = st.builds(
    StrategistFacts,
    category=st.sampled_from(("bread", "", "unknown", "Bread", "bread!", "tea")),
    interest=st.floats(0, 1),
    lifts=st.tuples(st.floats(0.9, 3), st.floats(0.9, 2), st.floats(0, 1.1)),
    may_rise=st.booleans(),
    cost_ratio=st.none() | st.floats(0, 2),
    list_ratio=_ratios,
    last_paid_ratio=_ratios,
    rival_ratio=_ratios,
    similar_ratio=_ratios,
    past_ratio=_ratios,
    past_bought=st.integers(0, 2),
    past_total=st.integers(0, 3),
    loyalty=st.sampled_from(("new", "occasional", "regular", "lapsed")),
    stock=st.sampled_from(("unknown", "scarce", "normal", "deep")),
    trend=st.floats(-1, 1),
    season=st.sampled_from(("", "none", "easter")),
    hours_left=st.none() | st.floats(-5, 1_000) | st.sampled_from((0.0, 47.6, 48.0, 335.9, 336.0, 336.1)),
    quantity=st.integers(1, 12),
)


class Scripted:
    """A writer that writes `hold` for everything, at once or when told to."""

    def __init__(self, *, at_once: bool) -> None:
        self.at_once = at_once
        self.trouble: str | None = None
        self.asked: dict[str, StrategistFacts] = {}

    def ask(self, memory: KnownStrategies, situations: Mapping[str, StrategistFacts]) -> None:
        self.asked |= situations
        if self.at_once and self.trouble is None:
            memory.add(dict.fromkeys(situations, HOLD))

    def drain(self, timeout_s: float) -> bool:
        return True

    def leave(self, memory: KnownStrategies) -> None:
        self.asked.clear()


@pytest.fixture
def memory(sqlite_url: str) -> Iterator[KnownStrategies]:
    clock = FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    with Store.open(sqlite_url, clock) as store:
        yield KnownStrategies("v1", store, clock)


def rungs(proposer: ModelProposer, facts: Sequence[StrategistFacts]) -> list[Rung]:
    return [one.rung for one in proposer.propose(facts)]


def situations(count: int) -> list[StrategistFacts]:
    return [replace(FACTS, cost_ratio=0.3 + 0.01 * number) for number in range(count)]


def test_an_unknown_situation_is_numeric_until_its_strategies_are_written(memory: KnownStrategies) -> None:
    writer = Scripted(at_once=False)
    proposer = ModelProposer(PROMPT, memory, writer)
    first, other = situations(2)
    assert rungs(proposer, [first, first, other]) == [Rung.NUMERIC] * 3
    assert list(writer.asked.values()) == [first, other]
    memory.add(dict.fromkeys(writer.asked, HOLD))
    assert rungs(proposer, [other, first, FACTS]) == [Rung.CACHED, Rung.CACHED, Rung.NUMERIC]
    assert proposer.propose([first])[0].written == HOLD


def test_a_writer_that_works_at_once_gives_strategies_to_the_quote_that_asks(memory: KnownStrategies) -> None:
    proposer = ModelProposer(PROMPT, memory, Scripted(at_once=True))
    first, other = situations(2)
    assert rungs(proposer, [first]) == [Rung.MODEL]
    assert rungs(proposer, [first, other]) == [Rung.CACHED, Rung.MODEL]


def test_state_tells_the_writers_trouble_and_known_strategies_still_serve(memory: KnownStrategies) -> None:
    writer = Scripted(at_once=True)
    proposer = ModelProposer(PROMPT, memory, writer)
    first, other = situations(2)
    proposer.propose([first])
    assert proposer.state == "ok"
    writer.trouble = "it ended"
    assert rungs(proposer, [first, other]) == [Rung.CACHED, Rung.NUMERIC]
    assert proposer.state == "it ended"


def test_without_a_strategist_nothing_is_proposed() -> None:
    proposer = ModelProposer(PROMPT)
    assert rungs(proposer, [FACTS]) == [Rung.NUMERIC]
    assert proposer.state == "off"


@pytest.mark.parametrize("version", [1, 2])
@settings(max_examples=400)
@given(first=_facts, second=_facts, name=st.sampled_from(sorted(StrategistFacts.__dataclass_fields__)))
@example(first=FACTS, second=replace(FACTS, cost_ratio=0.504), name="cost_ratio")
@example(first=FACTS, second=replace(FACTS, category="Bread?"), name="category")
def test_situations_are_the_same_where_prompt_levers_and_anchors_are(
    version: int, first: StrategistFacts, second: StrategistFacts, name: str
) -> None:
    prompt = load_prompt("strategist", version)
    read = rounding(prompt)
    for other in (second, replace(first, **{name: getattr(second, name)})):  # most pairs differ in one field alone
        same = proposal_request(prompt, first) == proposal_request(prompt, other)
        assert (read(first) == read(other)) is same
        assert (situation_of(read(first)) == situation_of(read(other))) is same


def test_numbers_of_numpy_are_the_same_situation() -> None:
    numbers: dict[str, Any] = {"cost_ratio": np.float64(0.5), "quantity": np.int64(1), "may_rise": np.bool_(False)}
    cast = replace(FACTS, **numbers, rival_ratio=np.float64(0.95), lifts=tuple(np.asarray(FACTS.lifts)))
    assert situation_of(rounding(PROMPT)(cast)) == situation_of(rounding(PROMPT)(FACTS))


def test_known_situations_of_a_page_cost_little(memory: KnownStrategies) -> None:
    proposer = ModelProposer(PROMPT, memory, Scripted(at_once=True))
    page = situations(48)
    proposer.propose(page)

    def took_us() -> float:
        began = perf_counter()
        proposer.propose(page)
        return (perf_counter() - began) * 1e6 / len(page)

    assert min(took_us() for _ in range(20)) < 60  # about 10 where nothing else runs


def test_the_prompt_tells_the_price_response_cost_and_rival() -> None:
    text = prompt_text(PROMPT, FACTS)
    assert "cost 50 percent" in text
    assert "elasticity 1.5, sales +39 at -20, +21 at -10, -21 at +10" in text
    assert "rival -5 percent" in text
    assert "rise no" in text


def first_prompt() -> Prompt:
    return load_prompt("strategist", 1)


def test_the_first_prompt_can_still_be_rendered() -> None:
    assert "elasticity 1.5" in prompt_text(first_prompt(), FACTS)
