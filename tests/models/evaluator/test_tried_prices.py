"""Ranges of prices that were ever offered."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.evaluator.tried_prices import LEAST_OFFERS, TriedPrices, TriedRange

RNG = np.random.default_rng(3)
RATIOS = np.round(RNG.uniform(-0.3, 0.1, 200), 3)
OFTEN, SELDOM = np.arange(LEAST_OFFERS), np.arange(LEAST_OFFERS - 1)


def test_a_product_offered_often_has_a_range_of_its_own_else_its_category_and_the_shop() -> None:
    tried = TriedPrices.from_offers(
        RATIOS, {"product=a": OFTEN, "product=b": SELDOM, "product.category=tea": np.arange(100)}
    )
    of_a, of_tea = (np.sort(RATIOS[:count]) for count in (LEAST_OFFERS, 100))
    assert tried.of("a", "Tea") == (of_a[2], max(0.0, of_a[-3]))
    assert tried.of("b", "Tea") == (of_tea[2], max(0.0, of_tea[-3]))
    assert tried.of("c", "none") == (np.sort(RATIOS)[2], np.sort(RATIOS)[-3])


def test_the_reference_price_is_always_within_and_two_mistyped_prices_move_no_end() -> None:
    low = TriedPrices.from_offers(np.r_[np.full(50, -0.2), [-3.0, 2.0]], {})
    assert low.of("a", "") == TriedRange(-0.2, 0.0)


@given(st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=90), st.text(st.characters(exclude_characters="\n")))
def test_ranges_survive_their_file(ratios: list[float], name: str) -> None:
    tried = TriedPrices.from_offers(np.asarray(ratios), {f"product={name}": np.arange(len(ratios))}, 0.25)
    tensors = {key: np.asarray(value, np.float64) for key, value in tried.to_tensors().items()}
    assert TriedPrices.from_tensors(tensors) == tried


@given(st.floats(0, 1), st.lists(st.floats(-1, 1), min_size=2, max_size=9))
def test_below_the_tried_prices_a_part_of_the_response_counts_and_none_is_lost_above(
    response: float, ratios: list[float]
) -> None:
    tried = TriedPrices({"all": TriedRange(-0.2, 0.1)}, response)
    given = np.sort(np.asarray(ratios))[None]
    found = tried.effective(given, np.asarray([[-0.2, 0.1]]))
    assert (np.diff(found) >= -1e-12).all()
    assert np.allclose(found[given >= -0.2], given[given >= -0.2])
    assert np.allclose(found[given < -0.2], -0.2 + response * (given[given < -0.2] + 0.2))


def test_an_evaluator_without_ranges_has_none() -> None:
    assert TriedPrices.from_tensors({}) is None
