"""Who the merchants are; kept in the default merchant's store alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select, update

from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.tables import MERCHANTS


@dataclass(frozen=True, slots=True)
class MerchantRecord:
    """One merchant beside the default one."""

    merchant_id: str
    name: str
    created_at: datetime
    removed_at: datetime | None = None


_MERCHANT: Final = RecordTable(MerchantRecord, MERCHANTS)


class MerchantRepository(Repository):
    """The merchants' register."""

    def insert_merchant(self, record: MerchantRecord) -> None:
        """Add a merchant.

        Raises:
            StoreError: The id is taken.
        """
        with self._db.write() as connection:
            connection.execute(insert(MERCHANTS), _MERCHANT.parameters([record]))

    def merchant(self, merchant_id: str) -> MerchantRecord | None:
        """One merchant, removed ones too, or None when unknown."""
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
        """Note that a merchant was removed; the first time stands."""
        mine = (MERCHANTS.c.merchant_id == merchant_id) & MERCHANTS.c.removed_at.is_(None)
        with self._db.write() as connection:
            connection.execute(update(MERCHANTS).where(mine).values(removed_at=at))
