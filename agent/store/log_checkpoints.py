"""Checkpoints of SQLite's write-ahead log, made beside the commits that quotes wait for.

SQLite itself copies the log into the database file within the commit that makes it long, at several times the cost of
that commit. Here a thread copies it soon after a commit. What is durable when does not change: every commit waits
until the log is on disk. A log that grows faster than the thread copies it is copied by a commit at `LONGEST_LOG`.
"""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Event, Lock, Thread
from time import monotonic, sleep
from typing import Final

from sqlalchemy import Connection

LONGEST_LOG: Final = 8_000
"""Pages of the log, of 4 KiB each, at which a commit copies it."""
LONG_LOG: Final = 2_000
"""Pages of the log at which the next commit waits while the rest is copied, so that the log begins anew with it."""
PAUSE_S: Final = 0.5
"""Time from a commit to the copy, which takes in what is committed meanwhile."""
_PATIENCE_S: Final = 1.0
_RETRY_S: Final = 0.02

_log: Final = logging.getLogger(__name__)


class LogCheckpoints:
    """Copies the log after commits, in a thread that starts with the first one."""

    def __init__(
        self, connect: Callable[[], AbstractContextManager[Connection]], turn: AbstractContextManager[object]
    ) -> None:
        """`connect` opens a connection outside any transaction; whoever writes in this process holds `turn`."""
        self._connect = connect
        self._turn = turn
        self._copying = Lock()  # SQLite refuses the second of two who copy at once
        self._starting = Lock()
        self._due = Event()
        self._stopped = Event()
        self._thread: Thread | None = None

    def note_commit(self) -> None:
        """Have the log copied soon."""
        if not self._due.is_set():
            self._due.set()
            if self._thread is None:
                self._start()

    def truncate(self) -> None:
        """Copy the log and cut it to nothing, as far as no reader uses it.

        Raises:
            StoreUnavailable: The database did not answer.
        """
        until = monotonic() + _PATIENCE_S
        with self._copying, self._connect() as connection:
            while _copy(connection, "TRUNCATE") is None and monotonic() < until:
                sleep(_RETRY_S)  # another process is copying it

    def close(self) -> None:
        """End the thread, if any; a later commit starts another one."""
        with self._starting:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._stopped.set()
                self._due.set()
                thread.join()
                self._stopped.clear()
            self._due.clear()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None:
                self._thread = Thread(target=self._run, name="log-checkpoints", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._due.wait()  # after a failure too: for the next commit
            try:
                with self._connect() as connection:
                    connection.detach()  # those of the pool have warm page caches
                    self._copy_when_due(connection)
            except RuntimeError as error:  # commits go on, and copy the log themselves in the end
                self._due.clear()
                _log.warning("the write-ahead log was not copied: %s", error)

    def _copy_when_due(self, connection: Connection) -> None:
        """Copy the log after commits until told to stop.

        The log begins anew with a commit that finds all of it copied, which quick successions of commits prevent.
        """
        while True:
            self._due.wait()
            if self._stopped.wait(PAUSE_S):
                return
            self._due.clear()
            if self._stopped.is_set():  # told so in between: `_due` is not set again
                return
            with self._copying:
                pages = _copy(connection, "PASSIVE")
                if pages is not None and pages >= LONG_LOG:
                    with self._turn:
                        _copy(connection, "PASSIVE")


def _copy(connection: Connection, mode: str) -> int | None:
    """Make a checkpoint; returns the number of pages in the log, None when others were in the way."""
    cursor = connection.connection.cursor()
    cursor.execute(f"PRAGMA wal_checkpoint({mode})")
    busy, pages, _copied = cursor.fetchone() or (0, 0, 0)
    cursor.close()
    return None if busy else int(pages)
