"""Deduplication of events: each event id is stored once, and each sale once.

An event has an id of its own, or its content and the number of its occurrence identify it: of identical lines in one
file or request the second is another event than the first, and the second in every later file or request.

Sales are reported by up to three channels: lines with an id, lines without one, outcomes of offers. Reports agree when
shopper, product, moment, quantity, and price with currency agree; a report without a price agrees with any price. The
channels describe the same sales, so that of reports that agree

- each id is a sale, however often it is sent,
- as many lines without an id are sales as one file or request has,
- each outcome is a sale,

and the number of sales is the largest of the three. Two lines of one order with other quantities or prices do not agree
and are two sales. A line without a price adds one only if its file or request has more lines of its shopper, product,
moment and quantity, whatever their prices, than there are sales.

A stored sale that is reported with an id later takes that id, so that the next id is known to be another sale. One that
was reported without a price keeps its columns when a report with a price follows; its id then holds that price.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import BigInteger, Connection, insert, select, tuple_, type_coerce, update

from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType
from agent.store.column_types import micros
from agent.store.engine import Database
from agent.store.rows import RecordTable, chunks
from agent.store.tables import EVENTS, OUTCOMES

_BULK: Final = 5_000
_EVENT: Final = RecordTable(EventRecord, EVENTS)
_IDS_BATCH: Final = 1_000
_PAIRS: Final = 400  # pairs in one IN list; SQLite nests no deeper than a thousand
_SALE: Final = "sale:"
# Time and digest of shopper and product; quantity, price and number are missing in ids of earlier releases.
_SALE_ID: Final = re.compile(r"sale:[0-9a-f]{16}:[0-9a-f]{24}(?::\d+@(?:(\d+)([A-Z]*))?:(\d+))?", re.ASCII)

Moment = tuple[str, str | None, datetime]
"""Shopper, product, time."""
Price = tuple[int, str | None]
"""Minor units and currency."""


def event_content(event: EventRecord) -> str:
    """The part of an id that says what happened; it begins with the time, so that a bulk load fills the index in order.

    Of a sale it holds quantity and price in clear.
    """
    parts = [event.shopper_id, event.product_id]
    kind, tail = _SALE, f":{event.quantity}@{_spelled(_price(event))}"
    if event.type is not EventType.PURCHASE or event.product_id is None:
        kind, tail = f"{event.type.value}:", ""
        parts += [str(event.quantity), str(event.price_minor), event.text]
    digest = sha256("\x1f".join("" if part is None else part for part in parts).encode()).hexdigest()[:24]
    return f"{kind}{micros(event.at):016x}:{digest}{tail}"


def numbered_event_id(content: str, occurrence: int) -> str:
    """Id of the n-th event with a content, counted from 1."""
    return content if occurrence == 1 and not content.startswith(_SALE) else f"{content}:{occurrence}"


def content_id(event: EventRecord) -> str:
    """Id of the only event with its content."""
    return numbered_event_id(event_content(event), 1)


def identified(events: Sequence[EventRecord]) -> list[EventRecord]:
    """Events of one request, those without an id with one from their content."""
    seen: Counter[str] = Counter()
    found = []
    for event in events:
        if event.event_id is None:
            content = event_content(event)
            seen[content] += 1
            event = replace(event, event_id=numbered_event_id(content, seen[content]))
        found.append(event)
    return found


def insert_new_events(database: Database, connection: Connection, records: Sequence[EventRecord]) -> list[EventRecord]:
    """Insert the events that are new, in the given order, within the caller's transaction; returns them."""
    if not records:
        return []
    database.serialise(connection, "events")  # otherwise row numbers could become visible out of order
    sold = _stored_sales(connection, [record for record in records if _is_sale(record)])
    return insert_events(database, connection, _fresh(connection, records, sold))


def insert_new_sales(
    database: Database, connection: Connection, sales: Sequence[tuple[OutcomeRecord, EventRecord]]
) -> list[EventRecord]:
    """Insert the sales of outcomes that were just stored, but for those that are known; returns the new ones."""
    if not sales:
        return []
    database.serialise(connection, "events")
    sold = _stored_sales(connection, [sale for _, sale in sales])
    met = [outcome for outcome, sale in sales if sold[_moment(sale)]]
    stored = _purchases(connection, met)
    here = Counter(_offered(outcome) for outcome, _ in sales)
    before = Counter({key: stored[key] - here[key] for key in here if key in stored})
    numbered = []
    for outcome, sale in sales:
        before[_offered(outcome)] += 1
        event_id = sale.event_id and f"{sale.event_id.rpartition(':')[0]}:{before[_offered(outcome)]}"
        numbered.append(replace(sale, event_id=event_id))
    return insert_events(database, connection, _fresh(connection, numbered, sold))


def insert_events(database: Database, connection: Connection, fresh: list[EventRecord]) -> list[EventRecord]:
    """Insert events that are surely new."""
    if fresh:
        connection.execute(insert(EVENTS), _EVENT.parameters(fresh))
        if (
            len(fresh) >= _BULK and not database.is_sqlite
        ):  # without new statistics the next batch is searched row by row
            connection.exec_driver_sql("ANALYZE events")
    return fresh


@dataclass(slots=True)
class _Sale:
    """A sale that is stored, or about to be: then `seq` is None and `place` its place in the batch.

    Attributes:
        price: As last reported; None without any.
    """

    seq: int | None
    quantity: int
    price: Price | None
    event_id: str | None
    place: int = -1
    renamed: bool = False

    @property
    def has_own_id(self) -> bool:
        """Whether it was reported with an id; one that was stored with none is nobody's to take."""
        return not _is_sale_id(self.event_id)

    def take(self, event_id: str | None, price: Price | None) -> None:
        """Take the id of another report, and its price where there was none."""
        if event_id is not None:
            self.event_id, self.renamed = event_id, True
        self.price = self.price or price


_Sales = defaultdict[Moment, list[_Sale]]


def _fresh(connection: Connection, records: Sequence[EventRecord], sold: _Sales) -> list[EventRecord]:
    """Events whose id, and whose sale, is not stored yet; a known sale takes the id of a report that has one."""
    known = known_event_ids(connection, [r.event_id for r in records if r.event_id and not _is_sale_id(r.event_id)])
    priced = Counter((_moment(r), r.quantity) for r in records if _is_sale(r) and r.price_minor is not None)
    fresh: dict[int, EventRecord] = {}
    for place in sorted(range(len(records)), key=lambda place: records[place].price_minor is None):
        record = records[place]
        if record.event_id is not None and record.event_id in known:
            continue
        if record.event_id is not None and not _is_sale_id(record.event_id):
            known.add(record.event_id)
        if _is_sale(record):
            others = sold[_moment(record)]
            more = priced[_moment(record), record.quantity] if record.price_minor is None else 0
            same = _same_sale(record, others, more)
            if same is not None:
                if same.seq is None:
                    fresh[same.place] = replace(fresh[same.place], event_id=same.event_id)
                continue
            record = replace(record, event_id=_free_id(record.event_id, others))
            others.append(_Sale(None, record.quantity, _price(record), record.event_id, place))
        fresh[place] = record
    for sale in (sale for sales in sold.values() for sale in sales if sale.renamed and sale.seq is not None):
        connection.execute(update(EVENTS).where(EVENTS.c.seq == sale.seq).values(event_id=sale.event_id))
    return [fresh[place] for place in sorted(fresh)]


def _same_sale(record: EventRecord, others: Sequence[_Sale], more: int) -> _Sale | None:
    """The known sale that a record reports, its id and price brought up to date; None when the sale is new.

    `more` counts the lines with a price beside a line without one.
    """
    price = _price(record)
    alike = [other for other in others if other.quantity == record.quantity]
    exact = [other for other in alike if other.price == price]
    blank = [other for other in alike if other.price is None]
    if not _is_sale_id(record.event_id):
        free = [o for o in (*exact, *(blank if price is not None else alike)) if not o.has_own_id]
        if free:
            free[0].take(record.event_id, None)
        return free[0] if free else None
    number = _number(record.event_id or "")
    if price is None:
        return alike[0] if len(alike) >= number + more else None
    if len(exact) + sum(other.has_own_id for other in blank) >= number:
        return exact[0] if exact else blank[0]
    unpriced = next((other for other in blank if not other.has_own_id), None)
    if unpriced is not None:
        unpriced.take(_free_id(record.event_id, others), price)
    return unpriced


def _free_id(event_id: str | None, others: Sequence[_Sale]) -> str | None:
    """A sale's id with a number that no other sale of the moment has; any other id as it is."""
    taken = {other.event_id for other in others}
    if event_id is None or event_id not in taken:
        return event_id
    content = event_id.rpartition(":")[0]
    return next(found for n in range(1, len(others) + 2) if (found := f"{content}:{n}") not in taken)


def known_event_ids(connection: Connection, ids: Sequence[str]) -> set[str]:
    """The stored ones among some event ids."""
    return {
        row.event_id
        for some in chunks(ids, _IDS_BATCH)
        for row in connection.execute(select(EVENTS.c.event_id).where(EVENTS.c.event_id.in_(some)))
    }


def _stored_sales(connection: Connection, purchases: Sequence[EventRecord]) -> _Sales:
    """Stored purchases by the same shoppers at the same moments."""
    found: _Sales = defaultdict(list)
    names = ("seq", "shopper_id", "product_id", "at", "quantity", "price_minor", "currency", "event_id")
    columns = [EVENTS.c[name] for name in names]
    pairs = list(dict.fromkeys((record.shopper_id, micros(record.at)) for record in purchases))
    for some in chunks(pairs, _PAIRS):
        here = tuple_(EVENTS.c.shopper_id, type_coerce(EVENTS.c.at, BigInteger)).in_(some)
        query = select(*columns).where(here & (EVENTS.c.type == EventType.PURCHASE)).order_by(EVENTS.c.seq)
        for row in connection.execute(query):
            price = None if row.price_minor is None else (row.price_minor, row.currency)
            sale = _Sale(row.seq, row.quantity, _told_price(row.event_id, price), row.event_id)
            found[row.shopper_id, row.product_id, row.at].append(sale)
    return found


Offered = tuple[str | None, str | None, datetime, int, int, str]


def _purchases(connection: Connection, outcomes: Sequence[OutcomeRecord]) -> Counter[Offered]:
    """Numbers of stored purchases with the content of some outcomes."""
    found: Counter[Offered] = Counter()
    wanted = {_offered(outcome) for outcome in outcomes}
    names = ("shopper_id", "product_id", "at", "quantity", "price_minor", "currency")
    query = select(*(OUTCOMES.c[name] for name in names)).where(OUTCOMES.c.type == OutcomeType.PURCHASED)
    for some in chunks(dict.fromkeys((outcome.shopper_id, micros(outcome.at)) for outcome in outcomes), _PAIRS):
        here = tuple_(OUTCOMES.c.shopper_id, type_coerce(OUTCOMES.c.at, BigInteger)).in_(some)
        for row in connection.execute(query.where(here)):
            if tuple(row) in wanted:
                found[row.shopper_id, row.product_id, row.at, row.quantity, row.price_minor, row.currency] += 1
    return found


def _offered(outcome: OutcomeRecord) -> Offered:
    return (
        outcome.shopper_id,
        outcome.product_id,
        outcome.at,
        outcome.quantity,
        outcome.price_minor,
        outcome.currency,
    )


def _moment(record: EventRecord) -> Moment:
    return record.shopper_id, record.product_id, record.at


def _price(record: EventRecord) -> Price | None:
    return None if record.price_minor is None else (record.price_minor, record.currency)


def _spelled(price: Price | None) -> str:
    return "" if price is None else f"{price[0]}{price[1] or ''}"


def _told_price(event_id: str | None, price: Price | None) -> Price | None:
    """The price in a sale's id, else that of its columns."""
    told = _SALE_ID.fullmatch(event_id or "")
    return (int(told[1]), told[2] or None) if told is not None and told[1] else price


def _number(event_id: str) -> int:
    """Number of occurrence in a sale's id."""
    told = _SALE_ID.fullmatch(event_id)
    return int(told[3]) if told is not None and told[3] else 1


def _is_sale(record: EventRecord) -> bool:
    return record.type is EventType.PURCHASE and record.product_id is not None


def _is_sale_id(event_id: str | None) -> bool:
    return event_id is not None and _SALE_ID.fullmatch(event_id) is not None
