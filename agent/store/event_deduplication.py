"""Deduplication of events: each event id is stored once, and each sale once.

A sale may be reported as an event and as an outcome. These are one sale when shopper, product and moment agree, unless
both are events with ids of their own.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import BigInteger, Connection, insert, select, tuple_, type_coerce

from agent.domain.records import EventRecord, EventType
from agent.store.column_types import micros
from agent.store.engine import Database
from agent.store.rows import RecordTable, chunks
from agent.store.tables import EVENTS

_BULK: Final = 5_000
_EVENT: Final = RecordTable(EventRecord, EVENTS)
_IDS_BATCH: Final = 1_000
_PAIRS: Final = 400  # pairs in one IN list; SQLite nests no deeper than a thousand
_SALE: Final = "sale:"

Sale = tuple[str, str | None, datetime]
"""Shopper, product, moment."""


def content_id(event: EventRecord) -> str:
    """Id for an event without one: a digest of shopper, product and time for a sale, else of all fields."""
    parts = [event.shopper_id, event.product_id]
    kind = _SALE
    if event.type is not EventType.PURCHASE or event.product_id is None:
        kind = f"{event.type.value}:"
        parts += [str(event.quantity), str(event.price_minor), event.text]
    digest = sha256("\x1f".join("" if part is None else part for part in parts).encode()).hexdigest()[:24]
    return (
        f"{kind}{micros(event.at):016x}:{digest}"  # starts with the time, so that a bulk load writes its index in order
    )


def insert_new_events(database: Database, connection: Connection, records: Sequence[EventRecord]) -> list[EventRecord]:
    """Insert the events that are new, in the given order, within the caller's transaction; returns them."""
    if not records:
        return []
    database.serialise(connection, "events")  # otherwise row numbers could become visible out of order
    fresh = _fresh(connection, records)
    if fresh:
        connection.execute(insert(EVENTS), _EVENT.parameters(fresh))
        if (
            len(fresh) >= _BULK and not database.is_sqlite
        ):  # without new statistics the next batch is searched row by row
            connection.exec_driver_sql("ANALYZE events")
    return fresh


def _fresh(connection: Connection, records: Sequence[EventRecord]) -> list[EventRecord]:
    """Events whose id, and whose sale, is not stored yet."""
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
        for some in chunks(ids, _IDS_BATCH)
        for row in connection.execute(select(EVENTS.c.event_id).where(EVENTS.c.event_id.in_(some)))
    }


def _known_sales(connection: Connection, purchases: Sequence[EventRecord]) -> defaultdict[Sale, list[str | None]]:
    """Ids of stored purchases by the same shoppers at the same moments, by sale."""
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
