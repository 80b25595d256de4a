"""Selection: exact probabilities, abstention, ties."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.records import Shown
from agent.pricing.bandit import Contest, select
from agent.rules.exploration import Exploration, SelectionRules

PRICES = (1000, 900, 950, 900)
MEAN = np.asarray([1.0, 1.10, 1.04, 1.10])
SURE = MEAN[:, None] + np.zeros((4, 64))
GREEDY = SelectionRules()


def contest(
    prices: tuple[int, ...] = PRICES, mean: np.ndarray = MEAN, draws: np.ndarray = SURE, reference: int = 0
) -> Contest:
    return Contest(prices, mean, draws, reference)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def noisy(spread: float, seed: int = 1) -> np.ndarray:
    return np.asarray(MEAN[:, None] + spread * np.random.default_rng(seed).standard_normal((4, 64)))


@st.composite
def contests(draw: st.DrawFn) -> Contest:
    m = draw(st.integers(1, 6))
    prices = tuple(draw(st.lists(st.integers(1, 6), min_size=m, max_size=m)))
    generator = np.random.default_rng(draw(st.integers(0, 10_000)))
    mean = generator.normal(1, 0.1, m)
    draws = mean[:, None] + draw(st.sampled_from([0.0, 0.05, 0.5])) * generator.standard_normal((m, 32))
    narrow, caution = draw(st.sampled_from([0.0, 0.4, 1.0])), draw(st.sampled_from([0.0, 1.0]))
    return Contest(prices, mean, draws, draw(st.integers(0, m - 1)), None, draws * mean[0], narrow, caution)


def test_without_exploration_the_best_mean_is_chosen_for_sure() -> None:
    chosen = select(contest(), GREEDY, rng())
    assert chosen.index == 1
    assert chosen.propensity == 1.0
    assert chosen.confidence == 1.0
    assert not chosen.abstained


def test_without_exploration_no_random_number_is_drawn() -> None:
    generator = rng()
    before = generator.bit_generator.state
    select(contest(), GREEDY, generator)
    assert generator.bit_generator.state == before


@pytest.mark.parametrize(
    ("mean", "index"),
    [((1.0, 1.1, 1.1, 1.1), 2), ((1.0, 1.0, 1.0, 1.0), 0)],
    ids=["nearest the reference price", "the reference itself"],
)
def test_ties_go_towards_the_reference(mean: tuple[float, ...], index: int) -> None:
    values = np.asarray(mean)
    assert select(contest(mean=values, draws=values[:, None] + np.zeros((4, 8))), GREEDY, rng()).index == index


def test_a_gain_that_is_too_small_holds_the_reference() -> None:
    mean = np.asarray([1.0, 1.003, 1.0, 1.0])
    chosen = select(contest(mean=mean, draws=mean[:, None] + np.zeros((4, 8))), GREEDY, rng())
    assert (chosen.index, chosen.abstained) == (0, True)


def doubtful(sd: dict[int, float]) -> np.ndarray:
    """Draws in which some candidates lie apart from their mean by exactly one sd, either way."""
    draws = MEAN[:, None] + np.zeros((4, 64))
    for place, spread in sd.items():
        draws[place] += spread * np.tile([1.0, -1.0], 32)
    return draws


def test_where_prices_were_not_random_a_gain_counts_less_its_standard_deviation() -> None:
    doubted = contest(draws=doubtful({1: 0.12, 2: 0.01, 3: 0.12}))
    rules = SelectionRules(min_confidence=0.5)
    assert select(doubted, rules, rng()).index == 1
    assert select(replace(doubted, caution=1.0), rules, rng()).index == 2


def test_where_no_gain_exceeds_its_standard_deviation_the_reference_is_held_and_that_is_said() -> None:
    doubted = replace(contest(draws=doubtful({1: 0.12, 2: 0.05, 3: 0.12})), caution=1.0)
    chosen = select(doubted, SelectionRules(min_confidence=0.0), rng())
    assert (chosen.index, chosen.abstained) == (0, True)
    assert chosen.confidence >= 0.5


def test_holding_against_a_gain_within_its_standard_deviation_is_no_less_sure_than_not() -> None:
    spread = np.random.default_rng(3).standard_normal(64)
    draws = MEAN[:, None] + np.zeros((4, 64))
    draws[1:] += 0.12 * (spread - spread.mean()) / spread.std()
    chosen = select(replace(contest(draws=draws), caution=1.0), GREEDY, rng())
    assert chosen.index == 0
    assert chosen.confidence > 0.4


def test_a_gain_in_too_few_draws_holds_the_reference() -> None:
    chosen = select(contest(draws=noisy(5.0)), SelectionRules(min_confidence=0.9), rng())
    assert (chosen.index, chosen.abstained) == (0, True)
    assert chosen.confidence < 0.9


def test_confidence_is_the_share_of_draws_that_agree() -> None:
    draws = np.tile(MEAN[:, None], (1, 10))
    draws[1, :3] = 0.5
    assert select(contest(draws=draws), GREEDY, rng()).confidence == pytest.approx(0.7)


def test_a_lone_candidate_is_certain() -> None:
    alone = select(contest((1000,), np.ones(1), np.ones((1, 8))), GREEDY, rng())
    assert (alone.index, alone.propensity, alone.confidence, alone.abstained) == (0, 1.0, 1.0, False)


@pytest.mark.parametrize("exploration", Exploration)
@given(case=contests(), seed=st.integers(0, 1000))
def test_probabilities_sum_to_one_and_the_propensity_is_that_of_the_final_price(
    exploration: Exploration, case: Contest, seed: int
) -> None:
    chosen = select(case, SelectionRules(exploration=exploration), rng(seed))
    same_price = [
        p for price, p in zip(case.prices, chosen.probabilities, strict=True) if price == case.prices[chosen.index]
    ]
    assert sum(chosen.probabilities) == pytest.approx(1.0)
    assert chosen.propensity == pytest.approx(sum(same_price))
    assert 0 < chosen.propensity <= 1
    assert 0 <= chosen.confidence <= 1


@pytest.mark.parametrize("narrow", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("exploration", [Exploration.CAUTIOUS, Exploration.NORMAL])
def test_prices_are_shown_as_often_as_their_logged_probability(exploration: Exploration, narrow: float) -> None:
    case = replace(contest(draws=noisy(0.1)), worth=noisy(0.1), narrow=narrow)
    rules = SelectionRules(exploration=exploration)
    generator, n = rng(), 4000
    shown = [case.prices[select(case, rules, generator).index] for _ in range(n)]
    probabilities = select(case, rules, rng()).probabilities
    for price in set(PRICES):
        expected = sum(p for other, p in zip(PRICES, probabilities, strict=True) if other == price)
        error = np.sqrt(expected * (1 - expected) / n)
        assert abs(shown.count(price) / n - expected) <= 4 * error


@given(
    case=contests(),
    seen=st.lists(st.integers(1, 6), min_size=1, max_size=5),
    cap=st.sampled_from([0.0, 0.2, 0.5]),
    seed=st.integers(0, 1000),
)
def test_no_price_is_tried_that_would_spread_a_shoppers_prices_beyond_the_cap(
    case: Contest, seen: list[int], cap: float, seed: int
) -> None:
    shown = Shown(len(seen), float(np.mean(seen)), float(np.mean(np.square(seen))))
    rules = SelectionRules(exploration=Exploration.NORMAL, boldness=1.0, good_enough=0.0, max_spread_frac=cap)
    greedy = select(case, replace(rules, exploration=Exploration.OFF), rng(seed)).index
    chosen = select(replace(case, shown=shown), rules, rng(seed))
    assert sum(chosen.probabilities) == pytest.approx(1.0)
    for price, probability in zip(case.prices, chosen.probabilities, strict=True):
        if probability > 0 and price != case.prices[greedy]:
            assert np.std([*seen, price]) <= cap * case.prices[case.reference] + 1e-6


def test_more_exploration_shows_the_best_price_less_often() -> None:
    case = contest(draws=noisy(0.1))
    best = [select(case, SelectionRules(exploration=e), rng()).probabilities[1] for e in Exploration]
    assert best[0] == 1.0
    assert best[0] > best[1] > best[2] > 0
