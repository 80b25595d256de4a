"""Live quotes: at most one price for a shopper, product and quantity at a time, across processes.

A decision claims its price in the transaction that stores it. These transactions take turns, so that of two concurrent
decisions with different prices the second finds the first's and is made again.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, NamedTuple

from sqlalchemy import Connection, delete

from agent.domain.decision import Decision
from agent.store.codec import EncodedDecision, decode_decision
from agent.store.column_types import micros
from agent.store.recent_map import RecentMap
from agent.store.repository import Repository
from agent.store.statements import KeyedStatement, Statement
from agent.store.tables import LIVE_QUOTES

_COLUMNS: Final = ("shopper_id", "product_id", "quantity", "quote_id", "price_minor", "currency", "valid_until")
_UNDER_KEYS: Final = KeyedStatement.of(
    f"SELECT {', '.join(f'l.{name}' for name in _COLUMNS)} FROM {{keys}} CROSS JOIN live_quotes l "  # noqa: S608 own names
    "WHERE l.shopper_id = k.shopper_id AND l.product_id = k.product_id AND l.quantity = k.quantity",
    shopper_id="text",
    product_id="text",
    quantity="bigint",
)
_STANDING: Final = KeyedStatement.of(
    "SELECT k.shopper_id, k.product_id, k.quantity, l.quote_id, l.price_minor, l.currency, l.valid_until, "
    "(SELECT d.id FROM decisions d WHERE d.shopper_id = k.shopper_id AND d.product_id = k.product_id "
    "ORDER BY d.at DESC, d.id DESC LIMIT 1), s.profile, s.personalisation "
    "FROM {keys} LEFT JOIN live_quotes l "
    "ON l.shopper_id = k.shopper_id AND l.product_id = k.product_id AND l.quantity = k.quantity "
    "LEFT JOIN shoppers s ON s.shopper_id = k.shopper_id",
    shopper_id="text",
    product_id="text",
    quantity="bigint",
)
_PUT: Final = Statement.inserting(
    LIVE_QUOTES,
    _COLUMNS,
    "ON CONFLICT (shopper_id, product_id, quantity) DO UPDATE SET quote_id = excluded.quote_id, "
    "price_minor = excluded.price_minor, currency = excluded.currency, valid_until = excluded.valid_until",
)
_END: Final = Statement.of("DELETE FROM live_quotes WHERE shopper_id = ? AND product_id = ? AND quantity = ?")
_END_ALL: Final = Statement.of("DELETE FROM live_quotes WHERE shopper_id = ? AND product_id = ?")
_DECISIONS: Final = KeyedStatement.of(
    "SELECT d.id, d.body, d.personal FROM {keys} CROSS JOIN decisions d WHERE d.id = k.id", id="text"
)
MOST_REMEMBERED: Final = 2_000
"""Decisions of live quotes kept in memory, of about 20 KiB each."""


@dataclass(frozen=True, slots=True)
class QuoteKey:
    """Key of a live quote."""

    shopper_id: str
    product_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A decision's claim to be the live quote.

    Attributes:
        holds: The decision's price becomes live; if not, the live quote ends without a successor.
        replaces: Id of the live quote that the decision knew and is allowed to replace.
    """

    holds: bool
    replaces: str | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of the store that decides whether a shopper's earlier answer still stands.

    Attributes:
        live: Id of the live quote, its price and currency; None without one.
        latest: Id of the latest decision for shopper and product, whatever the quantity.
        record: Profile and consent as stored; None without a record.
    """

    live: tuple[str, int, str] | None
    latest: str | None
    record: tuple[str, bool] | None


class LiveRow(NamedTuple):
    """A live quote as stored; times are microseconds since 1970."""

    shopper_id: str
    product_id: str
    quantity: int
    quote_id: str
    price_minor: int
    currency: str
    valid_until: int

    @property
    def key(self) -> QuoteKey:
        """Its key."""
        return QuoteKey(self.shopper_id, self.product_id, self.quantity)


class LiveQuoteRepository(Repository):
    """Live quotes of all shoppers. Which are live is read from the database; their decisions are kept in memory."""

    def live_quotes(self, keys: Collection[QuoteKey], now: datetime) -> dict[QuoteKey, Decision]:
        """Decisions whose prices are live at a moment, by key."""
        clearings = self._recent.clearings
        with self._db.read() as connection:
            ids = _ids_at(connection, keys, now)
            found = {quote_id: one for quote_id in ids.values() if (one := self._recent.get(quote_id)) is not None}
            for row in _DECISIONS.rows(connection, [(one,) for one in ids.values() if one not in found]):
                found[row[0]] = decode_decision(EncodedDecision(row[1], row[2]))
                self._recent.put(row[0], found[row[0]], clearings)
        return {key: found[quote_id] for key, quote_id in ids.items() if quote_id in found}

    def standing(self, keys: Collection[QuoteKey], now: datetime) -> dict[QuoteKey, Standing]:
        """Facts that decide at a moment whether earlier answers stand, for every key; one indexed read."""
        moment = micros(now)
        with self._db.read() as connection:
            rows = _STANDING.rows(connection, [_parts(key) for key in keys])
        return {
            QuoteKey(row[0], row[1], row[2]): Standing(
                live=(row[3], row[4], row[5]) if row[3] is not None and row[6] > moment else None,
                latest=row[7],
                record=(row[8], bool(row[9])) if row[8] is not None else None,
            )
            for row in rows
        }

    def forget_live_quotes(self) -> None:
        """Forget the decisions in memory, after personal data was erased."""
        self._recent.clear()

    def purge_live_quotes(self, before: datetime) -> int:
        """Delete quotes that ended before a moment; returns their number."""
        with self._db.write() as connection:
            return connection.execute(delete(LIVE_QUOTES).where(LIVE_QUOTES.c.valid_until < before)).rowcount

    @cached_property
    def _recent(self) -> RecentMap[str, Decision]:
        return RecentMap(MOST_REMEMBERED)


def claim(connection: Connection, decisions: Sequence[Decision], claims: Sequence[Claim]) -> frozenset[str]:
    """Claim prices in order; returns ids of decisions that came too late, as another price is live.

    The caller holds the lock that makes writers take turns.
    """
    keyed = [(key, d, own) for d, own in zip(decisions, claims, strict=True) if (key := _key_of(d)) is not None]
    before = {row[:3]: row for row in _UNDER_KEYS.rows(connection, list({key: None for key, _, _ in keyed}))}
    live, late = {key: LiveRow(*row) for key, row in before.items()}, set()
    for key, decision, own in keyed:
        row, until = live.get(key), micros(decision.valid_until)
        if not own.holds:
            live.pop(key, None)
        elif row is None or row.valid_until <= micros(decision.at) or row.quote_id == own.replaces:
            live[key] = LiveRow(*key, decision.id, decision.price_minor, decision.currency, until)
        elif (row.price_minor, row.currency) != (decision.price_minor, decision.currency):
            late.add(decision.id)
        elif row.valid_until < until:
            live[key] = row._replace(valid_until=until)
    _END.run_each(connection, [key for key in before if key not in live])
    _PUT.run_each(connection, [row for key, row in live.items() if row != before.get(key)])
    return frozenset(late)


def end_live_quotes(connection: Connection, pairs: Collection[tuple[str, str]]) -> None:
    """End the live quotes of shoppers for products that they bought."""
    _END_ALL.run_each(connection, list(pairs))


def _rows(connection: Connection, keys: Collection[QuoteKey]) -> list[LiveRow]:
    return [LiveRow(*row) for row in _UNDER_KEYS.rows(connection, [_parts(key) for key in keys])]


def _ids_at(connection: Connection, keys: Collection[QuoteKey], now: datetime) -> dict[QuoteKey, str]:
    moment = micros(now)
    return {row.key: row.quote_id for row in _rows(connection, keys) if row.valid_until > moment}


def _key_of(decision: Decision) -> tuple[str, str, int] | None:
    """The parts of its key."""
    if decision.shopper_id is None or decision.product_id is None:
        return None
    return decision.shopper_id, decision.product_id, decision.quantity


def _parts(key: QuoteKey) -> tuple[str, str, int]:
    return key.shopper_id, key.product_id, key.quantity
