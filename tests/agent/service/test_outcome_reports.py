"""Reports checked and stored in one transaction, on each database."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.clock import FixedClock
from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType
from agent.domain.refusal import Refusal
from agent.service.outcome_reports import ReportedOutcomes, event_of, purchase_of
from agent.service.outcome_sequence import TICK, OutcomeReport, OutcomeSequence
from agent.store import Store
from tests.agent.store.builders import AT, decision

NOW = AT + timedelta(hours=1)
BOUGHT, RETURNED, DECLINED = OutcomeType.PURCHASED, OutcomeType.RETURNED, OutcomeType.DECLINED


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url, FixedClock(NOW)) as opened:
        yield opened


def offered(store: Store, quantity: int = 5) -> str:
    quote_id = str(uuid4())
    store.record_decisions([decision(id=quote_id, quantity=quantity)])
    return quote_id


def sale_of(record: OutcomeRecord) -> EventRecord | None:
    return purchase_of(record) if record.type is BOUGHT else None


def send(store: Store, *reports: OutcomeReport) -> Sequence[OutcomeRecord | Refusal]:
    reported = ReportedOutcomes(reports, store.offers(one.quote_id for one in reports), NOW)
    store.record_sequences([one.quote_id for one in reports], reported.check, sale_of, lambda _event: None)
    return reported.answers


def test_reports_are_answered_in_their_order_with_what_is_stored(store: Store) -> None:
    a, b = offered(store), offered(store, 1)
    reports = [
        OutcomeReport(a, BOUGHT, 2),
        OutcomeReport(b, DECLINED),
        OutcomeReport("no-such", BOUGHT),
        OutcomeReport(a, BOUGHT, 2),
        OutcomeReport(a, RETURNED, 1),
        OutcomeReport(b, BOUGHT, 2),
        OutcomeReport(b, BOUGHT),
    ]
    answers = send(store, *reports)
    statuses = [one.status if isinstance(one, Refusal) else 200 for one in answers]
    assert statuses == [200, 200, 404, 200, 200, 422, 200]
    stored = [record for _, record in store.outcomes_since(0)]
    assert [one for one in answers if isinstance(one, OutcomeRecord)] == stored
    assert [sale.quantity for _, sale in store.events_since(0)] == [2, 2, 1]
    assert store.audit_count() == 2 + 5


def test_of_reports_at_once_only_those_that_fit_are_stored(store: Store) -> None:
    quote_id = offered(store, 3)
    workers = 8
    ready = Barrier(workers)

    def buy(number: int) -> OutcomeRecord | Refusal:
        ready.wait()
        return send(store, OutcomeReport(quote_id, BOUGHT, 1, outcome_id=f"line {number}"))[0]

    with ThreadPoolExecutor(workers) as pool:
        answers = list(pool.map(buy, range(workers)))
    assert sum(isinstance(one, OutcomeRecord) for one in answers) == 3
    assert sorted(one.status for one in answers if isinstance(one, Refusal)) == [409] * 5
    assert sum(one.quantity for one in store.outcomes_of(quote_id)) == 3


def test_the_same_report_at_once_is_stored_once(store: Store) -> None:
    quote_id = offered(store)
    ready = Barrier(4)

    def buy(_: int) -> OutcomeRecord | Refusal:
        ready.wait()
        return send(store, OutcomeReport(quote_id, BOUGHT, 2, outcome_id="one"))[0]

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(buy, range(4)))
    assert answers == [store.outcomes_of(quote_id)[0]] * 4


rows = st.tuples(
    st.sampled_from(list(OutcomeType)),
    st.none() | st.integers(1, 4),
    st.none() | st.integers(0, 2),
    st.none() | st.sampled_from("abc"),
)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(rows, min_size=1, max_size=4), max_size=5))
def test_the_store_answers_as_a_sequence_in_memory_does(store: Store, requests: list[list[tuple]]) -> None:  # type: ignore[type-arg]
    quote_id = offered(store, 4)
    offer = store.offers([quote_id])[quote_id]
    memory: list[OutcomeRecord] = []
    for asked in requests:
        reports = [
            OutcomeReport(quote_id, kind, units, None if hours is None else AT + timedelta(hours=hours), name)
            for kind, units, hours, name in asked
        ]
        sequence = OutcomeSequence(offer, memory)
        expected = [sequence.add(one, NOW + number * TICK) for number, one in enumerate(reports)]
        memory += sequence.fresh
        assert list(send(store, *reports)) == expected
    assert store.outcomes_of(quote_id) == memory


def test_a_declined_offer_enters_the_history_of_a_known_shopper_once(store: Store) -> None:
    told = OutcomeRecord(
        outcome_id="o1",
        shopper_id="s1",
        product_id="p1",
        currency="EUR",
        price_minor=900,
        reference_minor=1_000,
        type=DECLINED,
        quantity=1,
        at=AT,
    )
    stranger = replace(told, outcome_id="o2", shopper_id=None)
    for _ in range(2):
        assert store.record_outcomes([told, stranger], event_of) == []
    (event,) = store.shopper_events("s1")
    assert (event.type, event.product_id, event.price_minor, event.list_minor) == (EventType.DECLINE, "p1", 900, 1_000)
    assert store.shopper_events("s1", sales=False) == store.shopper_events("s1", sales=True) == []
    assert store.event_count() == 1
