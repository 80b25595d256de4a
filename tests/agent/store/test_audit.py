"""The audit finds every manual change of the stored log."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, RowMapping

from agent.domain.clock import StoreClock
from agent.domain.records import OutcomeType
from agent.service.auth.quote_tokens import TokenSigner
from agent.store import Store
from agent.store.audit_check import AuditReport
from agent.store.audit_entries import outcome_entry
from agent.store.chain import Head
from agent.store.engine import open_database
from agent.store.tables import DECISIONS
from tests.agent.store.builders import AT, decision, outcome

SIGNER = TokenSigner(Ed25519PrivateKey.generate())
ROWS = 6


def fill(store: Store) -> None:
    """Four decisions, two outcomes of them."""
    store.seal_with(SIGNER.seal)
    store.record_decisions([decision(id=f"d{i}", shopper_id=f"s{i}") for i in range(4)], [{"n": i} for i in range(4)])
    store.record_outcomes([outcome(outcome_id=f"o{i}", quote_id=f"d{i}", shopper_id=f"s{i}") for i in range(2)])


def report(store: Store, head: Head | None = None) -> AuditReport:
    return store.audit_report(SIGNER.is_sealed, known_head=head)


def alter(url: str, *statements: str) -> None:
    with closing(open_database(url)) as database, database.write() as connection:
        for statement in statements:
            assert connection.exec_driver_sql(statement).rowcount > 0, statement


def test_an_untouched_log_is_intact_and_sealed(store: Store) -> None:
    fill(store)
    found = report(store)
    assert (found.rows, found.problems, found.sealed, found.erased) == (ROWS, [], True, 0)
    assert found.head.seq == ROWS


def test_an_empty_log_is_intact(store: Store) -> None:
    assert report(store).whole


def test_outcomes_of_offers_made_elsewhere_are_not_logged(store: Store) -> None:
    store.record_outcomes([outcome(outcome_id="imported", quote_id=None)])
    found = report(store)
    assert (found.rows, found.problems) == (0, [])


def test_a_cost_is_no_part_of_the_entry_of_an_outcome() -> None:
    assert outcome_entry(outcome(cost_minor=150)) == outcome_entry(outcome())


def test_a_repeated_outcome_is_logged_once(store: Store) -> None:
    fill(store)
    store.record_outcomes(
        [outcome(outcome_id="o1", quote_id="d1", shopper_id="s1"), outcome(outcome_id="o9", quote_id="d3")]
    )
    assert (report(store).rows, report(store).problems) == (ROWS + 1, [])


def test_a_rating_is_logged_and_entries_without_one_are_those_of_releases_before(store: Store) -> None:
    before = b'["o1", "p1", "USD", 279, 299, "purchased", 1, 1772366400000000, "q1", 0.25, 2.0]'
    assert outcome_entry(outcome()).content == before
    assert outcome_entry(outcome(rating=4.0)).content == before[:-1] + b", 4.0]"
    fill(store)
    store.record_outcomes([outcome(outcome_id="r", quote_id="d1", type=OutcomeType.RATED, rating=4.0)])
    assert report(store).whole


EDITS = {
    "price in the body": "UPDATE decisions SET body = replace(body, '279', '278') WHERE id = 'd1'",
    "price column alone": "UPDATE decisions SET price_minor = 1 WHERE id = 'd1'",
    "whose it was": "UPDATE decisions SET shopper_id = 'other' WHERE id = 'd2'",
    "the request": "UPDATE decisions SET personal = replace(personal, '\"n\":2', '\"n\":9') WHERE id = 'd2'",
    "the personal part dropped": "UPDATE decisions SET personal = NULL, shopper_id = NULL WHERE id = 'd2'",
    "a decision dropped": "DELETE FROM decisions WHERE id = 'd0'",
    "a rating added": "UPDATE outcomes SET rating = 1 WHERE outcome_id = 'o1'",
    "an outcome turned": "UPDATE outcomes SET type = 'declined' WHERE outcome_id = 'o1'",
    "an outcome moved in time": "UPDATE outcomes SET at = at + 1 WHERE outcome_id = 'o0'",
    "an outcome dropped": "DELETE FROM outcomes WHERE outcome_id = 'o0'",
    "a log row dropped": "DELETE FROM audit WHERE seq = 3",
    "the last log row dropped": "DELETE FROM audit WHERE seq = 6",
    "a log row changed": "UPDATE audit SET content_sha256 = 'a' WHERE seq = 2",
    "a hash changed": "UPDATE audit SET link_sha256 = 'a' WHERE seq = 6",
    "a salt dropped": "UPDATE audit SET salt = NULL WHERE seq = 2",
    "the head set back": "UPDATE audit_head SET seq = 5",
    "the seal dropped and the head changed": "UPDATE audit_head SET seal = 'AAAA'",
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_by_hand_is_found(store_url: str, edit: str) -> None:
    with Store.open(store_url) as store:
        fill(store)
    alter(store_url, EDITS[edit])
    with Store.open(store_url) as store:
        assert report(store).problems, edit


def test_a_decision_put_in_by_hand_is_found(store_url: str) -> None:
    with Store.open(store_url) as store:
        fill(store)
    columns = ", ".join(column.name for column in DECISIONS.columns if column.name != "id")
    alter(store_url, f"INSERT INTO decisions (id, {columns}) SELECT 'forged', {columns} FROM decisions WHERE id = 'd1'")  # noqa: S608
    with Store.open(store_url) as store:
        (problem,) = report(store).problems
    assert "decision forged is stored but not logged" in problem


def test_swapped_rows_are_found(store_url: str) -> None:
    with Store.open(store_url) as store:
        fill(store)
    alter(
        store_url,
        "UPDATE audit SET seq = 99 WHERE seq = 2",
        "UPDATE audit SET seq = 2 WHERE seq = 3",
        "UPDATE audit SET seq = 3 WHERE seq = 99",
    )
    with Store.open(store_url) as store:
        assert any("swapped" in problem for problem in report(store).problems)


def test_a_log_cut_off_with_its_head_shows_against_a_head_kept_elsewhere(store_url: str) -> None:
    """An old copy of the database has an intact, sealed log: only a head kept elsewhere reveals it."""
    with Store.open(store_url) as store:
        store.seal_with(SIGNER.seal)
        store.record_decisions([decision(id="d0")])
        old = store.audit_head()
        store.record_decisions([decision(id="d1")])
        kept = store.audit_head()
    alter(
        store_url,
        "DELETE FROM decisions WHERE id = 'd1'",
        "DELETE FROM audit WHERE seq = 2",
        f"UPDATE audit_head SET seq = 1, link_sha256 = '{old.link_sha256}', seal = '{old.seal}'",  # noqa: S608 own
    )
    with Store.open(store_url) as store:
        assert report(store).whole
        assert any("rows were dropped" in problem for problem in report(store, kept).problems)
        assert report(store, old).whole
        assert report(store, replace(old, link_sha256="other")).problems


def test_an_erasure_leaves_the_log_intact_and_is_counted(store: Store) -> None:
    fill(store)
    erased = store.erase_shopper("s1")
    assert (erased.decisions, erased.outcomes) == (1, 1)
    found = report(store)
    assert (found.problems, found.erased, found.rows) == ([], 2, ROWS + 2)
    known = store.decision("d1")
    assert known is not None
    assert (known.shopper_id, known.token, known.price_minor) == (None, "", 279)


def test_an_erasure_by_hand_is_no_erasure(store_url: str) -> None:
    with Store.open(store_url) as store:
        fill(store)
    alter(
        store_url,
        "UPDATE decisions SET personal = NULL, shopper_id = NULL WHERE id = 'd1'",
        "UPDATE audit SET salt = NULL WHERE subject = 'd1'",
    )
    with Store.open(store_url) as store:
        assert any("no erasure was logged" in problem for problem in report(store).problems)


def test_writers_side_by_side_make_one_chain(store_url: str) -> None:
    def write(worker: int) -> None:
        with Store.open(store_url) as own:
            for i in range(15):
                own.record_decisions([decision(id=f"w{worker}-{i}")])
                own.record_outcomes([outcome(outcome_id=f"w{worker}-{i}", quote_id=f"w{worker}-{i}")])

    threads = [Thread(target=write, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with Store.open(store_url) as store:
        found = report(store)
    assert (found.rows, found.problems) == (120, [])


TABLES = {"audit": "seq", "decisions": "id", "outcomes": "outcome_id", "audit_head": "one"}


@pytest.fixture(scope="module")
def written() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        with Store.open(f"sqlite:///{folder}/store.db") as store:
            fill(store)
        yield Path(folder) / "store.db"


@contextmanager
def tampered(written: Path) -> Iterator[Connection]:
    """A copy of the log to change within a transaction; the audit must then report a problem."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "store.db"
        copy.write_bytes(written.read_bytes())
        url = f"sqlite:///{copy}"
        with closing(open_database(url)) as database, database.write() as connection:
            yield connection
        with Store.open(url) as store:
            assert report(store).problems


def rows_of(connection: Connection, table: str) -> list[RowMapping]:
    return list(connection.exec_driver_sql(f"SELECT * FROM {table}").mappings().all())  # noqa: S608 own names


def put(connection: Connection, table: str, row: RowMapping, changes: dict[str, object]) -> None:
    cells = ", ".join(f"{name} = ?" for name in changes)
    statement = f"UPDATE {table} SET {cells} WHERE {TABLES[table]} = ?"  # noqa: S608 own names
    connection.exec_driver_sql(statement, (*changes.values(), row[TABLES[table]]))


PROPERTY = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@PROPERTY
@given(data=st.data())
def test_any_cell_of_the_log_that_changes_is_found(written: Path, data: st.DataObject) -> None:
    with tampered(written) as connection:
        table = data.draw(st.sampled_from(sorted(TABLES)))
        row = data.draw(st.sampled_from(rows_of(connection, table)))
        own = [name for name in row if row[name] is not None and (name != "seq" or table != "outcomes")]
        column = data.draw(st.sampled_from(own))  # numbers of outcomes are the database's own, and not logged
        old = row[column]
        if isinstance(old, bytes):
            new: object = bytes([old[0] ^ 1]) + old[1:]
        elif isinstance(old, int | float):
            new = old + data.draw(st.integers(1, 9)) * (100 if column in ("seq", "one") else 1)
        else:
            place = data.draw(st.integers(0, max(0, len(old) - 1)))
            new = f"{old[:place]}{'z' if old[place : place + 1] != 'z' else 'y'}{old[place + 1 :]}"
        put(connection, table, row, {column: new})


@PROPERTY
@given(data=st.data())
def test_any_rows_that_are_dropped_are_found(written: Path, data: st.DataObject) -> None:
    with tampered(written) as connection:
        table = data.draw(st.sampled_from(sorted(TABLES)))
        keys = [row[TABLES[table]] for row in rows_of(connection, table)]
        for key in data.draw(st.lists(st.sampled_from(keys), min_size=1, unique=True)):
            connection.exec_driver_sql(f"DELETE FROM {table} WHERE {TABLES[table]} = ?", (key,))  # noqa: S608 own names


@PROPERTY
@given(data=st.data())
def test_any_two_rows_that_are_swapped_are_found(written: Path, data: st.DataObject) -> None:
    """All cells but the key change places, and in the log itself those of one column or of all."""
    with tampered(written) as connection:
        table = data.draw(st.sampled_from(["audit", "decisions", "outcomes"]))
        one, other = data.draw(
            st.lists(
                st.sampled_from(rows_of(connection, table)),
                min_size=2,
                max_size=2,
                unique_by=lambda row: row[TABLES[table]],
            )
        )
        names = [name for name in one if name not in (TABLES[table], "seq")]
        differ = [name for name in names if one[name] != other[name]]
        wanted = differ if data.draw(st.booleans()) else [data.draw(st.sampled_from(differ))]
        if table == "audit":  # its subjects are unique: the way round
            put(connection, table, one, {"subject": "between", "kind": "erasure"})
        put(connection, table, other, {name: one[name] for name in wanted})
        put(connection, table, one, {name: one[name] for name in names} | {name: other[name] for name in wanted})


def test_what_is_past_its_time_is_erased_and_the_rest_stays(store: Store) -> None:
    store.seal_with(SIGNER.seal)
    store.record_decisions([decision(id="old", at=AT - timedelta(days=400)), decision(id="new")])
    erased = store.erase_before(AT - timedelta(days=365), StoreClock())
    assert erased.decisions == 1
    old, new = store.decision("old"), store.decision("new")
    assert old is not None
    assert new is not None
    assert (old.shopper_id, new.shopper_id) == (None, "s1")
    assert (report(store).problems, report(store).erased) == ([], 1)
