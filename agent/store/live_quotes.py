"""The price that a shopper was quoted for a product and quantity, while that quote lives: one, whichever process asks.

A decision claims its price in the transaction that stores it. Decisions take turns there, so that of two that were made
at once with different prices the second finds the first's and is made again.
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
# built once: a statement with its values in it is built and compiled anew for each quote, and holds cycles, which cost
# pauses of a tenth of a second; so is ON CONFLICT, always
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
    """Who asks for how much of what."""

    shopper_id: str
    product_id: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a decision makes of the price that its shopper was quoted before.

    Attributes:
        holds: Its price stands from now on; if not, no price of this shopper, product and quantity does.
        replaces: Id of the live quote that it saw and that may no longer stand.
    """

    holds: bool
    replaces: str | None = None


class LiveQuoteRepository(Repository):
    """Quotes that hold."""

    def live_quotes(self, keys: Collection[QuoteKey], now: datetime) -> dict[QuoteKey, Decision]:
        """The decisions whose prices stand at a moment."""
        found: dict[QuoteKey, Decision] = {}
        with self._db.read() as connection:
            for key in keys:
                row = connection.execute(_LIVE, asdict(key) | {"now": now}).first()
                if row is not None:
                    found[key] = decode_decision(EncodedDecision(row.body, row.personal))
        return found

    def purge_live_quotes(self, before: datetime) -> int:
        """Forget quotes that ended before a moment; returns how many."""
        with self._db.write() as connection:
            return connection.execute(delete(LIVE_QUOTES).where(LIVE_QUOTES.c.valid_until < before)).rowcount


def claim(connection: Connection, decisions: Sequence[Decision], claims: Sequence[Claim]) -> frozenset[str]:
    """Claim prices, in order; ids of the decisions that came too late: another price stands.

    The caller has made writers take turns.
    """
    claimed = {key: (d, own) for d, own in zip(decisions, claims, strict=True) if (key := _key_of(d)) is not None}
    if not claimed:
        return frozenset()
    standing = _standing(connection, list(claimed))
    changed: dict[QuoteKey, dict[str, Any]] = {}
    ended: list[QuoteKey] = []
    late: set[str] = set()
    for decision, own in zip(decisions, claims, strict=True):
        key = _key_of(decision)
        if key is None:
            continue
        row = standing.get(key)
        if not own.holds:
            if standing.pop(key, None) is not None:
                ended.append(key)
                changed.pop(key, None)
            continue
        if row is None or row["valid_until"] <= decision.at or row["quote_id"] == own.replaces:
            standing[key] = changed[key] = _row(decision)
        elif (row["price_minor"], row["currency"]) != (decision.price_minor, decision.currency):
            late.add(decision.id)
        elif row["valid_until"] < decision.valid_until:
            standing[key] = changed[key] = {**row, "valid_until": decision.valid_until}
    _write(connection, changed, ended)
    return frozenset(late)


def forget(connection: Connection, pairs: Collection[tuple[str, str]]) -> None:
    """End what stands for shoppers and products: they bought."""
    for shopper_id, product_id in pairs:
        mine = (LIVE_QUOTES.c.shopper_id == shopper_id) & (LIVE_QUOTES.c.product_id == product_id)
        connection.execute(delete(LIVE_QUOTES).where(mine))


def _standing(connection: Connection, keys: Sequence[QuoteKey]) -> dict[QuoteKey, dict[str, Any]]:
    rows = {key: connection.execute(_ONE, asdict(key)).first() for key in keys}
    return {key: dict(row._mapping) for key, row in rows.items() if row is not None}


def _write(connection: Connection, changed: Mapping[QuoteKey, dict[str, Any]], ended: Sequence[QuoteKey]) -> None:
    gone = [asdict(key) for key in (*ended, *changed)]
    if gone:
        connection.execute(_END, gone)
    if changed:
        connection.execute(insert(LIVE_QUOTES), list(changed.values()))


def _row(decision: Decision) -> dict[str, Any]:
    names = (*_KEY, "price_minor", "currency", "valid_until")
    return {name: getattr(decision, name) for name in names} | {"quote_id": decision.id}


def _key_of(decision: Decision) -> QuoteKey | None:
    if decision.shopper_id is None or decision.product_id is None:
        return None
    return QuoteKey(decision.shopper_id, decision.product_id, decision.quantity)
