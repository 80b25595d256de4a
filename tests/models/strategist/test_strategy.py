import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.strategist.rounding import round_prices
from models.strategist.strategy import (
    ALLOWED_ANCHORS,
    ALLOWED_MOVES,
    Anchor,
    AnchorPrices,
    Lever,
    Rounding,
    Strategy,
    StrategyError,
    realise,
    round_minor,
)


@pytest.mark.parametrize("lever", list(Lever))
def test_every_lever_has_a_move_and_an_anchor(lever: Lever) -> None:
    assert len(ALLOWED_MOVES[lever]) > 0
    assert ALLOWED_ANCHORS[lever]


@pytest.mark.parametrize(
    ("lever", "anchor", "move"),
    [
        (Lever.HOLD, Anchor.REFERENCE, -1),
        (Lever.DISCOUNT, Anchor.REFERENCE, 1),
        (Lever.PREMIUM, Anchor.REFERENCE, 0),
        (Lever.MATCH_COMPETITOR, Anchor.REFERENCE, 0),
        (Lever.UNDERCUT_COMPETITOR, Anchor.COMPETITOR, -11),
        (Lever.DISCOUNT, Anchor.REFERENCE, -81),
    ],
)
def test_the_grammar_refuses_what_a_lever_does_not_allow(lever: Lever, anchor: Anchor, move: int) -> None:
    with pytest.raises(StrategyError, match="allowed"):
        Strategy(lever, anchor, move)


@given(st.floats(1, 1e9), st.sampled_from(Rounding), st.sampled_from([0, 2, 3]))
def test_rounding_moves_a_price_by_at_most_two_and_a_half_percent_or_half_a_minor_unit(
    price: float, rounding: Rounding, digits: int
) -> None:
    rounded = round_minor(price, rounding, digits)
    assert abs(rounded - price) <= max(0.5, 0.025 * price)


@given(
    st.lists(st.floats(0, 1e9) | st.integers(0, 10**12).map(float), min_size=1, max_size=5),
    st.sampled_from(Rounding),
    st.sampled_from([0, 2, 3]),
    st.sampled_from([1, 5, 10, 100, 1000]),
)
def test_arrays_are_rounded_like_single_prices(prices: list[float], rounding: Rounding, digits: int, step: int) -> None:
    rounded = round_prices(np.asarray(prices), rounding, digits, step)
    assert rounded.tolist() == [round_minor(price, rounding, digits, step) for price in prices]


@pytest.mark.parametrize(
    ("price", "rounding", "digits", "expected"),
    [
        (281.0, Rounding.CHARM, 2, 279),
        (129_850.0, Rounding.CHARM, 2, 129_899),
        (1_304.0, Rounding.CHARM, 0, 1_299),
        (283.0, Rounding.FIVE, 2, 285),
        (10_040.0, Rounding.WHOLE, 2, 10_000),
        (7.0, Rounding.CHARM, 2, 7),
    ],
)
def test_rounding_gives_presentable_prices(price: float, rounding: Rounding, digits: int, expected: int) -> None:
    assert round_minor(price, rounding, digits) == expected


def test_a_strategy_without_its_anchor_has_no_price() -> None:
    assert realise(Strategy(Lever.MATCH_COMPETITOR, Anchor.COMPETITOR, 0), AnchorPrices(100, 100), 2) is None


def test_moves_are_percent_of_the_anchor() -> None:
    anchors = AnchorPrices(reference_minor=1000, list_minor=1200, competitor_minor=900, last_paid_minor=800)
    assert realise(Strategy(Lever.DISCOUNT, Anchor.LIST, -10), anchors, 2) == 1080
    assert realise(Strategy(Lever.UNDERCUT_COMPETITOR, Anchor.COMPETITOR, -10), anchors, 2) == 810
    assert realise(Strategy(Lever.LOYALTY_REWARD, Anchor.LAST_PAID, -5), anchors, 2) == 760


@given(st.integers(1, 10**9))
def test_hold_is_the_reference_price(reference: int) -> None:
    assert realise(Strategy(Lever.HOLD, Anchor.REFERENCE, 0), AnchorPrices(reference, reference), 2) == reference
