"""The applied-price log keeps every change in order, and stays small however often quotes alternate."""

from datetime import UTC, datetime, timedelta

from agent.domain.records import MOST_OFFERS, AppliedPrice
from agent.store import Store
from tests.agent.store.builders import AT, decision, product


def prices(store: Store, since: datetime = AT - timedelta(days=1)) -> list[int]:
    return [one.price_minor for one in store.applied_prices(["p1"], since).get("p1", ())]


def quote(store: Store, price_minor: int, at: datetime, *, offer: bool = True) -> None:
    one = decision(id=f"d{at.timestamp()}-{price_minor}", at=at)
    store.record_decisions([one], applied={one.id: [AppliedPrice("p1", "USD", price_minor, at, offer)]})


def test_a_price_that_returns_within_the_same_microsecond_is_kept_in_order(store: Store) -> None:
    for list_minor in (100, 80, 100, 100, 90):
        store.upsert_products([product(list_minor=list_minor)], AT)
    assert prices(store) == [100, 80, 100, 90]


def test_the_price_in_force_as_the_span_begins_is_read_however_old_it_is(store: Store) -> None:
    for years, list_minor in ((9, 120), (8, 100), (1, 90)):
        at = AT - timedelta(days=365 * years)
        store.upsert_products([product(list_minor=list_minor)], at)
    assert prices(store, AT - timedelta(days=800)) == [100, 90]


def test_a_quote_brings_no_older_shelf_price_back(store: Store) -> None:
    quote(store, 100, AT, offer=False)
    store.upsert_products([product(list_minor=80)], AT)
    quote(store, 100, AT + timedelta(seconds=1), offer=False)
    assert prices(store) == [100, 80]


def test_alternating_offers_are_limited_by_day_but_a_new_low_is_always_logged(store: Store) -> None:
    day = datetime(2026, 3, 2, tzinfo=UTC)
    store.upsert_products([product(list_minor=100)], AT)
    for minute in range(3 * MOST_OFFERS):
        quote(store, 90 + minute % 2, day + timedelta(minutes=minute))
    quote(store, 70, day + timedelta(hours=9))
    quote(store, 71, day + timedelta(hours=10))
    quote(store, 71, day + timedelta(days=1))
    assert prices(store) == [100, *[90, 91] * (MOST_OFFERS // 2), 70, 71]


def test_prices_of_decisions_that_are_not_stored_are_not_logged(store: Store) -> None:
    quote(store, 90, AT)
    again = decision(id=f"d{AT.timestamp()}-90", at=AT)
    store.record_decisions([again], applied={again.id: [AppliedPrice("p1", "USD", 50, AT, True)]})
    assert prices(store) == [90]
