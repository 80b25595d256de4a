from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluator.utility import Offers, Weights, utility
from models.strategist.facts import StrategistFacts
from models.strategist.strategy import ALLOWED_ANCHORS, ALLOWED_MOVES, MOVES, Anchor, Lever
from models.training.situations import GRID, Situation, is_held_out
from models.training.soft_targets import strategy_example, strategy_utilities, tempered_softmax


def situation(elasticity: float = 2.0, cost: float = 0.5, **facts: object) -> Situation:
    """Situation with constant-elasticity demand."""
    purchase = 0.01 * GRID**-elasticity
    down, less, up = (0.01 * np.asarray([0.8, 0.9, 1.1]) ** -elasticity / 0.01).tolist()
    flat = np.full(len(GRID), 0.8)
    offers = Offers(GRID, np.asarray(cost), purchase, flat, np.asarray(0.01), np.asarray(0.8))
    known = StrategistFacts("bread", 0.1, (down, less, up), may_rise=False, cost_ratio=cost, list_ratio=1.0)
    return Situation(replace(known, **facts), utility(offers, Weights(1, 0, 0)))  # type: ignore[arg-type]


SITUATIONS = st.builds(
    situation,
    elasticity=st.floats(0.3, 6),
    cost=st.floats(0.1, 0.9),
    may_rise=st.booleans(),
    rival_ratio=st.none() | st.floats(0.6, 1.4),
    last_paid_ratio=st.none() | st.floats(0.5, 1.5),
    list_ratio=st.floats(1.0, 1.25),
    stock=st.sampled_from(["unknown", "scarce", "normal", "deep"]),
    loyalty=st.sampled_from(["new", "occasional", "regular", "lapsed"]),
    hours_left=st.none() | st.floats(1, 300),
    quantity=st.integers(1, 6),
)


@settings(max_examples=60, deadline=None)
@given(SITUATIONS)
def test_utility_is_finite_exactly_where_grammar_and_situation_allow_a_strategy(asked: Situation) -> None:
    found = strategy_utilities(asked)
    levers, anchors = asked.facts.levers(), asked.facts.anchors()
    for row, lever in enumerate(Lever):
        for column, anchor in enumerate(Anchor):
            possible = lever in levers and anchor in anchors and anchor in ALLOWED_ANCHORS[lever]
            allowed = np.asarray([possible and move in ALLOWED_MOVES[lever] for move in MOVES])
            assert (np.isfinite(found[row, column]) == allowed).all()


@settings(max_examples=40, deadline=None)
@given(SITUATIONS, st.integers(0, 5))
def test_targets_are_distributions_over_allowed_strategies(asked: Situation, seed: int) -> None:
    example = strategy_example(asked, np.random.default_rng(seed))
    open_moves = np.isfinite(example.utility)[example.lever, example.anchor]
    assert example.lever_target.sum() == pytest.approx(1)
    assert example.anchor_target.sum(1) == pytest.approx(1)
    assert example.move_target.sum(1) == pytest.approx(1)
    assert not example.move_target[~open_moves].any()
    assert open_moves[np.arange(len(example.move)), example.move].all()


@pytest.mark.parametrize(("elasticity", "cost"), [(3.0, 0.5), (5.0, 0.6), (2.5, 0.5)])
def test_the_best_move_of_a_discount_is_the_textbook_price(elasticity: float, cost: float) -> None:
    textbook = cost * elasticity / (elasticity - 1)  # Lerner's rule
    row, column = list(Lever).index(Lever.DISCOUNT), list(Anchor).index(Anchor.REFERENCE)
    best = MOVES[int(np.argmax(strategy_utilities(situation(elasticity, cost))[row, column]))]
    assert best / 100 == pytest.approx(textbook - 1, abs=0.011)


def test_the_target_is_hold_when_no_move_pays_and_the_lever_with_the_right_reason_when_one_does() -> None:
    still = strategy_example(situation(1.1, 0.8), np.random.default_rng(0)).lever_target
    clears = strategy_example(situation(5.0, 0.5, stock="deep"), np.random.default_rng(0)).lever_target
    levers = list(Lever)
    assert still.argmax() == levers.index(Lever.HOLD)
    assert clears.argmax() == levers.index(Lever.CLEAR_STOCK)


def test_softmax_at_one_percent_turns_a_gap_of_one_percent_into_a_factor_of_e() -> None:
    shares = tempered_softmax(np.asarray([1.00, 0.99, -np.inf]))
    assert shares[0] / shares[1] == pytest.approx(np.e)
    assert shares[2] == 0


def test_a_tenth_of_ids_is_held_out_by_id() -> None:
    ids = np.arange(1, 3001)
    assert is_held_out(ids).mean() == pytest.approx(0.1, abs=0.02)
    assert (is_held_out(ids)[:100] == is_held_out(ids[:100])).all()
