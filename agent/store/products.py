"""Products of the catalogue."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import func, select

from agent.domain.records import AppliedPrice, ProductRecord
from agent.store.applied_prices import AppliedPriceRepository
from agent.store.rows import IN_LIMIT, RecordTable, chunks
from agent.store.tables import PRODUCTS

_PRODUCT: Final = RecordTable(ProductRecord, PRODUCTS)


class ProductRepository(AppliedPriceRepository):
    """The products of the catalogue."""

    def upsert_products(self, records: Sequence[ProductRecord], applied: Mapping[str, datetime] | None = None) -> None:
        """Insert or replace, all or none; of two records with one id the later is kept.

        `applied` gives the time from which the list prices apply, by product; changes of them are logged.
        """
        statement = self._db.insert(PRODUCTS)
        statement = statement.on_conflict_do_update(
            index_elements=[PRODUCTS.c.product_id],
            set_={column.name: statement.excluded[column.name] for column in PRODUCTS.c if not column.primary_key},
        )
        # One order for all writers, or two batches could deadlock.
        rows = _PRODUCT.parameters(sorted(records, key=lambda record: record.product_id))
        if rows:
            with self._db.write() as connection:
                connection.execute(statement, rows)
                self._log_shelf(connection, _list_prices(records, applied or {}))

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

    def product_count(self) -> int:
        """Number of products."""
        with self._db.read() as connection:
            return connection.execute(select(func.count()).select_from(PRODUCTS)).scalar_one()


def _list_prices(records: Sequence[ProductRecord], applied: Mapping[str, datetime]) -> Iterator[AppliedPrice]:
    for record in records:
        if record.product_id in applied and record.list_minor is not None:
            yield AppliedPrice(record.product_id, record.currency, record.list_minor, applied[record.product_id])
