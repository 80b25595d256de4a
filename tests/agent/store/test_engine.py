import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from agent.store import Store, StoreError, StoreUnavailable
from agent.store.engine import create_schema, drop_schema, in_schema, open_database
from tests.agent.store.builders import decision, product
from tests.databases import SHIPPED_PRAGMAS

_IMPATIENT = ("busy_timeout = 50", "journal_mode = WAL")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "store.db",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://user:hunter2@host/name",
        "sqlite:///file:x?mode=memory",
    ],
)
def test_addresses_of_other_databases_are_refused_without_naming_the_password(url: str) -> None:
    with pytest.raises(StoreError, match="PRICESMITH_DATABASE_URL") as caught:
        open_database(url)

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("pragma", "value"), [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 15000)]
)
def test_every_sqlite_connection_is_durable_and_waits_for_locks(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch, pragma: str, value: object
) -> None:
    monkeypatch.setattr("agent.store.engine._PRAGMAS", SHIPPED_PRAGMAS)
    with closing(open_database(sqlite_url)) as database, database.read(), database.read() as second:
        assert second.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_the_sqlite_folder_is_created(sqlite_url: str, tmp_path: Path) -> None:
    Store.open(sqlite_url).close()

    assert (tmp_path / "data" / "store.db").is_file()


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreUnavailable, match="file/data"):
        Store.open(f"sqlite:///{tmp_path}/file/data/store.db")


def test_a_lock_that_never_comes_free_is_unavailable(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.store.engine._PRAGMAS", _IMPATIENT)
    with Store.open(sqlite_url) as store, closing(sqlite3.connect(tmp_path / "data" / "store.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            store.record_decisions([decision()])
        assert store.decision("decision-1") is None, "readers go on"
        other.rollback()

        store.record_decisions([decision()])
        assert store.decision("decision-1") == decision()


def test_a_full_disk_is_unavailable_and_stores_nothing(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store.open(sqlite_url).close()
    monkeypatch.setattr("agent.store.engine._PRAGMAS", (*_IMPATIENT, "max_page_count = 1"))
    with Store.open(sqlite_url) as store:
        with pytest.raises(StoreUnavailable, match="full"):
            store.record_decisions([decision(id=str(number), rationale="x" * 5000) for number in range(50)])

        assert store.decision("0") is None


def test_errors_never_repeat_what_was_to_be_stored(store: Store) -> None:
    with pytest.raises(StoreError) as caught:  # one id twice
        store.record_decisions([decision(shopper_id="secret-shopper")] * 2)

    assert "secret-shopper" not in str(caught.value)
    assert "secret-shopper" not in str(caught.value.__cause__)


def test_ping_succeeds_on_an_open_store(store: Store) -> None:
    store.ping()


def test_an_absent_server_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="does not answer"):
        Store.open(f"postgresql://postgres@/postgres?host={tmp_path}")


def test_the_store_recovers_when_the_server_drops_its_connections(postgres_url: str) -> None:
    drop = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> %s"
    with Store.open(postgres_url) as store:
        store.ping()
        with psycopg.connect(postgres_url) as other:
            dropped = other.execute(drop, (other.info.backend_pid,)).fetchall()

        store.record_decisions([decision()])

        assert dropped
        assert store.decision("decision-1") == decision()


def test_schemas_of_one_database_hold_the_same_ids_apart(postgres_url: str) -> None:
    for name in ("merchant_a", "merchant_b"):
        create_schema(postgres_url, name)
        create_schema(postgres_url, name)
    with (
        Store.open(postgres_url) as home,
        Store.open(in_schema(postgres_url, "merchant_a")) as a,
        Store.open(in_schema(postgres_url, "merchant_b")) as b,
    ):
        a.upsert_products([product(title="of a")])
        a.record_decisions([decision()])
        b.upsert_products([product(title="of b")])
        assert [store.products(["p1"])["p1"].title for store in (a, b)] == ["of a", "of b"]
        assert [store.decision("decision-1") is not None for store in (home, a, b)] == [False, True, False]
        assert [store.audit_count() for store in (home, a, b)] == [0, 1, 0]
        assert home.products(["p1"]) == {}
        b.record_decisions([decision(price_minor=1)])
        assert [store.audit_count() for store in (a, b)] == [1, 1]
    drop_schema(postgres_url, "merchant_a")
    create_schema(postgres_url, "merchant_a")
    with Store.open(in_schema(postgres_url, "merchant_a")) as a, Store.open(in_schema(postgres_url, "merchant_b")) as b:
        assert (a.decision("decision-1"), b.decision("decision-1") is not None) == (None, True)


def test_postgresql_without_its_extra_is_one_line_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"remedy: pip install 'pricesmith\[postgres\]'") as raised:
        open_database("postgresql://shop:secret@127.0.0.1/shop")
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)
