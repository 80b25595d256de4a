"""Applied-price log: prices open to everybody, by day. Append only, which the database enforces.

A product may have several prices on a day: the reference price before and after a change, and prices made without
personal data.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, bindparam, select

from agent.domain.records import AppliedPrice
from agent.store.repository import Repository
from agent.store.rows import IN_LIMIT, RecordTable, chunks
from agent.store.tables import APPLIED_PRICES

_APPLIED: Final = RecordTable(AppliedPrice, APPLIED_PRICES)
_KEY: Final = ("product_id", "currency", "day", "price_minor")
_LOGGED: Final = select(APPLIED_PRICES.c.day).where(*(APPLIED_PRICES.c[name] == bindparam(name) for name in _KEY))
_DAY_S: Final = 86_400


class AppliedPriceRepository(Repository):
    """Prices open to everybody."""

    def applied_prices(self, product_ids: Iterable[str], since: datetime) -> Mapping[str, Sequence[AppliedPrice]]:
        """Log of some products since a moment, by product, oldest first."""
        found: dict[str, list[AppliedPrice]] = defaultdict(list)
        table = APPLIED_PRICES.c
        with self._db.read() as connection:
            for chunk in chunks(product_ids, IN_LIMIT):
                query = select(*_APPLIED.columns).where(table.product_id.in_(chunk), table.at >= since)
                for row in connection.execute(query.order_by(table.at, table.price_minor)):
                    found[row.product_id].append(_APPLIED.record(row))
        return found

    def _log_prices(self, connection: Connection, applied: Iterable[AppliedPrice]) -> None:
        """Log prices within the caller's transaction: one row a product, currency, day and price."""
        rows = {_key(one): one for one in applied}
        if rows:
            # One order for all writers, or two batches could deadlock.
            statement = self._db.insert(APPLIED_PRICES).on_conflict_do_nothing()
            connection.execute(statement, _APPLIED.parameters(rows[key] for key in sorted(rows)))

    def _log_new_prices(self, connection: Connection, applied: Iterable[AppliedPrice]) -> None:
        """Log prices that are mostly logged already: look-ups are faster then than ON CONFLICT, compiled each time."""
        rows = {_key(one): one for one in applied}
        logged = {k for k in rows if connection.execute(_LOGGED, dict(zip(_KEY, k, strict=True))).first() is not None}
        self._log_prices(connection, (one for key, one in rows.items() if key not in logged))


def _key(one: AppliedPrice) -> tuple[str, str, int, int]:
    return one.product_id, one.currency, one.day, one.price_minor


def applied_price(product_id: str, currency: str, price_minor: int, at: datetime) -> AppliedPrice:
    """A row of the log; `at` gives the UTC day."""
    return AppliedPrice(product_id, currency, int(at.astimezone(UTC).timestamp() // _DAY_S), price_minor, at)
