"""Shoppers: profile and consent."""

import json
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select

from agent.domain.records import ShopperRecord
from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.statements import KeyedStatement
from agent.store.tables import SHOPPERS

_SHOPPER: Final = RecordTable(ShopperRecord, SHOPPERS)
_AMONG: Final = KeyedStatement.of(
    "SELECT s.shopper_id, s.profile, s.personalisation FROM {keys} CROSS JOIN shoppers s "
    "WHERE s.shopper_id = k.shopper_id",
    shopper_id="text",
)


class ShopperRepository(Repository):
    """Profiles and consent of shoppers."""

    def upsert_shoppers(self, records: Sequence[ShopperRecord]) -> None:
        """Insert or replace, all or none; of two records with one id the later is kept."""
        statement = self._db.insert(SHOPPERS)
        replaced = {name: statement.excluded[name] for name in ("profile", "personalisation")}
        statement = statement.on_conflict_do_update(index_elements=[SHOPPERS.c.shopper_id], set_=replaced)
        # One order for all writers, or two batches could deadlock.
        rows = _SHOPPER.parameters(sorted(records, key=lambda record: record.shopper_id))
        if rows:
            with self._db.write() as connection:
                connection.execute(statement, rows)

    def upsert_profiles(self, records: Sequence[ShopperRecord]) -> None:
        """Insert, or replace the profile but not the consent, on which an imported file says nothing."""
        statement = self._db.insert(SHOPPERS)
        statement = statement.on_conflict_do_update(
            index_elements=[SHOPPERS.c.shopper_id], set_={"profile": statement.excluded.profile}
        )
        rows = _SHOPPER.parameters(sorted(records, key=lambda record: record.shopper_id))
        if rows:
            with self._db.write() as connection:
                connection.execute(statement, rows)

    def shopper(self, shopper_id: str) -> ShopperRecord | None:
        """A shopper; None when unknown."""
        query = select(*_SHOPPER.columns).where(SHOPPERS.c.shopper_id == shopper_id)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else _SHOPPER.record(row)

    def shoppers(self, shopper_ids: Sequence[str]) -> dict[str, ShopperRecord]:
        """The known shoppers among `shopper_ids`, by id."""
        keys = [(shopper_id,) for shopper_id in shopper_ids]
        if not keys:
            return {}
        with self._db.read() as connection:
            return {
                shopper_id: ShopperRecord(shopper_id, json.loads(profile), bool(personalisation))
                for shopper_id, profile, personalisation in _AMONG.rows(connection, keys)
            }
