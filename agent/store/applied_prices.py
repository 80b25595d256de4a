"""Applied-price log: changes of the prices open to everybody, in order. Append only, which the database enforces.

Shelf prices come from the catalogue, offers from quotes made without personal data. A row is added where the price
differs from the one before it. Quotes may alternate between offers, so these are limited by day (`MOST_OFFERS`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, select

from agent.domain.records import MOST_OFFERS, AppliedPrice
from agent.store.repository import Repository
from agent.store.rows import IN_LIMIT, RecordTable, chunks
from agent.store.tables import APPLIED_PRICES

_APPLIED: Final = RecordTable(AppliedPrice, APPLIED_PRICES)
_LOG: Final = APPLIED_PRICES.c
_INSERT: Final = insert(APPLIED_PRICES)
_OF_PRODUCT: Final = (_LOG.product_id == bindparam("product_id")) & (_LOG.currency == bindparam("currency"))
_LATEST: Final = select(_LOG.price_minor).where(_OF_PRODUCT).order_by(_LOG.seq.desc()).limit(1)
_LATEST_SHELF: Final = _LATEST.where(~_LOG.offer)
_OF_DAY: Final = select(func.count(), func.min(_LOG.price_minor)).where(
    _OF_PRODUCT, _LOG.offer, _LOG.at >= bindparam("since")
)


class AppliedPriceRepository(Repository):
    """Prices open to everybody."""

    def applied_prices(self, product_ids: Iterable[str], since: datetime) -> Mapping[str, Sequence[AppliedPrice]]:
        """Log of some products since a moment with the shelf price in force then, by product, oldest first."""
        found: dict[str, list[AppliedPrice]] = defaultdict(list)
        with self._db.read() as connection:
            for chunk in chunks(product_ids, IN_LIMIT):
                asked = _LOG.product_id.in_(chunk)
                opening = select(func.max(_LOG.seq)).where(asked, ~_LOG.offer, _LOG.at < since)
                in_force = _LOG.seq.in_(opening.group_by(_LOG.product_id, _LOG.currency))
                query = select(*_APPLIED.columns).where(asked, (_LOG.at >= since) | in_force).order_by(_LOG.seq)
                for row in connection.execute(query):
                    found[row.product_id].append(_APPLIED.record(row))
        return found

    def _log_shelf(self, connection: Connection, applied: Iterable[AppliedPrice]) -> None:
        """Log changes of shelf prices within the caller's transaction, in the order given."""
        for one in applied:
            if connection.execute(_LATEST_SHELF, _asked(one)).scalar() != one.price_minor:
                connection.execute(_INSERT, _APPLIED.parameters([one]))

    def _log_quoted(self, connection: Connection, applied: Iterable[AppliedPrice]) -> None:
        """Log prices of quotes within the caller's transaction; shelf prices only where none is logged yet.

        A process that has not heard of a new list price yet does not bring the old one back.
        """
        for one in applied:
            new = _is_new_offer if one.offer else _has_no_shelf_price
            if new(connection, one):
                connection.execute(_INSERT, _APPLIED.parameters([one]))


def _asked(one: AppliedPrice) -> dict[str, Any]:
    return {"product_id": one.product_id, "currency": one.currency}


def _has_no_shelf_price(connection: Connection, one: AppliedPrice) -> bool:
    return connection.execute(_LATEST_SHELF, _asked(one)).first() is None


def _is_new_offer(connection: Connection, one: AppliedPrice) -> bool:
    asked = _asked(one)
    if connection.execute(_LATEST, asked).scalar() == one.price_minor:
        return False
    day = one.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    rows, lowest = connection.execute(_OF_DAY, {**asked, "since": day}).one()
    return int(rows) < MOST_OFFERS or one.price_minor < int(lowest)
