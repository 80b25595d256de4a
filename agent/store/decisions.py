"""Decisions: append only, durable before a quote is answered."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Float, bindparam, cast, func, insert, select

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
from agent.store.live_quotes import Claim, claim
from agent.store.rows import IN_LIMIT, chunks
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
_STORED: Final = select(DECISIONS.c.id).where(DECISIONS.c.id.in_(bindparam("ids", expanding=True)))
_ALL_TIME: Final = datetime.max.replace(tzinfo=UTC)
_OF_SHOPPER: Final = DECISIONS.c.shopper_id == bindparam("shopper_id")
_OF_PRODUCT: Final = (DECISIONS.c.product_id == bindparam("product_id")) & (DECISIONS.c.at < bindparam("before"))
_PRICE: Final = cast(DECISIONS.c.price_minor, Float)
_SHOWN: Final = (
    select(DECISIONS.c.currency, func.count(), func.avg(_PRICE), func.avg(_PRICE * _PRICE))
    .where(_OF_SHOPPER, _OF_PRODUCT, DECISIONS.c.at >= bindparam("since"))
    .group_by(DECISIONS.c.currency)
)
_LATEST: Final = (
    select(DECISIONS.c.price_minor, DECISIONS.c.currency)
    .where(_OF_PRODUCT)
    .order_by(DECISIONS.c.at.desc(), DECISIONS.c.id.desc())
    .limit(1)
)
_LATEST_OF_SHOPPER: Final = _LATEST.where(_OF_SHOPPER)
_LATEST_OF_UNKNOWN: Final = _LATEST.where(DECISIONS.c.shopper_id.is_(None))
_COLUMNS: Final = tuple(c.name for c in DECISIONS.columns if c.name not in ("lever", "body", "personal"))


class DecisionRepository(AuditLog, AppliedPriceRepository):
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
        rows = [_row(decision, request) for decision, request in zip(decisions, kept, strict=True)]
        if not rows:
            return frozenset()
        with self._db.write() as connection:
            self._db.serialise(connection, "audit")  # the audit log would wait for it anyway
            late = frozenset(connection.execute(_STORED, {"ids": [row["id"] for row in rows]}).scalars())
            if claims:
                new = [(d, own) for d, own in zip(decisions, claims, strict=True) if d.id not in late]
                late |= claim(connection, [d for d, _ in new], [own for _, own in new])
            rows = [row for row in rows if row["id"] not in late]
            if rows:
                connection.execute(insert(DECISIONS), rows)
                stored = [decision for decision in decisions if decision.id not in late]
                shown = applied or {}
                self._log_quoted(connection, [price for d in stored for price in shown.get(d.id, ())])
                enqueue_messages(self._db, connection, [m for d in stored for m in of_decision(d)], stored[0].at)
                self._log(connection, [decision_entry(row["id"], row["body"], row["personal"]) for row in rows])
        return late

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
        span = {"since": since, "before": before or _ALL_TIME}
        found: dict[PricedPair, Shown] = {}
        with self._db.read() as connection:
            for shopper_id, product_id in dict.fromkeys(pair for pair in pairs if pair[0] is not None):
                pair = {"shopper_id": shopper_id, "product_id": product_id}
                for currency, count, mean, square in connection.execute(_SHOWN, pair | span):
                    found[shopper_id, product_id, currency] = Shown(int(count), float(mean), float(square))
        return found

    def last_prices(self, pairs: Sequence[ShopperProduct], *, before: datetime | None = None) -> dict[PricedPair, int]:
        """Price and currency of each pair's latest decision strictly before a moment, by default ever; minor units."""
        found: dict[PricedPair, int] = {}
        with self._db.read() as connection:
            for shopper_id, product_id in dict.fromkeys(pairs):
                asked: dict[str, Any] = {"product_id": product_id, "before": before or _ALL_TIME}
                if shopper_id is None:
                    latest = connection.execute(_LATEST_OF_UNKNOWN, asked).first()
                else:
                    latest = connection.execute(_LATEST_OF_SHOPPER, asked | {"shopper_id": shopper_id}).first()
                if latest is not None:
                    found[shopper_id, product_id, latest.currency] = latest.price_minor
        return found


def _row(decision: Decision, request: Request | None) -> dict[str, Any]:
    row = {name: getattr(decision, name) for name in _COLUMNS}
    encoded = encode_decision(decision, request)
    return row | {"lever": decision.strategy.lever, "body": encoded.body, "personal": encoded.personal}
