"""Shopper memory: what models read of a shopper, worked out ahead of quotes.

A cache: all of it follows from other rows. A row is deleted in the transaction that erases any event it rests on. A
writer that worked it out before an erasure is refused afterwards, so that nothing erased comes back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, Integer, bindparam, cast, func, select

from agent.store.counters import ERASURES, LATE_SALES
from agent.store.memory_deletion import MEMORY_LOCK, forget_shoppers
from agent.store.repository import Repository
from agent.store.rows import IN_LIMIT, chunks
from agent.store.tables import EVENTS, META, SHOPPER_MEMORY, SHOPPERS

_MEMORY: Final = SHOPPER_MEMORY.c
_AMONG: Final[BindParameter[Sequence[str]]] = bindparam("ids", expanding=True)
_LATE: Final = select(cast(META.c.value, Integer)).where(META.c.key == LATE_SALES).scalar_subquery()
_HOLDS: Final = _MEMORY.late_sales.is_(None) | (_MEMORY.late_sales == func.coalesce(_LATE, 0))
_ONE: Final = select(SHOPPER_MEMORY).where(_MEMORY.shopper_id == bindparam("shopper_id"), _HOLDS)
_MANY: Final = select(SHOPPER_MEMORY).where(_MEMORY.shopper_id.in_(_AMONG), _HOLDS)
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
class StalePage:
    """Shoppers of one page whose memory is missing or behind; `last` is the page's last shopper, None at the end."""

    stale: tuple[str, ...]
    last: str | None


class ShopperMemoryRepository(Repository):
    """What models read of shoppers, worked out ahead of quotes."""

    def shopper_memories(self, shopper_ids: Sequence[str]) -> dict[str, ShopperMemory]:
        """What is kept of some shoppers, by id; rows that late sales have outdated are left out."""
        with self._db.read() as connection:
            if len(shopper_ids) == 1:  # the usual case; a list is compiled each time
                rows = connection.execute(_ONE, {"shopper_id": shopper_ids[0]}).all()
            else:
                rows = [r for ids in chunks(shopper_ids, IN_LIMIT) for r in connection.execute(_MANY, {"ids": ids})]
        return {row.shopper_id: ShopperMemory(*row) for row in rows}

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
