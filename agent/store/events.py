"""Behaviour events: append only, read by shopper or in the order of arrival."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, insert, select

from agent.records import EventRecord
from agent.store.rows import RecordTable, Repository
from agent.store.tables import EVENTS

_EVENT: Final = RecordTable(EventRecord, EVENTS)
_IDS_BATCH: Final = 5_000


class EventRepository(Repository):
    """What shoppers did."""

    def append_events(self, records: Sequence[EventRecord]) -> None:
        """Append in the given order, all or none. For a bulk load give about 50,000 at once."""
        rows = _EVENT.parameters(records)
        if not rows:
            return
        with self._db.write() as connection:
            self._db.serialise(connection, "events")  # or numbers could become visible out of order
            connection.execute(insert(EVENTS), rows)

    def shopper_events(
        self, shopper_id: str, *, before: datetime | None = None, limit: int = 5_000
    ) -> list[EventRecord]:
        """The last `limit` events strictly before `before`, oldest first; arrival orders those of one time."""
        query = select(*_EVENT.columns).where(EVENTS.c.shopper_id == shopper_id)
        if before is not None:
            query = query.where(EVENTS.c.at < before)
        query = query.order_by(EVENTS.c.at.desc(), EVENTS.c.seq.desc()).limit(limit)
        with self._db.read() as connection:
            records = [_EVENT.record(row) for row in connection.execute(query)]
        records.reverse()
        return records

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
