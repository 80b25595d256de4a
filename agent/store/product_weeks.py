"""Weekly facts of products: purchases and prices by product, week and currency."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, ColumnElement, Connection, and_, bindparam, delete, func, select, update

from agent.domain.records import EventRecord, EventType, ProductWeek
from agent.store.engine import Database
from agent.store.repository import Repository
from agent.store.rows import IN_LIMIT, RecordTable, chunks
from agent.store.tables import EVENTS, PRODUCT_WEEKS
from models.shopper.weeks import week_of, week_start

_WEEK: Final = RecordTable(ProductWeek, PRODUCT_WEEKS)
_WEEK_KEY: Final = (PRODUCT_WEEKS.c.product_id, PRODUCT_WEEKS.c.week, PRODUCT_WEEKS.c.currency)
_WEEK_BATCH: Final = 50_000
_PRICES: Final = ("list_minor", "price_minor")
_Week = tuple[str, datetime, str]

_AMONG: Final[BindParameter[Sequence[str]]] = bindparam("ids", expanding=True)
_OF_PRODUCTS: Final = select(*_WEEK.columns).where(PRODUCT_WEEKS.c.product_id.in_(_AMONG))
_AT: Final = select(*_WEEK.columns).where(
    PRODUCT_WEEKS.c.product_id == bindparam("product_id"), PRODUCT_WEEKS.c.week == bindparam("week")
)
_LATER: Final = (
    select(PRODUCT_WEEKS.c.week)
    .where(PRODUCT_WEEKS.c.product_id == bindparam("product_id"), PRODUCT_WEEKS.c.week > bindparam("week"))
    .limit(1)
)
_NEWEST: Final = (
    select(PRODUCT_WEEKS.c.product_id, func.max(PRODUCT_WEEKS.c.week).label("newest"))
    .where(PRODUCT_WEEKS.c.product_id.in_(_AMONG))
    .group_by(PRODUCT_WEEKS.c.product_id)
)

WeekOf = Callable[[EventRecord], ProductWeek | None]
"""Maps an event to what it adds to its product's weekly facts; None for any event but a purchase."""


class ProductWeekRepository(Repository):
    """Weekly facts of products."""

    def put_product_weeks(self, records: Sequence[ProductWeek]) -> None:
        """Insert or replace, all or none; at most about 50,000 records a call."""
        statement = self._db.insert(PRODUCT_WEEKS)
        replaced = {name: statement.excluded[name] for name in ("purchases", "list_minor", "price_minor")}
        statement = statement.on_conflict_do_update(index_elements=_WEEK_KEY, set_=replaced)
        with self._db.write() as connection:
            _write_weeks(connection, records, statement)

    def product_weeks(self) -> Iterator[ProductWeek]:
        """All weeks, by product, then time."""
        return map(_WEEK.record, self._paged(select(*_WEEK.columns), _WEEK_KEY, _WEEK_BATCH))

    def weeks_of(self, product_id: str, currency: str, since: datetime, until: datetime) -> list[ProductWeek]:
        """Weeks of a product in a currency that begin from `since` to before `until`, oldest first."""
        table = PRODUCT_WEEKS.c
        query = select(*_WEEK.columns).where(table.product_id == product_id, table.currency == currency)
        query = query.where(table.week >= since, table.week < until)
        with self._db.read() as connection:
            return [_WEEK.record(row) for row in connection.execute(query.order_by(table.week))]

    def weeks_of_products(self, product_ids: Iterable[str]) -> list[ProductWeek]:
        """All weeks of some products."""
        with self._db.read() as connection:
            return [
                _WEEK.record(row)
                for ids in chunks(product_ids, IN_LIMIT)
                for row in connection.execute(_OF_PRODUCTS, {"ids": ids})
            ]

    def weeks_at(self, moments: Iterable[tuple[str, datetime]]) -> list[ProductWeek]:
        """The given weeks of products, each named by product and start."""
        with self._db.read() as connection:
            return [
                _WEEK.record(row)
                for product_id, week in moments
                for row in connection.execute(_AT, {"product_id": product_id, "week": week})
            ]


def weeks_of(events: Sequence[EventRecord], week_of: WeekOf | None) -> list[ProductWeek]:
    """Weekly facts that events add, those of purchases alone; empty without `week_of`."""
    return [] if week_of is None else [week for event in events if (week := week_of(event)) is not None]


def add_weeks(database: Database, connection: Connection, records: Sequence[ProductWeek]) -> None:
    """Add records to their weeks in the caller's transaction: purchases add up, prices replace the week's."""
    if len(records) == 1:  # the usual case: ON CONFLICT would be compiled each time
        more = {f"more_{name}": value for name, value in _WEEK.parameters(records)[0].items()}
        if connection.execute(_ADD_ONE, more).rowcount:
            return
    statement = database.insert(PRODUCT_WEEKS)
    added = _added(dict(statement.excluded.items()))
    _write_weeks(connection, records, statement.on_conflict_do_update(index_elements=_WEEK_KEY, set_=added))


def any_late(connection: Connection, records: Sequence[ProductWeek]) -> bool:
    """Whether a later week of a product has sales already, so that adding these changes its references since."""
    if len(records) == 1:  # the usual case
        later = {"product_id": records[0].product_id, "week": records[0].week}
        return connection.execute(_LATER, later).first() is not None
    newest: dict[str, datetime] = {}
    for ids in chunks({record.product_id for record in records}, IN_LIMIT):
        newest |= {row.product_id: row.newest for row in connection.execute(_NEWEST, {"ids": ids})}
    return any(record.product_id in newest and record.week < newest[record.product_id] for record in records)


def take_from_weeks(connection: Connection, events: Sequence[EventRecord], numbers: Set[int]) -> None:
    """Take purchases that are about to be removed, with their numbers, out of the weekly facts, in the transaction.

    A price that a removed event may have brought becomes that of the latest other purchase of the week.
    """
    removed: dict[_Week, list[EventRecord]] = defaultdict(list)
    for event in events:
        if event.type is EventType.PURCHASE and event.product_id is not None:
            removed[event.product_id, _start(event.at), event.currency or ""].append(event)
    known: dict[_Week, ProductWeek] = {}
    for some in chunks({product_id for product_id, _, _ in removed}, IN_LIMIT):
        for row in connection.execute(_OF_PRODUCTS, {"ids": some}):
            known[row.product_id, row.week, row.currency] = _WEEK.record(row)
    changed = {key: known[key] for key in removed if key in known}
    remaining = {key for key, week in changed.items() if week.purchases > len(removed[key])}
    latest = _latest_prices(connection, remaining, numbers)
    for key, week in sorted(changed.items()):
        here = and_(*(column == part for column, part in zip(_WEEK_KEY, key, strict=True)))
        left = week.purchases - len(removed[key])
        if left <= 0:
            connection.execute(delete(PRODUCT_WEEKS).where(here))
            continue
        facts: dict[str, Any] = {"purchases": left}
        for name in _PRICES:
            if getattr(week, name) in {getattr(event, name) for event in removed[key]}:
                facts[name] = latest.get((key, name))
        connection.execute(update(PRODUCT_WEEKS).where(here).values(**facts))


def _latest_prices(connection: Connection, weeks: Set[_Week], but: Set[int]) -> dict[tuple[_Week, str], int]:
    """The last prices of stored purchases in some weeks, but for some events."""
    found: dict[tuple[_Week, str], int] = {}
    columns = [EVENTS.c[name] for name in ("seq", "product_id", "at", "currency", *_PRICES)]
    for some in chunks({product_id for product_id, _, _ in weeks}, IN_LIMIT):
        query = select(*columns).where(EVENTS.c.product_id.in_(some), EVENTS.c.type == EventType.PURCHASE)
        for row in connection.execute(query.order_by(EVENTS.c.seq)):
            week = (row.product_id, _start(row.at), row.currency or "")
            if row.seq not in but and week in weeks:
                found |= {(week, name): getattr(row, name) for name in _PRICES if getattr(row, name) is not None}
    return found


def _start(at: datetime) -> datetime:
    return week_start(week_of(at.timestamp()))


def _added(new: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    """A week's facts after adding new ones."""
    old = PRODUCT_WEEKS.c
    return {
        "purchases": old.purchases + new["purchases"],
        "list_minor": func.coalesce(new["list_minor"], old.list_minor),
        "price_minor": func.coalesce(new["price_minor"], old.price_minor),
    }


_MORE: Final = {column.name: bindparam(f"more_{column.name}", type_=column.type) for column in PRODUCT_WEEKS.c}
_ADD_ONE: Final = (
    update(PRODUCT_WEEKS).where(*(column == _MORE[column.name] for column in _WEEK_KEY)).values(_added(_MORE))
)


def _write_weeks(connection: Connection, records: Sequence[ProductWeek], statement: Any) -> None:
    # One order for all writers, or two batches could deadlock.
    rows = _WEEK.parameters(sorted(records, key=lambda record: (record.product_id, record.week, record.currency)))
    if rows:
        connection.execute(statement, rows)
