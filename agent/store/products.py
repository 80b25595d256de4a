"""Products of the catalogue, and their list prices by time.

Each write gives its products the next revision, in the order in which writes become visible, so that a reader can
follow from the last revision it knows. A removed product stays as a row, marked: what happened with it before still
needs its words. No read gives it but those that say so.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BindParameter, Connection, Select, bindparam, func, select, update

from agent.domain.records import AppliedPrice, ListPrice, ProductRecord
from agent.store.applied_prices import AppliedPriceRepository
from agent.store.rows import IN_LIMIT, RecordTable, chunks
from agent.store.tables import LIST_PRICES, PRODUCTS

_PRODUCT: Final = RecordTable(ProductRecord, PRODUCTS)
_LISTED: Final = RecordTable(ListPrice, LIST_PRICES)
_LIST_KEY: Final = (LIST_PRICES.c.product_id, LIST_PRICES.c.at)
_LIST_BATCH: Final = 20_000
_REVISION_BATCH: Final = 2_000
_SOLD: Final = select(*_PRODUCT.columns).where(~PRODUCTS.c.removed)
_REMOVED: Final = select(*_PRODUCT.columns).where(PRODUCTS.c.removed)
_AMONG: Final[BindParameter[Sequence[str]]] = bindparam("ids", expanding=True)
_PRICES: Final = select(PRODUCTS.c.product_id, PRODUCTS.c.currency, PRODUCTS.c.list_minor).where(
    PRODUCTS.c.product_id.in_(_AMONG)
)
_LIST_PRICES: Final = select(*_LISTED.columns).where(LIST_PRICES.c.product_id.in_(_AMONG)).order_by(*_LIST_KEY)
_LAST_REVISION: Final = select(func.max(PRODUCTS.c.revision))


class ProductRepository(AppliedPriceRepository):
    """The products of the catalogue."""

    def upsert_products(self, records: Sequence[ProductRecord], at: datetime | None = None) -> None:
        """Insert or replace, all or none; of two records with one id the later is kept.

        `at` logs list prices that are new as applied from then on; None logs none, for prices of unknown age.
        """
        latest = {record.product_id: record for record in records}
        if not latest:
            return
        ordered = [latest[product_id] for product_id in sorted(latest)]
        statement = self._db.insert(PRODUCTS)
        statement = statement.on_conflict_do_update(
            index_elements=[PRODUCTS.c.product_id],
            set_={column.name: statement.excluded[column.name] for column in PRODUCTS.c if not column.primary_key},
        )
        with self._db.write() as connection:
            self._db.serialise(connection, "products")  # otherwise revisions could become visible out of order
            if at is not None:
                self._log_list_prices(connection, _new_prices(connection, ordered), at)
            kept = {"revision": _next_revision(connection), "removed": False}
            connection.execute(statement, [row | kept for row in _PRODUCT.parameters(ordered)])

    def remove_product(self, product_id: str) -> bool | None:
        """Mark a product as removed until it is put again; False when it was before, None when it never was known."""
        known = select(PRODUCTS.c.removed).where(PRODUCTS.c.product_id == product_id)
        with self._db.write() as connection:
            self._db.serialise(connection, "products")
            removed = connection.execute(known).scalar_one_or_none()
            if removed is None or removed:
                return None if removed is None else False
            marked = {"removed": True, "revision": _next_revision(connection)}
            connection.execute(update(PRODUCTS).where(PRODUCTS.c.product_id == product_id).values(**marked))
        return True

    def products(self, product_ids: Sequence[str]) -> dict[str, ProductRecord]:
        """The known products among `product_ids`, by id."""
        found: dict[str, ProductRecord] = {}
        with self._db.read() as connection:
            for chunk in chunks(product_ids, IN_LIMIT):
                rows = connection.execute(_SOLD.where(PRODUCTS.c.product_id.in_(chunk)))
                found.update((row.product_id, _PRODUCT.record(row)) for row in rows)
        return found

    def iter_products(self, batch: int = 2_000) -> Iterator[ProductRecord]:
        """All products by id."""
        return map(_PRODUCT.record, self._paged(_SOLD, [PRODUCTS.c.product_id], batch))

    def removed_products(self) -> Iterator[ProductRecord]:
        """All removed products by id, as they were."""
        return map(_PRODUCT.record, self._paged(_REMOVED, [PRODUCTS.c.product_id], _REVISION_BATCH))

    def products_since(self, revision: int) -> Iterator[ProductRecord]:
        """Products whose last write has a revision above the given one, in order of their revisions."""
        return self._since(_SOLD, revision)

    def removed_since(self, revision: int) -> Iterator[ProductRecord]:
        """Products whose removal has a revision above the given one, as they were, in order of their revisions."""
        return self._since(_REMOVED, revision)

    def _since(self, query: Select[Any], revision: int) -> Iterator[ProductRecord]:
        query = query.add_columns(PRODUCTS.c.revision).where(PRODUCTS.c.revision > revision)
        keys = [PRODUCTS.c.revision, PRODUCTS.c.product_id]
        return (_PRODUCT.record(row[:-1]) for row in self._paged(query, keys, _REVISION_BATCH))

    def product_count(self, since_revision: int = -1) -> int:
        """Number of products, or of those whose last write has a revision above the given one."""
        query = select(func.count()).select_from(PRODUCTS).where(PRODUCTS.c.revision > since_revision)
        query = query.where(~PRODUCTS.c.removed)
        with self._db.read() as connection:
            return connection.execute(query).scalar_one()

    def list_prices(self, product_ids: Iterable[str]) -> Mapping[str, Sequence[ListPrice]]:
        """Logged list prices of some products, by product, oldest first."""
        found: dict[str, list[ListPrice]] = defaultdict(list)
        with self._db.read() as connection:
            for ids in chunks(product_ids, IN_LIMIT):
                for row in connection.execute(_LIST_PRICES, {"ids": ids}):
                    found[row.product_id].append(_LISTED.record(row))
        return found

    def iter_list_prices(self) -> Iterator[ListPrice]:
        """All logged list prices by product, then time."""
        return map(_LISTED.record, self._paged(select(*_LISTED.columns), _LIST_KEY, _LIST_BATCH))

    def _log_list_prices(self, connection: Connection, records: Sequence[ProductRecord], at: datetime) -> None:
        if not records:
            return
        statement = self._db.insert(LIST_PRICES)
        replaced = {name: statement.excluded[name] for name in ("currency", "list_minor")}
        listed = [ListPrice(one.product_id, at, one.currency, one.list_minor) for one in records]
        connection.execute(
            statement.on_conflict_do_update(index_elements=_LIST_KEY, set_=replaced), _LISTED.parameters(listed)
        )
        priced = ((one, one.list_minor) for one in records)
        applied = (AppliedPrice(one.product_id, one.currency, price, at) for one, price in priced if price is not None)
        self._log_shelf(connection, applied)


def _next_revision(connection: Connection) -> int:
    return (connection.execute(_LAST_REVISION).scalar() or 0) + 1


def _new_prices(connection: Connection, records: Sequence[ProductRecord]) -> list[ProductRecord]:
    """Records whose list price or currency differs from the stored product's."""
    stored = {
        row.product_id: (row.currency, row.list_minor)
        for ids in chunks([record.product_id for record in records], IN_LIMIT)
        for row in connection.execute(_PRICES, {"ids": ids})
    }
    return [one for one in records if stored.get(one.product_id) != (one.currency, one.list_minor)]
