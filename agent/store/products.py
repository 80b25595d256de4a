"""Products, and the weekly facts about them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, bindparam, func, select, update

from agent.domain.records import AppliedPrice, ProductRecord, ProductWeek
from agent.store.applied_prices import AppliedPriceRepository, applied_price
from agent.store.engine import Database
from agent.store.rows import IN_LIMIT, RecordTable, Repository, chunks
from agent.store.tables import PRODUCT_WEEKS, PRODUCTS

_PRODUCT: Final = RecordTable(ProductRecord, PRODUCTS)
_WEEK: Final = RecordTable(ProductWeek, PRODUCT_WEEKS)
_WEEK_KEY: Final = (PRODUCT_WEEKS.c.product_id, PRODUCT_WEEKS.c.week)
_WEEK_BATCH: Final = 50_000


class ProductRepository(AppliedPriceRepository):
    """The merchant's catalogue."""

    def upsert_products(self, records: Sequence[ProductRecord], applied: Mapping[str, datetime] | None = None) -> None:
        """Insert or replace, all or none. Of two records with one id the later stands.

        `applied` tells since when list prices that are new can be paid, by product.
        """
        statement = self._db.insert(PRODUCTS)
        statement = statement.on_conflict_do_update(
            index_elements=[PRODUCTS.c.product_id],
            set_={column.name: statement.excluded[column.name] for column in PRODUCTS.c if not column.primary_key},
        )
        # One order for all writers, or two batches could wait for each other's rows.
        rows = _PRODUCT.parameters(sorted(records, key=lambda record: record.product_id))
        if rows:
            with self._db.write() as connection:
                connection.execute(statement, rows)
                self._apply(connection, _new_prices(records, applied or {}))

    def products(self, product_ids: Sequence[str]) -> dict[str, ProductRecord]:
        """The known ones among `product_ids`, by id."""
        found: dict[str, ProductRecord] = {}
        with self._db.read() as connection:
            for chunk in chunks(product_ids, IN_LIMIT):
                rows = connection.execute(select(*_PRODUCT.columns).where(PRODUCTS.c.product_id.in_(chunk)))
                found.update((row.product_id, _PRODUCT.record(row)) for row in rows)
        return found

    def iter_products(self, batch: int = 2_000) -> Iterator[ProductRecord]:
        """All products by id."""
        query = select(*_PRODUCT.columns)
        return map(_PRODUCT.record, self._paged(query, [PRODUCTS.c.product_id], batch))

    def product_count(self) -> int:
        """How many products there are."""
        with self._db.read() as connection:
            return connection.execute(select(func.count()).select_from(PRODUCTS)).scalar_one()


def _new_prices(records: Sequence[ProductRecord], applied: Mapping[str, datetime]) -> Iterator[AppliedPrice]:
    for record in records:
        if record.product_id in applied and record.list_minor is not None:
            yield applied_price(record.product_id, record.currency, record.list_minor, applied[record.product_id])


class ProductWeekRepository(Repository):
    """Weekly purchases and prices of products."""

    def put_product_weeks(self, records: Sequence[ProductWeek]) -> None:
        """Insert or replace, all or none. Give at most about 50,000 at once."""
        statement = self._db.insert(PRODUCT_WEEKS)
        replaced = {name: statement.excluded[name] for name in ("purchases", "list_minor", "price_minor")}
        statement = statement.on_conflict_do_update(index_elements=_WEEK_KEY, set_=replaced)
        with self._db.write() as connection:
            _write_weeks(connection, records, statement)

    def product_weeks(self) -> Iterator[ProductWeek]:
        """All weeks by product, then time."""
        return map(_WEEK.record, self._paged(select(*_WEEK.columns), _WEEK_KEY, _WEEK_BATCH))

    def weeks_of(self, product_id: str, since: datetime, until: datetime) -> list[ProductWeek]:
        """A product's weeks that begin in a span, oldest first."""
        week = PRODUCT_WEEKS.c.week
        query = select(*_WEEK.columns).where(PRODUCT_WEEKS.c.product_id == product_id, week >= since, week < until)
        with self._db.read() as connection:
            return [_WEEK.record(row) for row in connection.execute(query.order_by(week))]


def add_weeks(database: Database, connection: Connection, records: Sequence[ProductWeek]) -> None:
    """Add each record's `purchases` to its week; its prices, where it has them, become the week's."""
    if len(records) == 1:  # a sale as it happens: ON CONFLICT is compiled anew each time
        more = {f"more_{name}": value for name, value in _WEEK.parameters(records)[0].items()}
        if connection.execute(_ADD_ONE, more).rowcount:
            return
    statement = database.insert(PRODUCT_WEEKS)
    added = _added(dict(statement.excluded.items()))
    _write_weeks(connection, records, statement.on_conflict_do_update(index_elements=_WEEK_KEY, set_=added))


def _added(new: Mapping[str, ColumnElement[Any]]) -> dict[str, ColumnElement[Any]]:
    """What a week's facts become with new ones."""
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
    # One order for all writers, or two batches could wait for each other's rows.
    rows = _WEEK.parameters(sorted(records, key=lambda record: (record.product_id, record.week)))
    if rows:
        connection.execute(statement, rows)
