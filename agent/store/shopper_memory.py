"""Shopper memory: what models read of a shopper, worked out ahead of quotes.

A cache: all of it follows from other rows. A row is deleted in the transaction that erases any event it rests on. A
writer that worked it out before an erasure is refused afterwards, so that nothing erased comes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Integer, bindparam, cast, func, select

from agent.domain.records import EventRecord, EventType
from agent.store.column_types import from_micros
from agent.store.counters import ERASURES, LATE_SALES
from agent.store.memory_deletion import MEMORY_LOCK, forget_shoppers
from agent.store.repository import Repository
from agent.store.rows import IN_LIMIT, chunks
from agent.store.statements import KeyedStatement
from agent.store.tables import EVENTS, META, SHOPPER_MEMORY, SHOPPERS

_MOST_EVENTS: Final = 5_000
_MEMORY: Final = SHOPPER_MEMORY.c
_LATE: Final = select(cast(META.c.value, Integer)).where(META.c.key == LATE_SALES).scalar_subquery()
_HOLDS: Final = _MEMORY.late_sales.is_(None) | (_MEMORY.late_sales == func.coalesce(_LATE, 0))
_SEEN: Final = (
    select(EVENTS.c.shopper_id, func.max(EVENTS.c.seq).label("seq"))
    .where(EVENTS.c.shopper_id > bindparam("after"))
    .group_by(EVENTS.c.shopper_id)
    .order_by(EVENTS.c.shopper_id)
    .limit(bindparam("limit", type_=Integer))
    .subquery()
)
_PAGE: Final = (
    select(_SEEN.c.shopper_id, _SEEN.c.seq, _MEMORY.seq.label("kept"), _MEMORY.encoder, _HOLDS.label("holds"))
    .select_from(_SEEN.outerjoin(SHOPPER_MEMORY, _MEMORY.shopper_id == _SEEN.c.shopper_id))
    .order_by(_SEEN.c.shopper_id)
)
_KEPT: Final = KeyedStatement.of(
    # a sum, or PostgreSQL might look for the largest number backwards through the events of all shoppers
    "SELECT k.shopper_id, (SELECT MAX(e.seq + 0) FROM events e WHERE e.shopper_id = k.shopper_id), "
    "m.seq, m.first_at, m.last_at, m.late_sales, m.labels, m.encoder, m.digest, m.expires_at, m.state, m.history "
    "FROM {keys} LEFT JOIN shopper_memory m ON m.shopper_id = k.shopper_id AND (m.late_sales IS NULL "
    "OR m.late_sales = COALESCE((SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'late_sales'), 0))",
    shopper_id="text",
)
_SINCE: Final = KeyedStatement.of(
    f"SELECT e.seq, {', '.join(f'e.{one.name}' for one in fields(EventRecord))} "  # noqa: S608 own names
    "FROM {keys} CROSS JOIN events e WHERE e.shopper_id = k.shopper_id AND e.seq > k.seq "
    "ORDER BY e.shopper_id, e.at, e.seq",
    shopper_id="text",
    seq="bigint",
)
_TYPES: Final = {one.value: one for one in EventType}
_EXPIRED: Final = (
    select(_MEMORY.shopper_id)
    .where(_MEMORY.expires_at < bindparam("now", type_=_MEMORY.expires_at.type))
    .order_by(_MEMORY.expires_at)
    .limit(bindparam("limit", type_=Integer))
)


@dataclass(frozen=True, slots=True)
class ShopperMemory:
    """What is kept of one shopper.

    Attributes:
        seq: Number of the last event in `history`; it happened at `last_at`, the first one at `first_at`.
        late_sales: The store's count of late sales that price ratios in `history` rest on; None if on none.
        labels: Checksum of the words of the products in `history`.
        encoder, digest: Version that encoded the behaviour text, and the text's digest.
        expires_at: When the text changes without a new event, as a session ends; on the behaviour clock.
        state: Encoder state, `(384,)` float32.
        history: As `models.shopper.history_codec` encodes it.
    """

    shopper_id: str
    seq: int
    first_at: datetime
    last_at: datetime
    late_sales: int | None
    labels: int
    encoder: str
    digest: bytes
    expires_at: datetime | None
    state: bytes
    history: bytes


@dataclass(frozen=True, slots=True)
class StoredPast:
    """What is kept of one shopper, and how far behind it is.

    Attributes:
        memory: None where nothing is kept, or what is kept has been outdated by late sales.
        newest: Number of the shopper's last event; 0 without one.
        events: Events numbered above `memory` and above what was asked for, by time, then arrival; empty where that is
            every event, which are to be read by themselves.
    """

    memory: ShopperMemory | None = None
    newest: int = 0
    events: Sequence[tuple[int, EventRecord]] = ()


@dataclass(frozen=True, slots=True)
class StalePage:
    """Shoppers of one page whose memory is missing or behind; `last` is the page's last shopper, None at the end."""

    stale: tuple[str, ...]
    last: str | None


class ShopperMemoryRepository(Repository):
    """What models read of shoppers, worked out ahead of quotes."""

    def shopper_memories(self, shopper_ids: Sequence[str]) -> dict[str, ShopperMemory]:
        """What is kept of some shoppers, by id; rows that late sales have outdated are left out."""
        found = self.shopper_pasts(dict.fromkeys(shopper_ids, 0))
        return {shopper_id: past.memory for shopper_id, past in found.items() if past.memory is not None}

    def shopper_pasts(self, known: Mapping[str, int]) -> dict[str, StoredPast]:
        """Read what is kept of some shoppers and the events since, each in one statement.

        `known` has the shoppers with the number of the last event that the caller knows, 0 for none.
        """
        with self._db.read() as connection:
            rows = _KEPT.rows(connection, [(shopper_id,) for shopper_id in known])
            starts = {row[0]: max(known[row[0]], row[2] or 0) for row in rows}
            behind = [(row[0], starts[row[0]]) for row in rows if (row[1] or 0) > starts[row[0]] > 0]
            events: dict[str, list[tuple[int, EventRecord]]] = {}
            for seq, shopper_id, type_, at, *others in _SINCE.rows(connection, behind):
                event = EventRecord(shopper_id, _TYPES[type_], from_micros(at), *others)
                events.setdefault(shopper_id, []).append((seq, event))
        return {
            row[0]: StoredPast(_memory(row), row[1] or 0, events.get(row[0], [])[-_MOST_EVENTS:]) for row in rows
        }

    def keep_shopper_memories(self, memories: Sequence[ShopperMemory], erasures: int) -> bool:
        """Insert or replace, all or none; False when data was erased since `erasures` was the count.

        Shoppers who opted out of personalised prices are left out.
        """
        statement = self._db.insert(SHOPPER_MEMORY)
        replaced = {column.name: statement.excluded[column.name] for column in _MEMORY if not column.primary_key}
        statement = statement.on_conflict_do_update(index_elements=[_MEMORY.shopper_id], set_=replaced)
        by_id = {memory.shopper_id: memory for memory in memories}
        with self._db.write() as connection:
            self._db.serialise(connection, MEMORY_LOCK)
            found = connection.execute(select(META.c.value).where(META.c.key == ERASURES)).scalar()
            if int(found or 0) != erasures:
                return False
            opted_out = select(SHOPPERS.c.shopper_id).where(~SHOPPERS.c.personalisation)
            for ids in chunks(sorted(by_id), IN_LIMIT):
                barred = set(connection.execute(opted_out.where(SHOPPERS.c.shopper_id.in_(ids))).scalars())
                rows = [_values(by_id[one]) for one in ids if one not in barred]
                if rows:
                    connection.execute(statement, rows)
        return True

    def stale_shoppers(self, after: str, encoder: str, limit: int = 64) -> StalePage:
        """Look at the next shoppers with events in order of their ids; stale ones also lack a state of `encoder`."""
        with self._db.read() as connection:
            rows = connection.execute(_PAGE, {"after": after, "limit": limit}).all()
        stale = [row.shopper_id for row in rows if row.kept != row.seq or row.encoder != encoder or not row.holds]
        return StalePage(tuple(stale), rows[-1].shopper_id if len(rows) == limit else None)

    def expired_shoppers(self, now: datetime, limit: int = 64) -> list[str]:
        """Shoppers whose text has changed by a moment on the behaviour clock, those first that changed first."""
        with self._db.read() as connection:
            return list(connection.execute(_EXPIRED, {"now": now, "limit": limit}).scalars())

    def drop_shopper_memory(self, shopper_id: str) -> None:
        """Delete what is kept of a shopper."""
        with self._db.write() as connection:
            forget_shoppers(self._db, connection, [shopper_id])


def _values(memory: ShopperMemory) -> dict[str, Any]:
    return {name: getattr(memory, name) for name in ShopperMemory.__slots__}


def _memory(row: Sequence[Any]) -> ShopperMemory | None:
    """The memory in a row of `_KEPT`."""
    shopper_id, _, seq, first, last, late_sales, labels, encoder, digest, expires, state, history = row
    if seq is None:
        return None
    return ShopperMemory(
        shopper_id=shopper_id,
        seq=seq,
        first_at=from_micros(first),
        last_at=from_micros(last),
        late_sales=late_sales,
        labels=labels,
        encoder=encoder,
        digest=digest,
        expires_at=None if expires is None else from_micros(expires),
        state=state,
        history=history,
    )
