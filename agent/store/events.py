"""Behaviour events: append only, read by shopper or in the order of arrival."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Integer, bindparam, func, select

from agent.domain.records import EventRecord, EventType
from agent.store.event_deduplication import insert_new_events
from agent.store.product_weeks import WeekOf, add_weeks, weeks_of
from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.tables import EVENTS

_EVENT: Final = RecordTable(EventRecord, EVENTS)
_SHOPPER_SINCE: Final = (
    select(EVENTS.c.seq, *_EVENT.columns)
    .where(EVENTS.c.shopper_id == bindparam("shopper_id"), EVENTS.c.seq > bindparam("after"))
    .order_by(EVENTS.c.at.desc(), EVENTS.c.seq.desc())
    .limit(bindparam("limit", type_=Integer))
)
_IDS_BATCH: Final = 5_000


class EventRepository(Repository):
    """What shoppers did."""

    def append_events(self, records: Sequence[EventRecord], week_of: WeekOf | None = None) -> list[EventRecord]:
        """Append those that are new in the given order, all or none; returns them.

        What `week_of` makes of a new event is added to its product's week in the same transaction. For a bulk load
        give about 50,000 at once.
        """
        if not records:
            return []
        with self._db.write() as connection:
            fresh = insert_new_events(self._db, connection, records)
            add_weeks(self._db, connection, weeks_of(fresh, week_of))
        return fresh

    def shopper_events(
        self, shopper_id: str, *, before: datetime | None = None, limit: int = 5_000, sales: bool | None = None
    ) -> list[EventRecord]:
        """The last `limit` events strictly before `before`, oldest first; arrival orders those of one time.

        With `sales` purchases alone, or everything but them.
        """
        query = select(*_EVENT.columns).where(EVENTS.c.shopper_id == shopper_id)
        if before is not None:
            query = query.where(EVENTS.c.at < before)
        if sales is not None:
            is_sale = EVENTS.c.type == EventType.PURCHASE
            query = query.where(is_sale if sales else ~is_sale)
        query = query.order_by(EVENTS.c.at.desc(), EVENTS.c.seq.desc()).limit(limit)
        with self._db.read() as connection:
            records = [_EVENT.record(row) for row in connection.execute(query)]
        records.reverse()
        return records

    def shopper_events_since(self, shopper_id: str, seq: int, limit: int = 5_000) -> list[tuple[int, EventRecord]]:
        """Those of them that are numbered above `seq`, each with its number."""
        told = {"shopper_id": shopper_id, "after": seq, "limit": limit}
        with self._db.read() as connection:
            numbered = [(row.seq, _EVENT.record(row, start=1)) for row in connection.execute(_SHOPPER_SINCE, told)]
        numbered.reverse()
        return numbered

    def event_count(self) -> int:
        """How many events are kept."""
        with self._db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(EVENTS)).scalar_one())

    def events_since(self, seq: int, batch: int = 10_000) -> Iterator[tuple[int, EventRecord]]:
        """Events numbered above `seq` in the order of arrival, each with its number. None is ever skipped."""
        query = select(EVENTS.c.seq, *_EVENT.columns)
        for row in self._paged(query, [EVENTS.c.seq], batch, start=[seq]):
            yield row.seq, _EVENT.record(row, start=1)

    def shopper_ids(self) -> Iterator[str]:
        """Every shopper with at least one event, by id."""
        query = select(EVENTS.c.shopper_id).distinct()
        return (row.shopper_id for row in self._paged(query, [EVENTS.c.shopper_id], _IDS_BATCH))
