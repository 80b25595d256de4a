"""Pages of quotes, outcomes, events, products and shoppers, with filters.

A page begins after the position of the last row of the page before, not at a number of rows: rows that are added
meanwhile shift nothing. Times order rows newest first, with the number or id of the row where times are equal; both
never change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Row, Select, Table, literal, select, true, tuple_, union

from agent.domain.candidates import Source
from agent.domain.decision import Rung
from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType, ProductRecord, ShopperRecord
from agent.store.column_types import from_micros, micros
from agent.store.quote_summaries import QuoteSummary, read_summary
from agent.store.repository import Repository
from agent.store.rows import RecordTable, stored_forms
from agent.store.tables import DECISIONS, EVENTS, OUTCOMES, PRODUCTS, SHOPPERS
from models.strategist.strategy import Lever

R = TypeVar("R")

_OUTCOME: Final = RecordTable(OutcomeRecord, OUTCOMES)
_EVENT: Final = RecordTable(EventRecord, EVENTS)
_PRODUCT: Final = RecordTable(ProductRecord, PRODUCTS)
_SHOPPER: Final = RecordTable(ShopperRecord, SHOPPERS)
_WITH_SHOPPERS: Final = (SHOPPERS, EVENTS, OUTCOMES, DECISIONS)
_TITLES: Final = 2_000  # titles read at a time when one is searched for
_SUMMARY: Final = tuple(column for column in DECISIONS.c if column.name != "personal")


@dataclass(frozen=True, slots=True)
class QuoteFilter:
    """Conditions on quotes that must all hold; None is no condition; `since` is included, `until` excluded."""

    product_id: str | None = None
    shopper_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    personalised: bool | None = None
    source: Source | None = None
    lever: Lever | None = None
    rung: Rung | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeFilter:
    """Conditions on outcomes, as in `QuoteFilter`."""

    quote_id: str | None = None
    product_id: str | None = None
    shopper_id: str | None = None
    type: OutcomeType | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Conditions on events, as in `QuoteFilter`."""

    shopper_id: str | None = None
    product_id: str | None = None
    type: EventType | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ProductListFilter:
    """Conditions on products; `title` is a part of the title, in any case."""

    category: str | None = None
    brand: str | None = None
    currency: str | None = None
    title: str | None = None


@dataclass(frozen=True, slots=True)
class ShopperFilter:
    """Conditions on shoppers."""

    personalisation: bool | None = None


Position = tuple[int | str, ...]
"""The keys of a row by which its list is ordered; times in microseconds."""


@dataclass(frozen=True, slots=True)
class PageOf(Generic[R]):
    """Rows of a list, and the position of the last one where more follow."""

    rows: Sequence[R]
    last: Position | None


class ListRepository(Repository):
    """Lists by page. A `start` is the `last` of the page before; `limit` is the largest number of rows."""

    def quote_page(self, wanted: QuoteFilter, start: Position | None, limit: int) -> PageOf[QuoteSummary]:
        """Quotes, newest first."""
        keys = (DECISIONS.c.at, DECISIONS.c.id)
        query = _after(select(*keys).where(*_conditions(DECISIONS, wanted)), keys, start).limit(limit + 1)
        with self._db.read() as connection:
            # the index has all that the filters need: bodies, which are long, are read of one page alone
            found = [row.id for row in connection.execute(query)]
            rows = connection.execute(select(*_SUMMARY).where(DECISIONS.c.id.in_(found))).all()
        rank = {id: place for place, id in enumerate(found)}
        ordered = sorted(rows, key=lambda row: rank[row.id])
        return _page(ordered, limit, read_summary, lambda row: (micros(row.at), row.id))

    def outcome_page(self, wanted: OutcomeFilter, start: Position | None, limit: int) -> PageOf[OutcomeRecord]:
        """Outcomes, newest first, those of offers made elsewhere too."""
        keys = (OUTCOMES.c.at, OUTCOMES.c.seq)
        query = select(OUTCOMES.c.seq, *_OUTCOME.columns).where(*_conditions(OUTCOMES, wanted))
        return self._by_time(query, keys, start, limit, lambda row: _OUTCOME.record(row, start=1))

    def event_page(self, wanted: EventFilter, start: Position | None, limit: int) -> PageOf[EventRecord]:
        """Events, newest first."""
        keys = (EVENTS.c.at, EVENTS.c.seq)
        query = select(EVENTS.c.seq, *_EVENT.columns).where(*_conditions(EVENTS, wanted))
        return self._by_time(query, keys, start, limit, lambda row: _EVENT.record(row, start=1))

    def product_page(self, wanted: ProductListFilter, start: Position | None, limit: int) -> PageOf[ProductRecord]:
        """Products by id."""
        key = PRODUCTS.c.product_id
        named = {"category": wanted.category, "brand": wanted.brand, "currency": wanted.currency}
        where = [PRODUCTS.c[name] == value for name, value in named.items() if value is not None]
        query = select(*_PRODUCT.columns).where(~PRODUCTS.c.removed, *where).order_by(key)
        beyond = "" if start is None else str(start[0])
        with self._db.read() as connection:
            if wanted.title is None:
                rows = connection.execute(query.where(key > beyond).limit(limit + 1)).all()
            else:
                titles = select(key, PRODUCTS.c.title).where(~PRODUCTS.c.removed, *where).order_by(key).limit(_TITLES)
                ids = _titled(connection, titles, wanted.title.casefold(), beyond, limit + 1)
                rows = connection.execute(query.where(key.in_(ids))).all()
        return _page(rows, limit, _PRODUCT.record, lambda row: (row.product_id,))

    def shopper_page(self, wanted: ShopperFilter, start: Position | None, limit: int) -> PageOf[ShopperRecord]:
        """Shoppers by id: all of whom a profile, an event, an outcome or a quote is stored."""
        beyond = "" if start is None else str(start[0])
        declined = select(SHOPPERS.c.shopper_id).where(~SHOPPERS.c.personalisation)
        tables = (SHOPPERS,) if wanted.personalisation is False else _WITH_SHOPPERS
        first = []
        for table in tables:
            key = table.c.shopper_id
            of_table = select(key).where(key > beyond).distinct().order_by(key).limit(limit + 1)
            if wanted.personalisation is not None:
                of_table = of_table.where(key.in_(declined) if not wanted.personalisation else key.not_in(declined))
            first.append(select(of_table.subquery().c.shopper_id))
        known = union(*first).subquery()
        query = select(known.c.shopper_id, SHOPPERS.c.profile, SHOPPERS.c.personalisation)
        query = query.join_from(known, SHOPPERS, SHOPPERS.c.shopper_id == known.c.shopper_id, isouter=True)
        with self._db.read() as connection:
            rows = connection.execute(query.order_by(known.c.shopper_id).limit(limit + 1)).all()
        return _page(rows, limit, _shopper, lambda row: (row.shopper_id,))

    def _by_time(
        self,
        query: Select[Any],
        keys: tuple[Column[Any], Column[Any]],
        start: Position | None,
        limit: int,
        record: Callable[[Row[Any]], R],
    ) -> PageOf[R]:
        with self._db.read() as connection:
            rows = connection.execute(_after(query, keys, start).limit(limit + 1)).all()
        return _page(rows, limit, record, lambda row: (micros(row.at), row.seq))


def _page(
    rows: Sequence[Row[Any]], limit: int, record: Callable[[Row[Any]], R], position: Callable[[Row[Any]], Position]
) -> PageOf[R]:
    """A page of at most `limit` rows out of one row more, which says that more follow."""
    more = len(rows) > limit
    return PageOf([record(row) for row in rows[:limit]], position(rows[limit - 1]) if more else None)


def _after(query: Select[Any], keys: tuple[Column[Any], Column[Any]], start: Position | None) -> Select[Any]:
    """A query, newest first, of the rows after a position."""
    at, id = keys
    if start is not None:
        bounds = (literal(from_micros(int(start[0])), at.type), literal(start[1], id.type))
        query = query.where(tuple_(at, id) < tuple_(*bounds))
    return query.order_by(at.desc(), id.desc())


def _conditions(table: Table, wanted: QuoteFilter | OutcomeFilter | EventFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for field in fields(wanted):
        value = getattr(wanted, field.name)
        if value is None:
            continue
        if field.name == "since":
            found.append(table.c.at >= value)
        elif field.name == "until":
            found.append(table.c.at < value)
        elif field.name.endswith("_id") and len(forms := stored_forms(value)) > 1:
            found.append(table.c[field.name].in_(forms))
        else:
            found.append(table.c[field.name] == value)
    return found or [true()]


def _titled(connection: Connection, titles: Select[Any], part: str, beyond: str, most: int) -> list[str]:
    """Ids of the first products whose title contains a folded text; databases fold other scripts each in its way."""
    found: list[str] = []
    while len(found) < most:
        rows = connection.execute(titles.where(PRODUCTS.c.product_id > beyond)).all()
        found += [row.product_id for row in rows if part in row.title.casefold()]
        if len(rows) < _TITLES:
            break
        beyond = rows[-1].product_id
    return found[:most]


def _shopper(row: Row[Any]) -> ShopperRecord:
    """A stored shopper, or one without profile and consent of their own."""
    consent = True if row.personalisation is None else bool(row.personalisation)
    return ShopperRecord(row.shopper_id, row.profile or {}, consent)
