"""Erasure covers every table, future ones too."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from agent.domain.clock import FixedClock, StoreClock
from agent.domain.records import ShopperRecord
from agent.store import Store, StoredResponse
from agent.store.engine import open_database
from agent.store.tables import METADATA
from tests.agent.store.builders import AT, decision, event, outcome

SHOPPERS = ["zzq-shopper", 'zzq "quoted" \\ 买家', "zzqé"]


def tables_that_tell_of(url: str, mark: str) -> set[str]:
    """Tables with a row that contains the mark."""
    database = open_database(url)
    try:
        with database.read() as connection:
            return {
                name
                for name, table in METADATA.tables.items()
                for row in connection.execute(select(table))
                if mark
                in str([bytes(cell).decode("utf-8", "replace") if isinstance(cell, bytes) else cell for cell in row])
            }
    finally:
        database.close()


def plant(store: Store, shopper: str) -> None:
    """Personal data of a shopper in every table."""
    store.upsert_shoppers([ShopperRecord(shopper, {"city": "zzqville"})])
    store.append_events([event(shopper_id=shopper, text="zzq words")])
    request: dict[str, Any] = {"shopper": {"id": shopper, "profile": {"city": "zzqville"}}}
    store.record_decisions([decision(shopper_id=shopper, token="zzq.token")], [request])  # noqa: S106 no password
    store.record_outcomes([outcome(shopper_id=shopper, quote_id="decision-1")])
    said = [{"shopper_id": shopper}, {"answer": f"only {shopper} pays more", "language": "en"}]
    for number, body in enumerate(said):
        for ascii_only in (True, False):
            name = f"{shopper}:{number}:{ascii_only}"
            text = json.dumps(body, ensure_ascii=ascii_only, separators=(",", ":"))
            store.idempotency_begin("key-1", name, "hash")
            store.idempotency_finish("key-1", name, StoredResponse(200, text.encode(), "application/json"))


@pytest.mark.parametrize("shopper", SHOPPERS)
def test_no_table_contains_an_erased_shopper(store_url: str, clock: FixedClock, shopper: str) -> None:
    with Store.open(store_url, clock) as store:
        plant(store, shopper)
        told = {"shoppers", "events", "decisions", "outcomes", "idempotency"}
        assert tables_that_tell_of(store_url, "zzq") == told, "the test must be able to fail"
        erased = store.erase_shopper(shopper)
        assert (erased.profile, erased.events, erased.decisions, erased.outcomes, erased.answers) == (1, 1, 1, 1, 4)
        assert tables_that_tell_of(store_url, "zzq") == set()


def test_a_short_id_takes_no_answer_of_others_away(store_url: str, clock: FixedClock) -> None:
    with Store.open(store_url, clock) as store:
        store.idempotency_begin("key-1", "order-1", "hash")
        store.idempotency_finish(
            "key-1",
            "order-1",
            StoredResponse(200, b'{"shopper_id":"17","amount_minor":1,"answer":"11 quotes"}', "application/json"),
        )
        store.idempotency_begin("key-1", "mine", "hash")
        store.idempotency_finish("key-1", "mine", StoredResponse(200, b'{"shopper_id":"1"}', "application/json"))
        assert store.erase_shopper("1").answers == 1
        assert store.idempotency_begin("key-1", "order-1", "hash").response is not None


def test_retention_counts_events_and_a_loaded_history_on_their_own_calendar(store_url: str, clock: FixedClock) -> None:
    ended = AT - timedelta(days=3_000)
    calendar = StoreClock(history_end=ended, prepared_at=AT - timedelta(days=60))
    with Store.open(store_url, clock) as store:
        store.append_events([event(at=ended)])
        store.record_outcomes([outcome(at=ended, quote_id=None)])
        store.record_outcomes([outcome(outcome_id="o2", at=AT - timedelta(days=40))])
        store.record_decisions([decision(at=AT - timedelta(days=40))])
        kept = store.erase_before(AT - timedelta(days=70), calendar)
        assert (kept.events, kept.outcomes, kept.decisions) == (0, 0, 0)
        recent = store.erase_before(AT - timedelta(days=30), calendar)
        assert (recent.events, recent.outcomes, recent.decisions) == (1, 2, 1)
