"""Products of the catalogue, and their list prices by time.

Each write gives its products the next revision, in the order in which writes become visible, so that a reader can
follow from the last revision it knows.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import BindParameter, Connection, bindparam, func, select

from agent.domain.records import AppliedPrice, ListPrice, ProductRecord
from agent.store.applied_prices import AppliedPriceRepository
from agent.store.rows import IN_LIMIT, RecordTable, chunks
from agent.store.tables import LIST_PRICES, PRODUCTS

_PRODUCT: Final = RecordTable(ProductRecord, PRODUCTS)
_LISTED: Final = RecordTable(ListPrice, LIST_PRICES)
_LIST_KEY: Final = (LIST_PRICES.c.product_id, LIST_PRICES.c.at)
_LIST_BATCH: Final = 20_000
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
            revision = (connection.execute(_LAST_REVISION).scalar() or 0) + 1
            connection.execute(statement, [row | {"revision": revision} for row in _PRODUCT.parameters(ordered)])

    def products(self, product_ids: Sequence[str]) -> dict[str, ProductRecord]:
        """The known products among `product_ids`, by id."""
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

    def products_since(self, revision: int, batch: int = 2_000) -> Iterator[ProductRecord]:
        """Products whose last write has a revision above the given one, in order of their revisions."""
        keys = [PRODUCTS.c.revision, PRODUCTS.c.product_id]
        query = select(PRODUCTS.c.revision, *_PRODUCT.columns).where(PRODUCTS.c.revision > revision)
        return (_PRODUCT.record(row, start=1) for row in self._paged(query, keys, batch))

    def product_count(self, since_revision: int = -1) -> int:
        """Number of products, or of those whose last write has a revision above the given one."""
        query = select(func.count()).select_from(PRODUCTS).where(PRODUCTS.c.revision > since_revision)
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


def _new_prices(connection: Connection, records: Sequence[ProductRecord]) -> list[ProductRecord]:
    """Records whose list price or currency differs from the stored product's."""
    stored = {
        row.product_id: (row.currency, row.list_minor)
        for ids in chunks([record.product_id for record in records], IN_LIMIT)
        for row in connection.execute(_PRICES, {"ids": ids})
    }
    return [one for one in records if stored.get(one.product_id) != (one.currency, one.list_minor)]
