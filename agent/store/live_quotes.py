"""Live quotes: at most one price for a shopper, product and quantity at a time, across processes.

A decision claims its price in the transaction that stores it. These transactions take turns, so that of two concurrent
decisions with different prices the second finds the first's and is made again.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, insert, select

from agent.domain.decision import Decision
from agent.store.codec import EncodedDecision, decode_decision
from agent.store.repository import Repository
from agent.store.tables import DECISIONS, LIVE_QUOTES

_KEY: Final = ("shopper_id", "product_id", "quantity")
# Built once: a statement with literal values, or with ON CONFLICT, is built and compiled for each quote, and its cycles
# cause garbage collection pauses of a tenth of a second.
_UNDER_KEY: Final = tuple(LIVE_QUOTES.c[name] == bindparam(name) for name in _KEY)
_ONE: Final = select(LIVE_QUOTES).where(*_UNDER_KEY)
_END: Final = delete(LIVE_QUOTES).where(*_UNDER_KEY)
_LIVE: Final = (
    select(DECISIONS.c.body, DECISIONS.c.personal)
    .join_from(LIVE_QUOTES, DECISIONS, DECISIONS.c.id == LIVE_QUOTES.c.quote_id)
    .where(*_UNDER_KEY, LIVE_QUOTES.c.valid_until > bindparam("now"))
)


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


class LiveQuoteRepository(Repository):
    """Live quotes of all shoppers."""

    def live_quotes(self, keys: Collection[QuoteKey], now: datetime) -> dict[QuoteKey, Decision]:
        """Decisions whose prices are live at a moment, by key."""
        found: dict[QuoteKey, Decision] = {}
        with self._db.read() as connection:
            for key in keys:
                row = connection.execute(_LIVE, asdict(key) | {"now": now}).first()
                if row is not None:
                    found[key] = decode_decision(EncodedDecision(row.body, row.personal))
        return found

    def purge_live_quotes(self, before: datetime) -> int:
        """Delete quotes that ended before a moment; returns their number."""
        with self._db.write() as connection:
            return connection.execute(delete(LIVE_QUOTES).where(LIVE_QUOTES.c.valid_until < before)).rowcount


def claim(connection: Connection, decisions: Sequence[Decision], claims: Sequence[Claim]) -> frozenset[str]:
    """Claim prices in order; returns ids of decisions that came too late, as another price is live.

    The caller holds the lock that makes writers take turns.
    """
    claimed = {key: (d, own) for d, own in zip(decisions, claims, strict=True) if (key := _key_of(d)) is not None}
    if not claimed:
        return frozenset()
    live = _live(connection, list(claimed))
    changed: dict[QuoteKey, dict[str, Any]] = {}
    ended: list[QuoteKey] = []
    late: set[str] = set()
    for decision, own in zip(decisions, claims, strict=True):
        key = _key_of(decision)
        if key is None:
            continue
        row = live.get(key)
        if not own.holds:
            if live.pop(key, None) is not None:
                ended.append(key)
                changed.pop(key, None)
            continue
        if row is None or row["valid_until"] <= decision.at or row["quote_id"] == own.replaces:
            live[key] = changed[key] = _row(decision)
        elif (row["price_minor"], row["currency"]) != (decision.price_minor, decision.currency):
            late.add(decision.id)
        elif row["valid_until"] < decision.valid_until:
            live[key] = changed[key] = {**row, "valid_until": decision.valid_until}
    _write(connection, changed, ended)
    return frozenset(late)


def end_live_quotes(connection: Connection, pairs: Collection[tuple[str, str]]) -> None:
    """End the live quotes of shoppers for products that they bought."""
    for shopper_id, product_id in pairs:
        mine = (LIVE_QUOTES.c.shopper_id == shopper_id) & (LIVE_QUOTES.c.product_id == product_id)
        connection.execute(delete(LIVE_QUOTES).where(mine))


def _live(connection: Connection, keys: Sequence[QuoteKey]) -> dict[QuoteKey, dict[str, Any]]:
    rows = {key: connection.execute(_ONE, asdict(key)).first() for key in keys}
    return {key: dict(row._mapping) for key, row in rows.items() if row is not None}


def _write(connection: Connection, changed: Mapping[QuoteKey, dict[str, Any]], ended: Sequence[QuoteKey]) -> None:
    deleted = [asdict(key) for key in (*ended, *changed)]
    if deleted:
        connection.execute(_END, deleted)
    if changed:
        connection.execute(insert(LIVE_QUOTES), list(changed.values()))


def _row(decision: Decision) -> dict[str, Any]:
    names = (*_KEY, "price_minor", "currency", "valid_until")
    return {name: getattr(decision, name) for name in names} | {"quote_id": decision.id}


def _key_of(decision: Decision) -> QuoteKey | None:
    if decision.shopper_id is None or decision.product_id is None:
        return None
    return QuoteKey(decision.shopper_id, decision.product_id, decision.quantity)
