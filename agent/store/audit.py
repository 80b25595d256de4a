"""Audit log: a hash chain over decisions, their outcomes, rule events and erasures."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from agent.store.chain import START, Entry, Head, Link, next_link
from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.tables import AUDIT, AUDIT_HEAD

Seal = Callable[[bytes], str]
"""Signature function for the head of the log."""

_LINK: Final = RecordTable(Link, AUDIT)
_HEAD: Final = RecordTable(Head, AUDIT_HEAD)
_READ_HEAD: Final = select(*_HEAD.columns).where(AUDIT_HEAD.c.one == 1)
_MOVE_HEAD: Final = update(AUDIT_HEAD).where(AUDIT_HEAD.c.one == 1)
_BATCH: Final = 1_000


class AuditLog(Repository):
    """Base of the repositories that write to the audit log."""

    _seal: Seal | None = None

    def seal_with(self, seal: Seal) -> None:
        """Sign the head from now on, so that write access to the database is not enough to rewrite the log."""
        self._seal = seal

    def audit_head(self) -> Head:
        """The head: number and hash of the last row, sealed. A copy kept elsewhere reveals a log cut short."""
        with self._db.read() as connection:
            return _head(connection)

    def audit_links(self) -> Iterator[Link]:
        """All rows in order."""
        for row in self._paged(select(*_LINK.columns), [AUDIT.c.seq], _BATCH):
            yield _LINK.record(row)

    def audit_count(self) -> int:
        """Number of rows."""
        with self._db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(AUDIT)).scalar_one())

    def _log(self, connection: Connection, entries: Iterable[Entry]) -> None:
        """Append entries within the transaction that stores their subjects; writers take turns until it commits."""
        fresh = list(entries)
        if not fresh:
            return
        self._db.serialise(connection, "audit")
        head = _head(connection)
        links = []
        for entry in fresh:
            link = next_link(head, entry)
            links.append(link)
            head = Head(link.seq, link.link_sha256)
        connection.execute(insert(AUDIT), _LINK.parameters(links))
        sealed = head if self._seal is None else replace(head, seal=self._seal(head.message()))
        if not connection.execute(_MOVE_HEAD, asdict(sealed)).rowcount:
            connection.execute(insert(AUDIT_HEAD), {"one": 1, **asdict(sealed)})


def _head(connection: Connection) -> Head:
    row = connection.execute(_READ_HEAD).one_or_none()
    return START if row is None else _HEAD.record(row)
