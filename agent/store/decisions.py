"""Decisions: append only, durable before a quote is answered."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select

from agent.domain.decision import Decision
from agent.domain.records import AppliedPrice, Shown
from agent.store.applied_prices import AppliedPriceRepository
from agent.store.audit import AuditLog
from agent.store.audit_entries import decision_entry
from agent.store.codec import (
    EncodedDecision,
    Offer,
    Request,
    decode_decision,
    decode_offer,
    decode_request,
    encode_decision,
)
from agent.store.column_types import micros
from agent.store.live_quotes import Claim, LiveQuoteRepository, claim
from agent.store.rows import IN_LIMIT, chunks
from agent.store.statements import KeyedStatement, Statement
from agent.store.tables import DECISIONS
from agent.store.webhook_messages import of_decision
from agent.store.webhooks import enqueue_messages

ShopperProduct = tuple[str | None, str]
"""A shopper (None when unknown) and a product."""

PricedPair = tuple[str | None, str, str]
"""A shopper (None when unknown), a product and a currency."""

_OFFERS: Final = select(DECISIONS.c.id, DECISIONS.c.body, DECISIONS.c.personal).where(
    DECISIONS.c.id.in_(bindparam("ids", expanding=True))
)
_STORED: Final = KeyedStatement.of("SELECT d.id FROM {keys} CROSS JOIN decisions d WHERE d.id = k.id", id="text")
_ALL_TIME: Final = 2**62
_PAIR: Final = {"shopper_id": "text", "product_id": "text"}
_OF_PAIR: Final = "d.shopper_id = k.shopper_id AND d.product_id = k.product_id AND d.at < ?"
_PRICE: Final = "CAST(d.price_minor AS DOUBLE PRECISION)"
_SHOWN: Final = KeyedStatement.of(
    f"SELECT k.shopper_id, k.product_id, d.currency, count(*), avg({_PRICE}), avg({_PRICE} * {_PRICE}) "  # noqa: S608 own text
    f"FROM {{keys}} CROSS JOIN decisions d WHERE {_OF_PAIR} AND d.at >= ? "
    "GROUP BY k.shopper_id, k.product_id, d.currency",
    **_PAIR,
)
_LATEST: Final = "ORDER BY d.at DESC, d.id DESC LIMIT 1"
_LATEST_OF_SHOPPER: Final = KeyedStatement.of(
    "SELECT l.shopper_id, l.product_id, l.currency, l.price_minor FROM {keys} CROSS JOIN decisions l "  # noqa: S608 own text
    f"WHERE l.id = (SELECT d.id FROM decisions d WHERE {_OF_PAIR} {_LATEST})",
    **_PAIR,
)
_LATEST_OF_UNKNOWN: Final = KeyedStatement.of(
    "SELECT l.shopper_id, l.product_id, l.currency, l.price_minor FROM {keys} CROSS JOIN decisions l "  # noqa: S608 own text
    f"WHERE l.id = (SELECT d.id FROM decisions d WHERE d.shopper_id IS NULL AND d.product_id = k.product_id "
    f"AND d.at < ? {_LATEST})",
    product_id="text",
)
_COLUMNS: Final = tuple(column.name for column in DECISIONS.columns)
_INSERT: Final = Statement.inserting(DECISIONS, _COLUMNS)


class DecisionRepository(AuditLog, AppliedPriceRepository, LiveQuoteRepository):
    """Decisions: all prices quoted, with everything that led to them."""

    def record_decisions(
        self,
        decisions: Sequence[Decision],
        requests: Sequence[Request | None] = (),
        claims: Sequence[Claim] = (),
        applied: Mapping[str, Sequence[AppliedPrice]] | None = None,
    ) -> frozenset[str]:
        """Store decisions, audit entries, applied prices and webhook messages in one transaction.

        Args:
            decisions: In order.
            requests: Their requests, one each, or none.
            claims: Their claims on live quotes, one each; none when prices are not kept stable.
            applied: Prices open to everybody that they show, by decision id.

        Returns:
            Ids of decisions not stored: another price is live by now, or the id is stored already.

        Raises:
            InvalidRecord: A number is NaN or infinite; nothing is stored.
        """
        kept = requests or [None] * len(decisions)
        rows = [(one, encode_decision(one, request)) for one, request in zip(decisions, kept, strict=True)]
        if not rows:
            return frozenset()
        with self._db.write() as connection:
            self._db.serialise(connection, "audit")  # the audit log would wait for it anyway
            late = frozenset(row[0] for row in _STORED.rows(connection, [(one.id,) for one in decisions]))
            if claims:
                new = [(d, own) for d, own in zip(decisions, claims, strict=True) if d.id not in late]
                late |= claim(connection, [d for d, _ in new], [own for _, own in new])
            rows = [row for row in rows if row[0].id not in late]
            if rows:
                _INSERT.run_each(connection, [_row(one, encoded) for one, encoded in rows])
                stored, shown = [one for one, _ in rows], applied or {}
                self._log_quoted(connection, [price for one in stored for price in shown.get(one.id, ())])
                enqueue_messages(self._db, connection, (m for d in stored for m in of_decision(d)), stored[0].at)
                self._append_links(connection, [decision_entry(one.id, text.body, text.personal) for one, text in rows])
            self._remember(decisions, claims, late)  # an erasure waits for this transaction and forgets it then
        return late

    def _remember(self, decisions: Sequence[Decision], claims: Sequence[Claim], late: Collection[str]) -> None:
        """Keep the decisions that may be live now in memory."""
        for one, own in zip(decisions, claims, strict=False):
            if own.holds and one.shopper_id is not None and one.id not in late:
                self._recent.put(one.id, one)

    def decision(self, decision_id: str) -> Decision | None:
        """A decision as recorded; None when unknown."""
        found = self._encoded(decision_id)
        return None if found is None else decode_decision(found)

    def offers(self, decision_ids: Iterable[str]) -> dict[str, Offer]:
        """The offers of decisions, for recording their outcomes, by id; unknown ids are left out."""
        with self._db.read() as connection:
            return {
                row.id: decode_offer(EncodedDecision(row.body, row.personal))
                for ids in chunks(dict.fromkeys(decision_ids), IN_LIMIT)
                for row in connection.execute(_OFFERS, {"ids": ids})
            }

    def request_of(self, decision_id: str) -> Request | None:
        """The request of a decision; None when unknown, not stored or erased."""
        found = self._encoded(decision_id)
        return None if found is None else decode_request(found)

    def _encoded(self, decision_id: str) -> EncodedDecision | None:
        query = select(DECISIONS.c.body, DECISIONS.c.personal).where(DECISIONS.c.id == decision_id)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else EncodedDecision(row.body, row.personal)

    def prices_shown(
        self, pairs: Iterable[ShopperProduct], since: datetime, before: datetime | None = None
    ) -> dict[PricedPair, Shown]:
        """Prices shown to known shoppers from `since` to before `before`; pairs without a decision are left out."""
        asked = list(dict.fromkeys(pair for pair in pairs if pair[0] is not None))
        with self._db.read() as connection:
            return {
                (shopper_id, product_id, currency): Shown(int(count), float(mean), float(square))
                for shopper_id, product_id, currency, count, mean, square in _SHOWN.rows(
                    connection, asked, _moment(before), micros(since)
                )
            }

    def last_prices(self, pairs: Sequence[ShopperProduct], *, before: datetime | None = None) -> dict[PricedPair, int]:
        """Price and currency of each pair's latest decision strictly before a moment, by default ever; minor units."""
        known = list(dict.fromkeys(pair for pair in pairs if pair[0] is not None))
        unknown = list(dict.fromkeys((product_id,) for shopper_id, product_id in pairs if shopper_id is None))
        with self._db.read() as connection:
            found = [
                *_LATEST_OF_SHOPPER.rows(connection, known, _moment(before)),
                *_LATEST_OF_UNKNOWN.rows(connection, unknown, _moment(before)),
            ]
        return {(row[0], row[1], row[2]): row[3] for row in found}


def _moment(before: datetime | None) -> int:
    return _ALL_TIME if before is None else micros(before)


def _row(decision: Decision, encoded: EncodedDecision) -> tuple[object, ...]:
    """Values of the columns, in their order."""
    return (
        decision.id,
        micros(decision.at),
        decision.shopper_id,
        decision.product_id,
        decision.price_minor,
        decision.reference_minor,
        decision.currency,
        decision.strategy.lever.value,
        decision.source.value,
        decision.rung.value,
        decision.personalised,
        encoded.body,
        encoded.personal,
    )
