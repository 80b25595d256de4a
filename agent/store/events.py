"""Behaviour events: append only, each identity once, read by shopper or in the order of arrival.

A sale comes as an event and as an outcome: it is one when shopper, product and moment are the same, unless both came
as events with ids of their own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import BigInteger, Connection, Integer, bindparam, func, insert, select, tuple_, type_coerce

from agent.domain.records import EventRecord, EventType, ProductWeek
from agent.store.column_types import micros
from agent.store.engine import Database
from agent.store.products import add_weeks
from agent.store.rows import RecordTable, Repository, chunks
from agent.store.tables import EVENTS

_EVENT: Final = RecordTable(EventRecord, EVENTS)
_SHOPPER_SINCE: Final = (
    select(EVENTS.c.seq, *_EVENT.columns)
    .where(EVENTS.c.shopper_id == bindparam("shopper_id"), EVENTS.c.seq > bindparam("after"))
    .order_by(EVENTS.c.at.desc(), EVENTS.c.seq.desc())
    .limit(bindparam("limit", type_=Integer))
)
_IDS_BATCH: Final = 5_000
_BULK: Final = 5_000
_PAIRS: Final = 400  # pairs in one IN list; SQLite nests no deeper than a thousand
_SALE: Final = "sale:"

Sale = tuple[str, str | None, datetime]
"""Shopper, product, moment."""


def content_id(event: EventRecord) -> str:
    """The identity of an event that brings none: a sale's is who, what and when, another's is all it says."""
    said = [event.shopper_id, event.product_id]
    kind = _SALE
    if event.type is not EventType.PURCHASE or event.product_id is None:
        kind = f"{event.type.value}:"
        said += [str(event.quantity), str(event.price_minor), event.text]
    digest = sha256("\x1f".join("" if part is None else part for part in said).encode()).hexdigest()[:24]
    return f"{kind}{micros(event.at):016x}:{digest}"  # by time, so that a bulk load writes its index in order


WeekOf = Callable[[EventRecord], ProductWeek | None]
"""What an event adds to the weekly facts of its product; None for what is no purchase."""


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
            return insert_events(self._db, connection, records, week_of)

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


def insert_events(
    database: Database, connection: Connection, records: Sequence[EventRecord], week_of: WeekOf | None
) -> list[EventRecord]:
    """What `append_events` does, in a transaction that may hold more."""
    if not records:
        return []
    database.serialise(connection, "events")  # or numbers could become visible out of order
    fresh = _fresh(connection, records)
    if fresh:
        connection.execute(insert(EVENTS), _EVENT.parameters(fresh))
        if len(fresh) >= _BULK and not database.is_sqlite:  # or the next batch is looked up without an index
            connection.exec_driver_sql("ANALYZE events")
        weeks = [] if week_of is None else [week for event in fresh if (week := week_of(event)) is not None]
        add_weeks(database, connection, weeks)
    return fresh


def _fresh(connection: Connection, records: Sequence[EventRecord]) -> list[EventRecord]:
    """Those whose identity is not kept yet, and whose sale is not."""
    known = _known_ids(connection, [record.event_id for record in records if record.event_id is not None])
    sold = _known_sales(connection, [record for record in records if record.type is EventType.PURCHASE])
    fresh = []
    for record in records:
        if record.event_id is not None and record.event_id in known:
            continue
        if record.type is EventType.PURCHASE and record.product_id is not None:
            others = sold[_sale(record)]
            if others and (_is_sale_id(record.event_id) or any(map(_is_sale_id, others))):
                continue
            others.append(record.event_id)
        if record.event_id is not None:
            known.add(record.event_id)
        fresh.append(record)
    return fresh


def _known_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    return {
        row.event_id
        for some in chunks(ids, _IDS_BATCH // 5)
        for row in connection.execute(select(EVENTS.c.event_id).where(EVENTS.c.event_id.in_(some)))
    }


def _known_sales(connection: Connection, purchases: Sequence[EventRecord]) -> defaultdict[Sale, list[str | None]]:
    """Identities of kept purchases of the same shoppers at the same moments, by sale."""
    found: defaultdict[Sale, list[str | None]] = defaultdict(list)
    columns = (EVENTS.c.shopper_id, EVENTS.c.product_id, EVENTS.c.at, EVENTS.c.event_id)
    pairs = list(dict.fromkeys((record.shopper_id, micros(record.at)) for record in purchases))
    for some in chunks(pairs, _PAIRS):
        here = tuple_(EVENTS.c.shopper_id, type_coerce(EVENTS.c.at, BigInteger)).in_(some)
        for row in connection.execute(select(*columns).where(here & (EVENTS.c.type == EventType.PURCHASE))):
            found[row.shopper_id, row.product_id, row.at].append(row.event_id)
    return found


def _sale(record: EventRecord) -> Sale:
    return record.shopper_id, record.product_id, record.at


def _is_sale_id(event_id: str | None) -> bool:
    return event_id is not None and event_id.startswith(_SALE)
