from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from agent.domain.records import EventRecord, EventType
from agent.state.shopper_histories import HistoryCursor, ProductLabels, ShopperHistories, fold
from models.shopper.history import ShopperHistory, recent_items
from tests.agent.store.builders import AT, event

LATER_S = (AT + timedelta(days=30)).timestamp()


@dataclass
class Log:
    """One shopper's events in memory, numbered from 1 as they come; says how many were read."""

    records: list[EventRecord] = field(default_factory=list)
    read: int = 0

    def shopper_events(
        self, shopper_id: str, *, before: datetime | None = None, limit: int = 5_000, sales: bool | None = None
    ) -> list[EventRecord]:
        kept = [
            record
            for record in sorted(self.records, key=lambda record: record.at)
            if (before is None or record.at < before)
            and (sales is None or (record.type is EventType.PURCHASE) == sales)
        ][-limit:]
        self.read += len(kept)
        return kept

    def shopper_events_since(self, shopper_id: str, seq: int, limit: int = 5_000) -> list[tuple[int, EventRecord]]:
        numbered = [(number, record) for number, record in enumerate(self.records, 1) if number > seq]
        kept = sorted(numbered, key=lambda one: one[1].at)[-limit:]
        self.read += len(kept)
        return kept


def labels(product_id: str, at_s: float | None) -> ProductLabels:
    """Of a product that is its own category."""
    return ProductLabels(product_id, "brand", float("nan") if at_s is None else 100.0)


def whole(records: Sequence[EventRecord]) -> ShopperHistory:
    return fold(ShopperHistory(), sorted(records, key=lambda record: record.at), labels)


events = st.builds(
    lambda minute, product, kind: event(
        at=AT + timedelta(minutes=minute), product_id=product, type=kind, list_minor=None
    ),
    st.integers(0, 60),
    st.sampled_from(["milk", "soap"]),
    st.sampled_from([EventType.PURCHASE, EventType.VIEW]),
)


@given(st.lists(events, max_size=8), st.lists(st.lists(events, max_size=4), max_size=4))
def test_a_history_includes_new_events_once_in_any_order(
    first: list[EventRecord], further: list[list[EventRecord]]
) -> None:
    log = Log(list(first))
    book = ShopperHistories(log, labels)
    kept = book.folded("s1").history
    assert kept == whole(first)
    for new in further:
        log.records += new
        book.refresh({"s1"})
        assert book.folded("s1").history == whole(log.records)
    assert kept == whole(first)  # who was handed it before sees no change


def test_later_events_extend_a_history_without_reading_earlier_ones() -> None:
    log = Log([event(at=AT + timedelta(minutes=minute)) for minute in range(200)])
    book = ShopperHistories(log, labels)
    book.folded("s1")
    log.records.append(event(at=AT + timedelta(minutes=200)))
    log.read = 0
    book.refresh({"s1"})
    for _ in range(3):
        book.folded("s1")
    assert log.read == 1


def test_events_that_arrive_during_a_read_are_not_missed() -> None:
    log = Log([event()])
    book = ShopperHistories(log, labels)

    def arrives(product_id: str, at_s: float | None) -> ProductLabels:
        if len(log.records) == 1:  # once, in the midst of the first fold
            log.records.append(event(at=AT + timedelta(minutes=1)))
            book.refresh({"s1"})
        return labels(product_id, at_s)

    book._labels_of = arrives
    book.folded("s1")
    assert book.folded("s1").history == whole(log.records)


@given(st.lists(events, max_size=60), st.lists(st.integers(-1, 62), min_size=1, max_size=5))
def test_latest_items_are_those_of_the_history_at_each_moment_together_or_alone(
    records: list[EventRecord], minutes: list[int]
) -> None:
    book = ShopperHistories(Log(records), labels)
    moments = [(AT + timedelta(minutes=minute, seconds=30)).timestamp() for minute in minutes]
    expected = [recent_items(HistoryCursor(book).history("s1", moment), moment) for moment in moments]
    assert book.recents("s1", moments) == expected
    assert [book.recents("s1", [moment])[0] for moment in moments] == expected


def test_of_one_moment_only_the_latest_items_are_read() -> None:
    log = Log([event(at=AT + timedelta(minutes=minute)) for minute in range(500)])
    ShopperHistories(log, labels).recents("s1", [LATER_S])
    assert log.read < 50
