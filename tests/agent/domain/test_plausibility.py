from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.plausibility import (
    Doubt,
    Suspicion,
    currency_refusal,
    event_suspicion,
    future_refusal,
    outcome_suspicion,
    product_suspicion,
)
from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType, ProductRecord

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
PRODUCT = ProductRecord("p1", "Boots", "EUR", list_minor=1_999, cost_minor=900)


def offer(price: int, reference: int | None = None, **changes: object) -> OutcomeRecord:
    base = OutcomeRecord("o", "s", "p1", "EUR", price, reference or 1_999, OutcomeType.PURCHASED, 1, AT)
    return replace(base, **changes)  # type: ignore[arg-type]


def told(found: Suspicion | None) -> tuple[Doubt, int] | None:
    return None if found is None else (found.doubt, found.power)


@pytest.mark.parametrize(
    ("price", "reference", "expected"),
    [
        (199_900, 199_900, (Doubt.REFERENCE_LIST, 2)),
        (199_900, 1_999, (Doubt.PRICE_LIST, 2)),
        (150_000, 2_100, (Doubt.PRICE_REFERENCE, 2)),
        (1_999_000, 1_999, (Doubt.PRICE_LIST, 3)),
        (19_990, 19_990, (Doubt.REFERENCE_LIST, 1)),
        (19_990, 1_999, (Doubt.PRICE_LIST, 1)),
        (20, 1_999, (Doubt.PRICE_LIST, -2)),
        (20, 20, (Doubt.REFERENCE_LIST, -2)),
    ],
)
def test_prices_in_another_unit_are_doubted(price: int, reference: int, expected: tuple[Doubt, int]) -> None:
    assert told(outcome_suspicion(offer(price, reference), PRODUCT)) == expected


@pytest.mark.parametrize(
    ("price", "reference"),
    [(200, 1_999), (1, 1_999), (100, 1_999), (1_999, 3_999), (7_900, 1_999), (900, 9_999), (100, 10_000)],
    ids=["clearance", "gift", "for one euro", "half", "dear", "old price", "one euro of a hundred"],
)
def test_honest_prices_are_not(price: int, reference: int) -> None:
    assert outcome_suspicion(offer(price, reference), PRODUCT) is None


@given(
    listed=st.integers(50, 10**7), drift=st.floats(0.5, 3), ratio=st.floats(0.1, 3), factor=st.sampled_from([100, 1000])
)
def test_honest_offers_pass_and_a_hundred_times_their_price_never_does(
    listed: int, drift: float, ratio: float, factor: int
) -> None:
    reference = round(listed * drift)
    price = max(1, round(reference * ratio))
    product = replace(PRODUCT, list_minor=listed)
    assert outcome_suspicion(offer(price, reference), product) is None
    assert outcome_suspicion(offer(price * factor, reference), product) is not None
    assert outcome_suspicion(offer(price * factor, reference * factor), product) is not None


def test_an_unknown_product_is_judged_by_the_reference_alone() -> None:
    assert outcome_suspicion(offer(199_900, 199_900), None) is None
    assert told(outcome_suspicion(offer(199_900, 1_999), None)) == (Doubt.PRICE_REFERENCE, 2)


def test_absurd_quantities_and_dates_are_doubted() -> None:
    assert told(outcome_suspicion(offer(1_999, quantity=4_006_381), PRODUCT)) == (Doubt.QUANTITY, 0)
    assert told(outcome_suspicion(offer(1_999, at=datetime(1999, 1, 1, tzinfo=UTC)), PRODUCT)) == (Doubt.DATE, 0)


def test_events_are_judged_like_offers_and_free_ones_pass() -> None:
    sale = EventRecord("s", EventType.PURCHASE, AT, "p1", price_minor=199_900, currency="EUR")
    assert told(event_suspicion(sale, PRODUCT)) == (Doubt.PRICE_LIST, 2)
    assert event_suspicion(replace(sale, price_minor=0), PRODUCT) is None
    listed = replace(sale, price_minor=None, list_minor=199_900)
    assert told(event_suspicion(listed, PRODUCT)) == (Doubt.REFERENCE_LIST, 2)


def test_a_products_new_price_is_judged_by_its_old_one_and_its_cost_by_its_price() -> None:
    assert product_suspicion(PRODUCT, None) is None
    assert product_suspicion(PRODUCT, replace(PRODUCT, list_minor=19_990)) is None, "clearance at a tenth"
    assert told(product_suspicion(replace(PRODUCT, list_minor=199_900), PRODUCT)) == (Doubt.NEW_LIST, 2)
    assert told(product_suspicion(replace(PRODUCT, list_minor=20), PRODUCT)) == (Doubt.NEW_LIST, -2)
    assert told(product_suspicion(replace(PRODUCT, cost_minor=90_000), PRODUCT)) == (Doubt.COST, 2)
    assert product_suspicion(replace(PRODUCT, list_minor=199_900, currency="JPY"), PRODUCT) is None


def test_a_price_in_another_currency_than_its_known_products_is_refused_with_both_named() -> None:
    reason = currency_refusal(PRODUCT, "JPY")
    assert reason is not None
    assert "JPY" in reason and "EUR" in reason and "remedy" in reason
    assert currency_refusal(PRODUCT, "EUR") is None
    assert currency_refusal(None, "JPY") is None
    assert currency_refusal(PRODUCT, None) is None


def test_a_day_ahead_is_the_latest() -> None:
    assert future_refusal(AT + timedelta(days=1), AT) is None
    assert future_refusal(AT + timedelta(days=1, microseconds=1), AT) is not None
