"""Applied-price log: changes of the prices open to everybody, in order. Append only, which the database enforces.

Shelf prices come from the catalogue, offers from quotes made without personal data. A row is added where the price
differs from the one before it. Quotes may alternate between offers, so these are limited by day (`MOST_OFFERS`).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from operator import itemgetter
from typing import Final

from sqlalchemy import Connection

from agent.domain.records import MOST_OFFERS, AppliedPrice
from agent.store.column_types import from_micros, micros
from agent.store.repository import Repository
from agent.store.statements import KeyedStatement, Statement
from agent.store.tables import APPLIED_PRICES

_INSERT: Final = Statement.inserting(APPLIED_PRICES, ("product_id", "currency", "price_minor", "at", "offer"))
_LATEST_SHELF: Final = Statement.of(
    "SELECT price_minor FROM applied_prices WHERE product_id = ? AND currency = ? AND NOT offer "
    "ORDER BY seq DESC LIMIT 1"
)
_READ: Final = "a.product_id, a.currency, a.price_minor, a.at, a.offer, a.seq"
_SINCE: Final = KeyedStatement.of(
    f"SELECT {_READ} FROM {{keys}} CROSS JOIN applied_prices a "  # noqa: S608 own text
    "WHERE a.product_id = k.product_id AND a.at >= ?",
    product_id="text",
)
_IN_FORCE: Final = KeyedStatement.of(
    f"SELECT {_READ} FROM (SELECT max(b.seq) AS seq FROM {{keys}} CROSS JOIN applied_prices b "  # noqa: S608 own text
    "WHERE b.product_id = k.product_id AND NOT b.offer AND b.at < ? GROUP BY b.product_id, b.currency) AS o "
    "CROSS JOIN applied_prices a WHERE a.seq = o.seq",
    product_id="text",
)
_WITH_SHELF_PRICE: Final = KeyedStatement.of(
    "SELECT k.product_id, k.currency FROM {keys} WHERE EXISTS (SELECT 1 FROM applied_prices a "
    "WHERE a.product_id = k.product_id AND a.currency = k.currency AND NOT a.offer)",
    product_id="text",
    currency="text",
)
# SQLite has one writer at a time and PostgreSQL's writers hold the lock "audit": what is read stays true until the end
_OFFERED: Final = KeyedStatement.of(
    "SELECT k.product_id, k.currency, (SELECT a.price_minor FROM applied_prices a "
    "WHERE a.product_id = k.product_id AND a.currency = k.currency ORDER BY a.seq DESC LIMIT 1) FROM {keys}",
    product_id="text",
    currency="text",
)
_OF_DAY: Final = KeyedStatement.of(
    "SELECT k.product_id, k.currency, k.day, count(*), min(a.price_minor) FROM {keys} CROSS JOIN applied_prices a "
    "WHERE a.product_id = k.product_id AND a.currency = k.currency AND a.offer AND a.at >= k.day "
    "GROUP BY k.product_id, k.currency, k.day",
    product_id="text",
    currency="text",
    day="bigint",
)
_MOST_KNOWN: Final = 1_000_000
_DAY: Final = 86_400_000_000  # microseconds

_Priced = tuple[str, str]
"""A product and a currency."""


class AppliedPriceRepository(Repository):
    """Prices open to everybody."""

    def applied_prices(self, product_ids: Iterable[str], since: datetime) -> Mapping[str, Sequence[AppliedPrice]]:
        """Log of some products since a moment with the shelf price in force then, by product, oldest first."""
        found: dict[str, list[AppliedPrice]] = defaultdict(list)
        moment = micros(since)
        asked = [(one,) for one in dict.fromkeys(product_ids)]
        with self._db.read() as connection:
            rows = [*_IN_FORCE.rows(connection, asked, moment), *_SINCE.rows(connection, asked, moment)]
        for product_id, currency, price_minor, at, offer, _ in sorted(rows, key=itemgetter(5)):
            found[product_id].append(AppliedPrice(product_id, currency, price_minor, from_micros(at), bool(offer)))
        return found

    def _log_shelf(self, connection: Connection, applied: Iterable[AppliedPrice]) -> None:
        """Log changes of shelf prices within the caller's transaction, in the order given."""
        for one in applied:
            latest = _LATEST_SHELF.first(connection, *_priced(one))
            if latest is None or latest[0] != one.price_minor:
                _INSERT.run(connection, *_row(one))

    def _log_quoted(self, connection: Connection, applied: Iterable[AppliedPrice]) -> None:
        """Log prices of quotes within the caller's transaction; shelf prices only where none is logged yet.

        A process that has not heard of a new list price yet does not bring the old one back.
        """
        prices = list(applied)
        log = _Log(connection, prices, self._missing_shelf_prices(connection, prices))
        _INSERT.run_each(connection, [_row(one) for one in prices if log.takes(one)])

    def _missing_shelf_prices(self, connection: Connection, applied: Iterable[AppliedPrice]) -> set[_Priced]:
        """Products and currencies without any shelf price among those of which one is given."""
        asked = {_priced(one) for one in applied if not one.offer} - self._with_shelf_price
        if not asked:
            return asked
        found = {(row[0], row[1]) for row in _WITH_SHELF_PRICE.rows(connection, sorted(asked))}
        if len(self._with_shelf_price) < _MOST_KNOWN:
            self._with_shelf_price.update(found)
        return asked - found

    @cached_property
    def _with_shelf_price(self) -> set[_Priced]:
        """Products and currencies that are known to have one: the log is append only, so that they always will."""
        return set()


class _Log:
    """The state of the log as prices of one batch enter it, one after the other."""

    def __init__(self, connection: Connection, applied: Sequence[AppliedPrice], without_shelf: set[_Priced]) -> None:
        offered = sorted({(*_priced(one), _day(one)) for one in applied if one.offer})
        pairs = sorted({(product, currency) for product, currency, _ in offered})
        self._without_shelf = without_shelf
        self._latest = {(row[0], row[1]): row[2] for row in _OFFERED.rows(connection, pairs)}
        self._of_day = {tuple(row[:3]): (int(row[3]), int(row[4])) for row in _OF_DAY.rows(connection, offered)}

    def takes(self, one: AppliedPrice) -> bool:
        """Whether a price is new; if so, the log is as with it from here on."""
        pair = _priced(one)
        if not one.offer:
            if pair not in self._without_shelf:
                return False
            self._without_shelf.discard(pair)
        elif self._latest.get(pair) == one.price_minor:
            return False
        else:
            rows, lowest = self._of_day.get((*pair, _day(one)), (0, one.price_minor))
            if rows >= MOST_OFFERS and one.price_minor >= lowest:
                return False
            self._of_day[(*pair, _day(one))] = (rows + 1, min(lowest, one.price_minor))
        self._latest[pair] = one.price_minor
        return True


def _priced(one: AppliedPrice) -> _Priced:
    return one.product_id, one.currency


def _day(one: AppliedPrice) -> int:
    """The beginning of its day, UTC."""
    at = micros(one.at)
    return at - at % _DAY


def _row(one: AppliedPrice) -> tuple[object, ...]:
    return one.product_id, one.currency, one.price_minor, micros(one.at), one.offer
