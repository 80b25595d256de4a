"""SQLite's write-ahead log is copied beside commits, stays short, and keeps nothing erased."""

import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from agent.store import Store, log_checkpoints
from tests.agent.store.builders import decision

_LONG = "x" * 20_000


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_checkpoints, "PAUSE_S", 0.01)


def _file(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _eventually(true: Callable[[], bool]) -> bool:
    until = monotonic() + 20
    while not (found := true()) and monotonic() < until:
        sleep(0.02)
    return found


def _copied(database: Path, folder: Path) -> int:
    """Number of decisions in the database file itself, without its log.

    Another process copies it, as this one would drop SQLite's locks when it closes the file.
    """
    alone = folder / "alone.db"
    subprocess.run(["cp", database, alone], check=True)  # noqa: S603, S607 own paths
    with closing(sqlite3.connect(alone)) as connection, suppress(sqlite3.DatabaseError):  # copied half-way
        return int(connection.execute("SELECT count(*) FROM decisions").fetchone()[0])
    return 0


def test_a_commit_is_copied_soon_by_a_thread(sqlite_url: str, tmp_path: Path) -> None:
    with Store.open(sqlite_url) as store:
        store.record_decisions([decision()])
        assert _eventually(lambda: _copied(_file(sqlite_url), tmp_path) == 1)


def test_the_log_begins_anew_while_commits_follow_one_another(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_checkpoints, "LONG_LOG", 20)
    log = _file(sqlite_url).with_name("store.db-wal")
    with Store.open(sqlite_url) as store:
        written = 0
        for number in range(600):
            store.record_decisions([decision(id=str(number), rationale=_LONG)])
            written += len(_LONG)
        assert 0 < log.stat().st_size < written / 2


def test_the_log_holds_nothing_erased_even_while_it_is_copied(sqlite_url: str) -> None:
    log = _file(sqlite_url).with_name("store.db-wal")
    with Store.open(sqlite_url) as store:
        for number in range(20):
            name = f"shopper-to-forget-{number}"
            store.record_decisions([decision(id=f"d{number}", shopper_id=name)])
            sleep(0.011)
            store.erase_shopper(name)
            assert name.encode() not in log.read_bytes()


def test_a_close_just_before_the_thread_forgets_what_is_due_ends_it(sqlite_url: str) -> None:
    """The pause runs out, the store is closed before the thread goes on, and only then does the thread go on."""
    with Store.open(sqlite_url) as store:
        checkpoints = store._db._checkpoints
        assert _eventually(lambda: not checkpoints._due.is_set())  # commits of the opening are copied
        closing_it = threading.Thread(target=checkpoints.close, daemon=True)

        class Late(threading.Event):
            def wait(self, timeout: float | None = None) -> bool:
                closing_it.start()
                assert _eventually(self.is_set)
                sleep(0.1)  # until the closing thread waits for this one
                return False

        checkpoints._stopped = Late()
        store.record_decisions([decision()])
        assert _eventually(lambda: closing_it.ident is not None)
        closing_it.join(20)
        assert not closing_it.is_alive()


def test_the_thread_ends_with_the_store_and_starts_again(sqlite_url: str) -> None:
    store = Store.open(sqlite_url)
    for number in range(3):
        store.record_decisions([decision(id=str(number))])
        assert _threads()
        store.close()
        assert not _threads()


def test_a_database_that_is_gone_is_logged_and_no_reason_to_end(
    sqlite_url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(_connection: object, _mode: str) -> int:
        raise sqlite3.OperationalError("disk I/O error")

    with Store.open(sqlite_url) as store, monkeypatch.context() as patch:
        patch.setattr(log_checkpoints, "_copy", failing)
        store.record_decisions([decision()])
        assert _eventually(lambda: "disk I/O error" in caplog.text)
        patch.undo()
        store.record_decisions([decision(id="later")])
        assert store.decision("later") is not None
        assert len(_threads()) == 1


@pytest.fixture(autouse=True)
def _of_this_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out threads of stores that other tests have open."""
    monkeypatch.setattr(sys.modules[__name__], "_OTHERS", set(threading.enumerate()))


_OTHERS: set[threading.Thread] = set()


def _threads() -> list[threading.Thread]:
    return [one for one in threading.enumerate() if one.name == "log-checkpoints" and one not in _OTHERS]
