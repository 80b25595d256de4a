"""Register of merchants, in the default merchant's store alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select, update

from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.tables import MERCHANTS


@dataclass(frozen=True, slots=True)
class MerchantRecord:
    """A merchant other than the default one."""

    merchant_id: str
    name: str
    created_at: datetime
    removed_at: datetime | None = None


_MERCHANT: Final = RecordTable(MerchantRecord, MERCHANTS)


class MerchantRepository(Repository):
    """The register of merchants."""

    def insert_merchant(self, record: MerchantRecord) -> None:
        """Add a merchant.

        Raises:
            StoreError: The id is taken.
        """
        with self._db.write() as connection:
            connection.execute(insert(MERCHANTS), _MERCHANT.parameters([record]))

    def merchant(self, merchant_id: str) -> MerchantRecord | None:
        """A merchant, even a removed one; None when unknown."""
        query = select(*_MERCHANT.columns).where(MERCHANTS.c.merchant_id == merchant_id)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _MERCHANT.record(row)

    def merchants(self) -> list[MerchantRecord]:
        """All merchants, oldest first."""
        query = select(*_MERCHANT.columns).order_by(MERCHANTS.c.created_at, MERCHANTS.c.merchant_id)
        with self._db.read() as connection:
            return [_MERCHANT.record(row) for row in connection.execute(query)]

    def mark_merchant_removed(self, merchant_id: str, at: datetime) -> None:
        """Record the removal of a merchant; a first removal is kept."""
        mine = (MERCHANTS.c.merchant_id == merchant_id) & MERCHANTS.c.removed_at.is_(None)
        with self._db.write() as connection:
            connection.execute(update(MERCHANTS).where(mine).values(removed_at=at))
