from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

import pytest

from agent.domain.records import EventRecord, OutcomeRecord, OutcomeType, ProductWeek
from agent.store import Store
from tests.agent.store.builders import event, outcome


@pytest.mark.parametrize(
    "record",
    [
        outcome(),
        outcome(shopper_id=None, product_id=None, reference_minor=None, quote_id=None, propensity=None),
        outcome(type=OutcomeType.RETURNED, weight=0.1),
        outcome(quote_id=None, cost_minor=150),
    ],
    ids=["full", "bare", "returned", "with its cost"],
)
def test_an_outcome_read_equals_the_one_recorded(store: Store, record: OutcomeRecord) -> None:
    store.record_outcomes([record])

    assert [read for _, read in store.outcomes_since(0)] == [record]


def test_an_outcome_recorded_again_changes_nothing(store: Store) -> None:
    store.record_outcomes([outcome(), outcome(price_minor=1)])
    store.record_outcomes([outcome(price_minor=2), outcome(outcome_id="o2")])

    assert [read for _, read in store.outcomes_since(0)] == [outcome(), outcome(outcome_id="o2")]


def test_outcomes_come_in_the_order_of_arrival_and_reading_resumes(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.store.outcomes._BATCH", 2)
    records = [outcome(outcome_id=f"o{number}") for number in (3, 1, 2, 5, 4)]
    store.record_outcomes(records)
    seen = list(islice(store.outcomes_since(0), 3))

    rest = list(store.outcomes_since(seen[-1][0]))

    assert [record for _, record in seen + rest] == records
    assert list(store.outcomes_since(rest[-1][0])) == []


def test_outcomes_of_a_quote_are_its_own(store: Store) -> None:
    purchased = outcome(outcome_id="b", quote_id="q1")
    returned = outcome(outcome_id="a", quote_id="q1", type=OutcomeType.RETURNED)
    store.record_outcomes([purchased, outcome(outcome_id="c", quote_id="q2"), returned])

    assert store.outcomes_of("q1") == [purchased, returned]
    assert store.outcomes_of("q3") == []


def _sale(record: OutcomeRecord) -> EventRecord | None:
    return event(text=record.outcome_id) if record.type is OutcomeType.PURCHASED else None


def _week(sale: EventRecord) -> ProductWeek:
    return ProductWeek(sale.product_id or "", datetime(2026, 2, 23, tzinfo=UTC), 1, 299, 279)


def test_an_outcome_and_its_sale_are_stored_together_once(store: Store) -> None:
    declined = outcome(outcome_id="o3", type=OutcomeType.DECLINED)
    first = store.record_outcomes([outcome(), outcome(), declined], _sale, _week)
    second = store.record_outcomes([outcome(), outcome(outcome_id="o2")], _sale, _week)

    assert [[sale.text for sale in sales] for sales in (first, second)] == [["o1"], ["o2"]]
    assert [read.text for _, read in store.events_since(0)] == ["o1", "o2"]
    assert [week.purchases for week in store.product_weeks()] == [2]


def test_an_outcome_whose_sale_cannot_be_stored_is_not_stored_either(store: Store) -> None:
    def broken(_record: OutcomeRecord) -> EventRecord:
        raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        store.record_outcomes([outcome()], broken)

    assert list(store.outcomes_since(0)) == []
    assert store.audit_count() == 0


def test_a_later_import_completes_imported_outcomes_and_none_of_quotes(store: Store) -> None:
    mine = outcome(outcome_id="mine", quote_id=None)
    store.record_outcomes([mine, outcome(outcome_id="quoted")])
    told = [replace(one, returned=True, rating=2.5) for one in (mine, outcome(outcome_id="quoted"))]
    assert store.complete_outcomes([mine]) == 0
    store.complete_outcomes(told)
    assert store.complete_outcomes([told[0], replace(mine, rating=2.5)]) == 0
    assert store.outcome("mine") == told[0]
    assert store.outcome("quoted") == outcome(outcome_id="quoted")
