"""Behaviour events: append only, read by shopper or in order of arrival."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from agent.domain.records import EventRecord, EventType
from agent.store.column_types import from_micros
from agent.store.counters import LATE_SALES, count_up
from agent.store.event_deduplication import insert_new_events, known_event_ids
from agent.store.product_weeks import WeekOf, add_weeks, any_late, weeks_of
from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.statements import Statement
from agent.store.tables import EVENTS

_EVENT: Final = RecordTable(EventRecord, EVENTS)
_SHOPPER_SINCE: Final = Statement.of(
    f"SELECT seq, {', '.join(column.name for column in _EVENT.columns)} FROM events "  # noqa: S608 own names
    "WHERE shopper_id = ? AND seq > ? ORDER BY at DESC, seq DESC LIMIT ?"
)
_TYPES: Final = {one.value: one for one in EventType}
_OF_OUTCOMES: Final = (EventType.PURCHASE, EventType.DECLINE)
_IDS_BATCH: Final = 5_000


class EventRepository(Repository):
    """Behaviour events of shoppers."""

    def append_events(self, records: Sequence[EventRecord], week_of: WeekOf | None = None) -> list[EventRecord]:
        """Append the new ones among some events, in order, all or none; returns them.

        In the same transaction the results of `week_of` are added to the weekly facts. Bulk loads are fastest with
        about 50,000 events a call.
        """
        if not records:
            return []
        with self._db.write() as connection:
            fresh = insert_new_events(self._db, connection, records)
            weeks = weeks_of(fresh, week_of)
            if any_late(connection, weeks):
                count_up(self._db, connection, LATE_SALES)
            add_weeks(self._db, connection, weeks)
        return fresh

    def shopper_events(
        self, shopper_id: str, *, before: datetime | None = None, limit: int = 5_000, sales: bool | None = None
    ) -> list[EventRecord]:
        """The last `limit` events strictly before a moment, by time, then arrival.

        `sales` selects purchases (True) or all other events (False), but for declined offers.
        """
        query = select(*_EVENT.columns).where(EVENTS.c.shopper_id == shopper_id)
        if before is not None:
            query = query.where(EVENTS.c.at < before)
        if sales is not None:
            kind = EVENTS.c.type
            query = query.where(kind == EventType.PURCHASE if sales else kind.not_in(_OF_OUTCOMES))
        query = query.order_by(EVENTS.c.at.desc(), EVENTS.c.seq.desc()).limit(limit)
        with self._db.read() as connection:
            records = [_EVENT.record(row) for row in connection.execute(query)]
        records.reverse()
        return records

    def shopper_events_since(self, shopper_id: str, seq: int, limit: int = 5_000) -> list[tuple[int, EventRecord]]:
        """The last `limit` events numbered above `seq`, by time, then arrival, each with its number."""
        with self._db.read() as connection:
            rows = _SHOPPER_SINCE.rows(connection, shopper_id, seq, limit)
        return [(row[0], EventRecord(row[1], _TYPES[row[2]], from_micros(row[3]), *row[4:])) for row in reversed(rows)]

    def known_events(self, event_ids: Sequence[str]) -> set[str]:
        """The stored ones among some ids."""
        with self._db.read() as connection:
            return known_event_ids(connection, event_ids)

    def event_count(self) -> int:
        """Number of events."""
        with self._db.read() as connection:
            return int(connection.execute(select(func.count()).select_from(EVENTS)).scalar_one())

    def events_since(self, seq: int, batch: int = 10_000) -> Iterator[tuple[int, EventRecord]]:
        """Events numbered above `seq`, each with its number, in order of arrival and without gaps."""
        query = select(EVENTS.c.seq, *_EVENT.columns)
        for row in self._paged(query, [EVENTS.c.seq], batch, start=[seq]):
            yield row.seq, _EVENT.record(row, start=1)

    def shopper_ids(self) -> Iterator[str]:
        """Ids of all shoppers with an event, in order."""
        query = select(EVENTS.c.shopper_id).distinct()
        return (row.shopper_id for row in self._paged(query, [EVENTS.c.shopper_id], _IDS_BATCH))
