import json
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import inspect, update
from sqlalchemy import table as sql_table
from sqlalchemy.sql import column

from agent.domain.records import EventType, ProductWeek, ShopperRecord
from agent.service.auth.quote_tokens import TokenSigner
from agent.store import IdempotencyState, Store, StoreError, migrate
from agent.store.engine import open_database
from agent.store.migrate import downgrade, upgrade
from agent.store.schema_version import MIGRATIONS, found_version, newest_version
from agent.store.tables import METADATA
from agent.store.webhook_messages import WebhookEvent
from tests.agent.store.builders import AT, decision, event, outcome, product


def test_migrations_make_exactly_the_declared_tables(empty_url: str) -> None:
    migrate(empty_url)

    with closing(open_database(empty_url)) as database, database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []
        assert set(METADATA.tables) < set(inspect(connection).get_table_names())


def test_migrations_go_down_to_nothing_and_up_again(empty_url: str) -> None:
    with closing(open_database(empty_url)) as database:
        upgrade(database)
        downgrade(database, "base")
        with database.read() as connection:
            assert inspect(connection).get_table_names() == ["alembic_version"]

        upgrade(database)
        with database.read() as connection:
            assert set(METADATA.tables) < set(inspect(connection).get_table_names())


def test_the_schema_tells_its_version(empty_url: str) -> None:
    with closing(open_database(empty_url)) as database:
        with database.read() as connection:
            assert found_version(connection) is None
        upgrade(database)
        with database.read() as connection:
            assert found_version(connection) == newest_version()
        downgrade(database, "0007")
        with database.read() as connection:
            assert found_version(connection) == "0007"


def test_the_newest_version_is_the_last_revision() -> None:
    assert newest_version() == ScriptDirectory(str(MIGRATIONS)).get_current_head()


def test_opening_again_keeps_the_data(empty_url: str) -> None:
    with Store.open(empty_url) as store:
        store.upsert_products([product()])

    with Store.open(empty_url) as store:
        assert store.products(["p1"]) == {"p1": product()}


def test_a_store_opens_while_another_process_writes(empty_url: str) -> None:
    migrate(empty_url)

    with closing(open_database(empty_url)) as writer, writer.write(), Store.open(empty_url) as store:
        assert store.product_count() == 0


def test_processes_that_start_together_all_find_the_schema(empty_url: str) -> None:
    code = "import sys; from agent.store import Store; print(Store.open(sys.argv[1]).product_count())"
    command = [sys.executable, "-c", code, empty_url]
    processes = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 own code
        for _ in range(4)
    ]
    answers = [process.communicate(timeout=60) for process in processes]

    assert answers == [("0\n", "")] * 4


def test_a_schema_of_a_newer_version_is_refused(empty_url: str) -> None:
    migrate(empty_url)
    with closing(open_database(empty_url)) as database, database.write() as connection:
        connection.execute(update(sql_table("alembic_version", column("version_num"))).values(version_num="9999"))

    with pytest.raises(StoreError, match=r"9999.*newer"):
        Store.open(empty_url)


def test_the_applied_price_log_refuses_to_change_or_lose_a_row(empty_url: str) -> None:
    with Store.open(empty_url) as store:
        store.upsert_products([product()], AT)
        store.upsert_products([product()], AT + timedelta(days=1))  # the same price again is no change
        assert [one.price_minor for one in store.applied_prices(["p1"], AT)["p1"]] == [299]
    for statement in ("UPDATE applied_prices SET price_minor = 1", "DELETE FROM applied_prices"):
        with (
            closing(open_database(empty_url)) as database,
            pytest.raises(StoreError, match="append-only"),
            database.write() as connection,
        ):
            connection.exec_driver_sql(statement)
    with Store.open(empty_url) as store:
        assert [one.price_minor for one in store.applied_prices(["p1"], AT)["p1"]] == [299]


def test_the_log_of_applied_prices_by_day_becomes_one_of_changes_in_time(empty_url: str) -> None:
    rows = [("p1", "USD", day, price, AT + timedelta(days=day)) for day, price in ((0, 300), (1, 250), (1, 300))]
    with closing(open_database(empty_url)) as database:
        upgrade(database, "0011")
        with database.write() as connection:
            for product_id, currency, day, price, at in rows:
                micros = int(at.timestamp() * 1e6)
                connection.exec_driver_sql(
                    f"INSERT INTO applied_prices VALUES ('{product_id}', '{currency}', {day}, {price}, {micros})"  # noqa: S608
                )
    with Store.open(empty_url) as store:
        store.upsert_products([product(list_minor=250)], AT + timedelta(days=2))
        log = store.applied_prices(["p1"], AT)["p1"]
        assert [(one.price_minor, one.at - AT, one.offer) for one in log] == [
            (300, timedelta(days=0), False),
            (250, timedelta(days=1), False),
            (300, timedelta(days=1), False),
            (250, timedelta(days=2), False),
        ]


def test_decisions_older_than_the_audit_log_are_kept_and_logged(empty_url: str) -> None:
    signer = TokenSigner(Ed25519PrivateKey.generate())
    with Store.open(empty_url) as store:
        store.record_decisions([decision(), decision(id="decision-2", shopper_id=None)], [{"quantity": 1}, None])
        store.record_outcomes([outcome(quote_id="decision-1"), outcome(outcome_id="elsewhere", quote_id=None)])
    with closing(open_database(empty_url)) as database:
        downgrade(database, "0001")
        with database.read() as connection:
            bodies = connection.exec_driver_sql("SELECT body FROM decisions ORDER BY id").scalars().all()
        assert [json.loads(body)["decision"]["shopper_id"] for body in bodies] == ["s1", None]
        upgrade(database)

    with Store.open(empty_url) as store:
        assert store.decision("decision-1") == decision()
        assert store.request_of("decision-1") == {"quantity": 1}
        report = store.audit_report(signer.is_sealed)
        assert (report.rows, report.problems, report.sealed) == (3, [], False)
        store.seal_with(signer.seal)
        store.record_decisions([decision(id="decision-3")])
        assert store.audit_report(signer.is_sealed).sealed


def test_an_abandoned_key_keeps_its_quotes_id_on_the_way_down_and_up(empty_url: str) -> None:
    with Store.open(empty_url) as store:
        first = store.idempotency_begin("k", "abandoned", "sha")
        store.idempotency_abandon("k", "abandoned")
        store.idempotency_begin("k", "begun", "sha")
    with closing(open_database(empty_url)) as database:
        downgrade(database, "0009")
        upgrade(database)

    with Store.open(empty_url) as store:
        assert store.purge_idempotency(datetime.now(UTC) - timedelta(hours=1)) == 0
        again = store.idempotency_begin("k", "abandoned", "sha")
        assert (again.state, again.quote_id) == (IdempotencyState.STARTED, first.quote_id)
        assert store.idempotency_begin("k", "begun", "sha").state is IdempotencyState.IN_FLIGHT


def test_opt_outs_and_events_under_other_forms_of_an_id_move_to_its_normal_form(empty_url: str) -> None:
    profile = {"city": "Ulm"}
    with Store.open(empty_url) as store:
        shoppers = [("bob", True), ("bob\u200b", False), ("sp ", False), ("jose\u0301", True), ("\u200b", False)]
        store.upsert_shoppers([ShopperRecord(one, profile, consent) for one, consent in shoppers])
        store.append_events([event(shopper_id=one, event_id=one) for one in ("bob", "bob\u200b", "jose\u0301", "s ")])
    with closing(open_database(empty_url)) as database:
        downgrade(database, "0011")
        upgrade(database)

    with Store.open(empty_url) as store:
        found = store.shoppers(["bob", "bob\u200b", "sp", "sp ", "jos\u00e9", "jose\u0301"])
        assert {one: found[one].personalisation for one in found} == {"bob": False, "sp": False, "jos\u00e9": True}
        assert [one.shopper_id for _, one in store.events_since(0)] == ["bob", "bob", "jos\u00e9", "s"]


def test_a_shopper_is_exported_and_erased_from_sealed_rows_under_an_older_form_of_the_id(empty_url: str) -> None:
    with Store.open(empty_url) as store:
        store.record_decisions([decision(shopper_id="jose\u0301")])
        store.record_outcomes([outcome(shopper_id="jose\u0301", quote_id="decision-1")])
        assert len(list(store.decisions_of("jos\u00e9"))) == len(store.outcomes_by("jos\u00e9")) == 1
        erased = store.erase_shopper("jos\u00e9")
        assert (erased.decisions, erased.outcomes) == (1, 1)


def test_weeks_of_older_schemas_are_in_their_products_currency_unless_a_sale_was_in_another(empty_url: str) -> None:
    week, later = datetime(2026, 2, 23, tzinfo=UTC), datetime(2026, 3, 2, tzinfo=UTC)
    with Store.open(empty_url) as store:
        store.upsert_products([product(), product(product_id="foreign")], AT)
        for name, currency in (("p1", "USD"), ("foreign", "JPY"), ("gone", "USD")):
            sold = event(type=EventType.PURCHASE, product_id=name, at=week + timedelta(days=3), currency=currency)
            store.append_events([sold])
            store.put_product_weeks([ProductWeek(name, at, 2, 299, 279, "USD") for at in (week, later)])
        before = store.list_prices(["p1"])
    with closing(open_database(empty_url)) as database:
        downgrade(database, "0010")
        upgrade(database)

    with Store.open(empty_url) as store:
        kept = {(one.product_id, one.week): (one.currency, one.list_minor) for one in store.product_weeks()}
        assert kept == {
            ("p1", week): ("USD", 299),
            ("p1", later): ("USD", 299),
            ("foreign", week): ("USD", None),
            ("foreign", later): ("USD", 299),
            ("gone", week): ("", 299),
            ("gone", later): ("", 299),
        }
        assert store.list_prices(["p1"]) == before, "the applied-price log tells since when"


def test_list_prices_that_nothing_dates_apply_from_the_upgrade_on(empty_url: str) -> None:
    with Store.open(empty_url) as store:
        store.upsert_products([product()])
    began = datetime.now(UTC)
    with closing(open_database(empty_url)) as database:
        downgrade(database, "0010")
        upgrade(database)

    with Store.open(empty_url) as store:
        [listed] = store.list_prices(["p1"])["p1"]
        assert listed.at >= began
        assert (listed.currency, listed.list_minor) == (product().currency, product().list_minor)


REVISIONS = sorted(path.stem.split("_")[1] for path in (MIGRATIONS / "versions").glob("rev_*.py"))


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_downgrade_and_upgrade_keep_everything_that_the_older_schema_can_store(empty_url: str, revision: str) -> None:
    signer = TokenSigner(Ed25519PrivateKey.generate())
    with Store.open(empty_url) as store:
        store.upsert_products([product()])
        store.add_webhook("https://shop.example/hooks", [WebhookEvent.QUOTE_CREATED], AT)
        store.record_decisions([decision(id=f"d{n}") for n in range(3)])
        store.record_outcomes([outcome(outcome_id=f"o{n}", quote_id=f"d{n}") for n in range(3)])
        before = list(store.logged()), list(store.outcomes_since(0)), list(store.iter_products())
    with closing(open_database(empty_url)) as database:
        downgrade(database, revision)
        upgrade(database)
        with database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), METADATA) == []

    with Store.open(empty_url) as store:
        assert (list(store.logged()), list(store.outcomes_since(0)), list(store.iter_products())) == before
        assert store.audit_report(signer.is_sealed).problems == []
        store.record_decisions([decision(id="d9")])
        assert store.audit_report(signer.is_sealed).rows == 7
