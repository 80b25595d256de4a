"""Shopper memory: what models read of a shopper, worked out ahead of quotes.

A cache: all of it follows from other rows. A row is deleted in the transaction that erases any event it rests on. A
writer that worked it out before an erasure is refused afterwards, so that nothing erased comes back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Integer, Text, bindparam, cast, func, literal, select, union_all

from agent.domain.records import EventRecord, EventType, ShopperRecord
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
_LIMIT: Final = bindparam("limit", type_=Integer)
_ACTIVE: Final = (
    select(EVENTS.c.shopper_id, func.max(EVENTS.c.seq).label("seq"))
    .where(EVENTS.c.shopper_id > bindparam("after"))
    .group_by(EVENTS.c.shopper_id)
    .order_by(EVENTS.c.shopper_id)
    .limit(_LIMIT)
    .subquery()
)
_DESCRIBED: Final = (
    select(SHOPPERS.c.shopper_id, literal(0).label("seq"))
    .where(
        SHOPPERS.c.shopper_id > bindparam("after"), SHOPPERS.c.personalisation, cast(SHOPPERS.c.profile, Text) != "{}"
    )
    .order_by(SHOPPERS.c.shopper_id)
    .limit(_LIMIT)
    .subquery()
)
_BOTH: Final = union_all(select(_ACTIVE), select(_DESCRIBED)).subquery()
_SEEN: Final = (
    select(_BOTH.c.shopper_id, func.max(_BOTH.c.seq).label("seq"))
    .group_by(_BOTH.c.shopper_id)
    .order_by(_BOTH.c.shopper_id)
    .limit(_LIMIT)
    .subquery()
)
_PAGE: Final = (
    select(_SEEN.c.shopper_id, _SEEN.c.seq, _MEMORY.seq.label("kept"), _MEMORY.encoder, _HOLDS.label("holds"))
    .select_from(_SEEN.outerjoin(SHOPPER_MEMORY, _MEMORY.shopper_id == _SEEN.c.shopper_id))
    .order_by(_SEEN.c.shopper_id)
)
_KEPT: Final = KeyedStatement.of(
    # + 0, or PostgreSQL might look for the largest number backwards through the events of all shoppers
    "SELECT k.shopper_id, (SELECT MAX(e.seq + 0) FROM events e WHERE e.shopper_id = k.shopper_id), "
    "s.profile, s.personalisation, "
    "m.seq, m.first_at, m.last_at, m.late_sales, m.labels, m.encoder, m.digest, m.expires_at, m.state, m.history "
    "FROM {keys} LEFT JOIN shoppers s ON s.shopper_id = k.shopper_id LEFT JOIN shopper_memory m "
    "ON m.shopper_id = k.shopper_id AND (m.late_sales IS NULL OR m.late_sales = "
    "COALESCE((SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'late_sales'), 0))",
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
    """Stored memory of one shopper.

    Attributes:
        seq: Number of the last event in `history`, 0 without one.
        first_at, last_at: Times of the first and the last event.
        late_sales: The store's count of late sales that price ratios in `history` rest on; None if on none.
        labels: Checksum of the words of the products in `history`.
        encoder, digest: Version that encoded the behaviour text, and the text's digest.
        expires_at: When the text changes without a new event, as a session ends; on the behaviour clock.
        state: Encoder state, `(dim,)` float32.
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
    """Stored memory of one shopper, and how far behind it is.

    Attributes:
        record: Profile and consent; None where nothing was told of them.
        memory: None where nothing is kept, or what is kept has been outdated by late sales.
        newest: Number of the shopper's last event; 0 without one.
        events: Events numbered above `memory` and above what was asked for, by time, then arrival; empty where that is
            every event and `whole` was not asked for.
    """

    record: ShopperRecord | None
    memory: ShopperMemory | None
    newest: int
    events: Sequence[tuple[int, EventRecord]] = ()


class _Kept(NamedTuple):
    """One row of `_KEPT`, as the driver has it."""

    shopper_id: str
    newest: int | None
    profile: str | None
    personalisation: bool | int | None
    seq: int | None
    first_at: int
    last_at: int
    late_sales: int | None
    labels: int
    encoder: str
    digest: bytes
    expires_at: int | None
    state: bytes
    history: bytes

    def record(self) -> ShopperRecord | None:
        """Profile and consent."""
        if self.profile is None:
            return None
        return ShopperRecord(self.shopper_id, json.loads(self.profile), bool(self.personalisation))

    def memory(self) -> ShopperMemory | None:
        """The stored memory."""
        if self.seq is None:
            return None
        return ShopperMemory(
            self.shopper_id,
            self.seq,
            from_micros(self.first_at),
            from_micros(self.last_at),
            self.late_sales,
            self.labels,
            self.encoder,
            self.digest,
            None if self.expires_at is None else from_micros(self.expires_at),
            self.state,
            self.history,
        )


@dataclass(frozen=True, slots=True)
class StalePage:
    """Shoppers of one page whose memory is missing or behind; `last` is the page's last shopper, None at the end."""

    stale: tuple[str, ...]
    last: str | None


class ShopperMemoryRepository(Repository):
    """Memory that models read of shoppers, worked out ahead of quotes."""

    def shopper_memories(self, shopper_ids: Sequence[str]) -> dict[str, ShopperMemory]:
        """Stored memory of some shoppers, by id; rows that late sales have outdated are left out."""
        found = self.shopper_pasts(dict.fromkeys(shopper_ids, 0))
        return {shopper_id: past.memory for shopper_id, past in found.items() if past.memory is not None}

    def shopper_pasts(self, known: Mapping[str, int], *, whole: bool = False) -> dict[str, StoredPast]:
        """Read what is kept of some shoppers and the events since, each in one statement.

        `known` has the shoppers with the number of the last event that the caller knows, 0 for none. With `whole` all
        events of a shopper are read where nothing is known and kept.
        """
        with self._db.read() as connection:
            rows = [_Kept(*row) for row in _KEPT.rows(connection, [(shopper_id,) for shopper_id in known])]
            starts = {row.shopper_id: max(known[row.shopper_id], row.seq or 0) for row in rows}
            newest = {row.shopper_id: row.newest or 0 for row in rows}
            behind = [(one, start) for one, start in starts.items() if newest[one] > start and (start > 0 or whole)]
            events: dict[str, list[tuple[int, EventRecord]]] = {}
            for seq, shopper_id, type_, at, *others in _SINCE.rows(connection, behind):
                event = EventRecord(shopper_id, _TYPES[type_], from_micros(at), *others)
                events.setdefault(shopper_id, []).append((seq, event))
        return {
            row.shopper_id: StoredPast(
                row.record(), row.memory(), newest[row.shopper_id], events.get(row.shopper_id, [])[-_MOST_EVENTS:]
            )
            for row in rows
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
        """Look at the next shoppers with events or a profile by id; stale ones also lack a state of `encoder`."""
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
