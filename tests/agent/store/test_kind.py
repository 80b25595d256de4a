from datetime import UTC, datetime

import pytest

from agent.domain.clock import HISTORY_END_KEY
from agent.domain.records import ProductRecord
from agent.store import Store, StoreKind
from agent.store.kind import BEGUN_KEY, LOADED_KEY, OWN_KEY

NOW = datetime(2026, 12, 1, tzinfo=UTC)


def test_an_store_is_own_and_not_in_use(store: Store) -> None:
    assert store.kind() is StoreKind.OWN
    assert not store.in_own_use()


@pytest.mark.parametrize("key", [BEGUN_KEY, LOADED_KEY, HISTORY_END_KEY])
def test_any_mark_of_demo_data_makes_the_store_the_demos(store: Store, key: str) -> None:
    store.set_meta(key, NOW.isoformat())
    store.upsert_products([ProductRecord("kettle-1", "Kettle", "EUR")], NOW)
    assert store.kind() is StoreKind.DEMO
    assert not store.in_own_use()


def test_a_product_puts_a_store_in_own_use(store: Store) -> None:
    store.upsert_products([ProductRecord("kettle-1", "Kettle", "EUR")], NOW)
    assert store.in_own_use()


def test_the_mark_of_init_puts_an_store_in_own_use(store: Store) -> None:
    store.set_meta(OWN_KEY, NOW.isoformat())
    assert store.in_own_use()
    assert "own" in StoreKind.OWN.label
    assert "simulated" in StoreKind.DEMO.label
