"""Audit log: a hash chain over decisions, their outcomes, rule events and erasures."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields
from typing import Final

from sqlalchemy import Connection, func, select

from agent.store.chain import START, Entry, Head, Link, next_link
from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.statements import Statement
from agent.store.tables import AUDIT, AUDIT_HEAD

Seal = Callable[[bytes], str]
"""Signature function for the head of the log."""

_LINK: Final = RecordTable(Link, AUDIT)
_INSERT: Final = Statement.inserting(AUDIT, [field.name for field in fields(Link)])
_READ_HEAD: Final = Statement.of("SELECT seq, link_sha256, seal FROM audit_head WHERE one = 1")
_MOVE_HEAD: Final = Statement.inserting(
    AUDIT_HEAD,
    ("one", "seq", "link_sha256", "seal"),
    "ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, link_sha256 = excluded.link_sha256, seal = excluded.seal",
)
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
        if fresh:
            self._db.serialise(connection, "audit")
            self._append_links(connection, fresh)

    def _append_links(self, connection: Connection, entries: Iterable[Entry]) -> None:
        """Append entries while the caller holds the lock by which writers take turns."""
        head = _head(connection)
        rows = []
        for entry in entries:
            link = next_link(head, entry)
            rows.append(_row(link))
            head = Head(link.seq, link.link_sha256)
        _INSERT.run_each(connection, rows)
        seal = "" if self._seal is None else self._seal(head.message())
        _MOVE_HEAD.run(connection, 1, head.seq, head.link_sha256, seal)


def _head(connection: Connection) -> Head:
    row = _READ_HEAD.first(connection)
    return START if row is None else Head(*row)


def _row(link: Link) -> tuple[object, ...]:
    return (
        link.seq,
        link.kind.value,
        link.subject,
        link.content_sha256,
        link.personal_hmac,
        link.salt,
        link.link_sha256,
    )
