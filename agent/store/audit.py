"""The audit log: every decision, and every outcome of one, chained in the transaction that stores it."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from typing import Final

from sqlalchemy import Connection, func, insert, select, update

from agent.store.chain import START, Entry, Head, Link, next_link
from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.tables import AUDIT, AUDIT_HEAD

Seal = Callable[[bytes], str]
"""Signs the head of the log."""

_LINK: Final = RecordTable(Link, AUDIT)
_HEAD: Final = RecordTable(Head, AUDIT_HEAD)
_READ_HEAD: Final = select(*_HEAD.columns).where(AUDIT_HEAD.c.one == 1)
_MOVE_HEAD: Final = update(AUDIT_HEAD).where(AUDIT_HEAD.c.one == 1)
_BATCH: Final = 1_000


class AuditLog(Repository):
    """What parts of the store log with."""

    _seal: Seal | None = None

    def seal_with(self, seal: Seal) -> None:
        """Sign the log's head from now on, so that whoever can write the database cannot rewrite the log."""
        self._seal = seal

    def audit_head(self) -> Head:
        """The last row of the log, sealed; with a copy of it elsewhere nobody can shorten the log unseen."""
        with self._db.read() as connection:
            return _head(connection)

    def audit_links(self) -> Iterator[Link]:
        """Every row in order."""
        for row in self._paged(select(*_LINK.columns), [AUDIT.c.seq], _BATCH):
            yield _LINK.record(row)

    def audit_count(self) -> int:
        """How many rows there are."""
        with self._db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(AUDIT)).scalar_one())

    def _log(self, connection: Connection, entries: Iterable[Entry]) -> None:
        """Chain entries in the transaction that stores what they tell of; writers take turns until it commits."""
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
