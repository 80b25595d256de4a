from dataclasses import replace
from datetime import timedelta
from itertools import islice
from threading import Thread

import pytest

from agent.domain.records import EventRecord, EventType
from agent.store import Store
from agent.store.event_deduplication import content_id
from tests.agent.store.builders import AT, event


def _at(minutes: int, **changes: object) -> EventRecord:
    return event(at=AT + timedelta(minutes=minutes), **changes)


@pytest.mark.parametrize(
    "record",
    [
        event(),
        event(product_id=None, price_minor=None, list_minor=None, currency=None, type=EventType.SEARCH, text="åäö ☕"),
        event(at=AT + timedelta(microseconds=1)),
    ],
    ids=["full", "bare", "microsecond"],
)
def test_an_event_read_equals_the_one_appended(store: Store, record: EventRecord) -> None:
    store.append_events([record])

    assert store.shopper_events("s1") == [record]


def test_shopper_events_come_by_time_then_arrival(store: Store) -> None:
    store.append_events([_at(2, text="a"), _at(1, text="b")])
    store.append_events([_at(2, text="c"), _at(0, text="d"), _at(1, text="e", shopper_id="s2")])

    assert [record.text for record in store.shopper_events("s1")] == ["d", "b", "a", "c"]


def test_shopper_events_end_strictly_before_the_bound(store: Store) -> None:
    records = [_at(minutes) for minutes in range(4)]
    store.append_events(records)

    assert store.shopper_events("s1", before=AT + timedelta(minutes=2)) == records[:2]
    assert store.shopper_events("s1", before=AT + timedelta(minutes=2, microseconds=1)) == records[:3]


def test_the_limit_keeps_the_last_events_before_the_bound(store: Store) -> None:
    records = [_at(0, text=str(number)) for number in range(5)] + [_at(1), _at(2)]
    store.append_events(records)

    assert store.shopper_events("s1", limit=3) == records[-3:]
    assert store.shopper_events("s1", before=AT + timedelta(minutes=1), limit=2) == records[3:5]


def test_sales_come_alone_or_everything_but_them(store: Store) -> None:
    records = [_at(minute, type=EventType.VIEW if minute % 2 else EventType.PURCHASE) for minute in range(6)]
    store.append_events(records)

    assert store.shopper_events("s1", limit=2, sales=True) == [records[2], records[4]]
    assert store.shopper_events("s1", limit=2, sales=False) == [records[3], records[5]]


def test_a_shoppers_events_beyond_a_number_come_by_time_with_their_numbers(store: Store) -> None:
    store.append_events([_at(1), _at(2, shopper_id="s2"), _at(3, text="a")])
    first = store.shopper_events_since("s1", 0)
    seen = max(number for number, _ in first)
    store.append_events([_at(5, text="c"), _at(4, shopper_id="s2"), _at(2, text="b"), _at(5, text="d")])

    assert [record.text for _, record in first] == ["", "a"]
    assert [record.text for _, record in store.shopper_events_since("s1", seen)] == ["b", "c", "d"]
    assert [record.text for _, record in store.shopper_events_since("s1", seen, limit=1)] == ["d"]
    numbers = dict((record.text, number) for number, record in store.shopper_events_since("s1", seen))
    assert seen < numbers["c"] < numbers["b"] < numbers["d"]
    assert store.shopper_events_since("s1", numbers["d"]) == []


def test_an_unknown_shopper_has_no_events(store: Store) -> None:
    assert store.shopper_events("nobody") == []


def test_a_bulk_load_is_complete_and_in_order(store: Store) -> None:
    records = [_at(number % 977, shopper_id=f"s{number % 50}", text=str(number)) for number in range(25_000)]
    for start in range(0, len(records), 12_000):
        store.append_events(records[start : start + 12_000])

    assert [record for _, record in store.events_since(0)] == records
    assert [record.text for record in store.shopper_events("s7")] == [
        record.text for record in sorted((one for one in records if one.shopper_id == "s7"), key=lambda one: one.at)
    ]


def test_reading_goes_on_after_the_last_number_seen(store: Store) -> None:
    store.append_events([event(text=str(number)) for number in range(7)])
    seen = list(islice(store.events_since(0, batch=2), 3))
    store.append_events([event(text="7")])

    rest = list(store.events_since(seen[-1][0], batch=2))

    assert [record.text for _, record in seen + rest] == [str(number) for number in range(8)]
    assert list(store.events_since(rest[-1][0])) == []


def test_a_reader_that_follows_concurrent_writers_misses_nothing(store: Store) -> None:
    def write(writer: int) -> None:
        for number in range(40):
            store.append_events([event(text=f"{writer}-{number}-{part}") for part in range(3)])

    writers = [Thread(target=write, args=(number,)) for number in range(4)]
    for writer in writers:
        writer.start()
    seen: list[tuple[int, EventRecord]] = []
    while any(writer.is_alive() for writer in writers):
        seen += store.events_since(seen[-1][0] if seen else 0)
    seen += store.events_since(seen[-1][0])

    assert sorted(record.text for _, record in seen) == sorted(
        f"{w}-{n}-{part}" for w in range(4) for n in range(40) for part in range(3)
    )


def test_shopper_ids_are_those_with_events_once_each(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.store.events._IDS_BATCH", 2)
    store.append_events([event(shopper_id=shopper) for shopper in ("c", "a", "b", "a", "e", "d", "e")])

    assert list(store.shopper_ids()) == ["a", "b", "c", "d", "e"]


def test_appending_nothing_changes_nothing(store: Store) -> None:
    store.append_events([])

    assert list(store.events_since(0)) == []


def test_an_identity_is_kept_once_and_events_without_one_always(store: Store) -> None:
    view = event(type=EventType.VIEW)
    named = replace(view, event_id=content_id(view))

    assert store.append_events([named, named, view]) == [named, view]
    assert store.append_events([named, view]) == [view]
    assert store.event_count() == 3


def test_a_sale_as_event_and_as_outcome_counts_once_whichever_came_first(store: Store) -> None:
    sale = event(type=EventType.PURCHASE)
    told = replace(sale, event_id=content_id(sale))
    of_the_shop = replace(sale, event_id="till-7")

    assert store.append_events([of_the_shop]) == [of_the_shop]
    assert store.append_events([told]) == []
    other = replace(sale, shopper_id="s2")
    assert store.append_events([replace(other, event_id=content_id(other))]) != []
    assert store.append_events([replace(other, event_id="till-8")]) == []


def test_two_sales_with_ids_of_their_own_at_one_moment_are_two(store: Store) -> None:
    sale = event(type=EventType.PURCHASE)

    assert len(store.append_events([replace(sale, event_id="till-1"), replace(sale, event_id="till-2")])) == 2
