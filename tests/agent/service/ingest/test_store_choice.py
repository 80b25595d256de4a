from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agent.domain.clock import FixedClock
from agent.domain.records import ProductRecord
from agent.service.ingest.demo_store import DemoSize, load_demo
from agent.service.ingest.store_choice import WrongStoreError, check_takes_own_data, mark_as_demo, mark_as_own
from agent.store import Store, StoreKind
from models.datasets.complete_journey import Journey

NOW = datetime(2026, 12, 1, tzinfo=UTC)
CLOCK = FixedClock(NOW)


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with Store.open(sqlite_url, CLOCK) as opened:
        yield opened


def test_own_data_is_refused_by_the_demo_store_with_a_remedy(store: Store) -> None:
    check_takes_own_data(store)
    mark_as_demo(store, CLOCK)
    with pytest.raises(WrongStoreError, match=r"remedy: pricesmith init shop"):
        check_takes_own_data(store)
    check_takes_own_data(store, into_demo=True)


@pytest.mark.parametrize("made_by", ["init", "a product"])
def test_demo_data_is_refused_by_an_own_store_before_it_is_read(store: Store, made_by: str) -> None:
    if made_by == "init":
        assert mark_as_own(store, CLOCK)
        assert not mark_as_own(store, CLOCK)
    else:
        store.upsert_products([ProductRecord("kettle-1", "Kettle", "EUR")], NOW)

    def read() -> Journey:
        raise AssertionError("the data was read")

    with pytest.raises(WrongStoreError, match=r"remedy: pricesmith prepare --data-dir demo"):
        load_demo(store, read, CLOCK, DemoSize(), lambda _what, _share: None)
    assert store.kind() is StoreKind.OWN


def test_an_interrupted_load_leaves_the_demos_mark(store: Store) -> None:
    def interrupted() -> Journey:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_demo(store, interrupted, CLOCK, DemoSize(), lambda _what, _share: None)
    assert store.kind() is StoreKind.DEMO
    with pytest.raises(WrongStoreError, match="holds the demo store"):
        mark_as_own(store, CLOCK)
