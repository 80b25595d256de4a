"""Decisions: append only, durable before anyone hears of them."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Float, bindparam, cast, func, insert, select

from agent.domain.decision import Decision
from agent.domain.records import AppliedPrice, Shown
from agent.store.applied_prices import AppliedPriceRepository, applied_price
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
"""A shopper (None: nobody known) and a product."""

_OFFERS: Final = select(DECISIONS.c.id, DECISIONS.c.body, DECISIONS.c.personal).where(
    DECISIONS.c.id.in_(bindparam("ids", expanding=True))
)
_STORED: Final = select(DECISIONS.c.id).where(DECISIONS.c.id.in_(bindparam("ids", expanding=True)))
_ALL_TIME: Final = datetime.max.replace(tzinfo=UTC)
_THEIRS: Final = DECISIONS.c.shopper_id == bindparam("shopper_id")
_OF_PRODUCT: Final = (DECISIONS.c.product_id == bindparam("product_id")) & (DECISIONS.c.at < bindparam("before"))
_PRICE: Final = cast(DECISIONS.c.price_minor, Float)
_SHOWN: Final = select(func.count(), func.avg(_PRICE), func.avg(_PRICE * _PRICE)).where(
    _THEIRS, _OF_PRODUCT, DECISIONS.c.at >= bindparam("since")
)
_LATEST: Final = (
    select(DECISIONS.c.price_minor).where(_OF_PRODUCT).order_by(DECISIONS.c.at.desc(), DECISIONS.c.id.desc()).limit(1)
)
_THEIR_LATEST: Final = _LATEST.where(_THEIRS)
_NOBODYS_LATEST: Final = _LATEST.where(DECISIONS.c.shopper_id.is_(None))
_COLUMNS: Final = tuple(c.name for c in DECISIONS.columns if c.name not in ("lever", "body", "personal"))


class DecisionRepository(AuditLog, AppliedPriceRepository):
    """Every price that was given, with all that led to it."""

    def record_decisions(
        self, decisions: Sequence[Decision], requests: Sequence[Request | None] = (), claims: Sequence[Claim] = ()
    ) -> frozenset[str]:
        """Store, log and tell webhooks in one transaction, with the prices that everybody could pay.

        On return they survive a crash.

        Args:
            decisions: In order.
            requests: What they answer, if kept.
            claims: What they make of the prices that their shoppers were quoted before; none where prices do not hold.

        Returns:
            Ids of decisions that were not stored: another price stands by now, or a decision with that id is stored.

        Raises:
            InvalidRecord: A number is NaN or infinite; nothing was stored.
        """
        kept = requests or [None] * len(decisions)
        rows = [_row(decision, request) for decision, request in zip(decisions, kept, strict=True)]
        if not rows:
            return frozenset()
        with self._db.write() as connection:
            self._db.serialise(connection, "audit")  # which logging would wait for anyway
            late = frozenset(connection.execute(_STORED, {"ids": [row["id"] for row in rows]}).scalars())
            if claims:
                new = [(d, own) for d, own in zip(decisions, claims, strict=True) if d.id not in late]
                late |= claim(connection, [d for d, _ in new], [own for _, own in new])
            rows = [row for row in rows if row["id"] not in late]
            if rows:
                connection.execute(insert(DECISIONS), rows)
                stored = [decision for decision in decisions if decision.id not in late]
                self._apply_few(connection, filter(None, map(_open_to_all, stored)))
                enqueue_messages(self._db, connection, [m for d in stored for m in of_decision(d)], stored[0].at)
                self._log(connection, [decision_entry(row["id"], row["body"], row["personal"]) for row in rows])
        return late

    def decision(self, decision_id: str) -> Decision | None:
        """The decision as recorded, or None when unknown."""
        found = self._encoded(decision_id)
        return None if found is None else decode_decision(found)

    def offers(self, decision_ids: Iterable[str]) -> dict[str, Offer]:
        """What outcomes need of the decisions that they follow, by id; unknown ids are left out."""
        with self._db.read() as connection:
            return {
                row.id: decode_offer(EncodedDecision(row.body, row.personal))
                for ids in chunks(dict.fromkeys(decision_ids), IN_LIMIT)
                for row in connection.execute(_OFFERS, {"ids": ids})
            }

    def request_of(self, decision_id: str) -> Request | None:
        """The request that a decision answers, or None when unknown, not kept or erased."""
        found = self._encoded(decision_id)
        return None if found is None else decode_request(found)

    def _encoded(self, decision_id: str) -> EncodedDecision | None:
        query = select(DECISIONS.c.body, DECISIONS.c.personal).where(DECISIONS.c.id == decision_id)
        with self._db.read() as connection:
            row = connection.execute(query).first()
        return None if row is None else EncodedDecision(row.body, row.personal)

    def prices_shown(
        self, pairs: Iterable[ShopperProduct], since: datetime, before: datetime | None = None
    ) -> dict[ShopperProduct, Shown]:
        """What known shoppers were shown for products in a time; pairs without a decision are left out."""
        span = {"since": since, "before": before or _ALL_TIME}
        found: dict[ShopperProduct, Shown] = {}
        with self._db.read() as connection:
            for shopper_id, product_id in dict.fromkeys(pair for pair in pairs if pair[0] is not None):
                pair = {"shopper_id": shopper_id, "product_id": product_id}
                count, mean, square = connection.execute(_SHOWN, pair | span).one()
                if count:
                    found[shopper_id, product_id] = Shown(int(count), float(mean), float(square))
        return found

    def last_prices(
        self, pairs: Sequence[ShopperProduct], *, before: datetime | None = None
    ) -> dict[ShopperProduct, int]:
        """Price in minor units of each pair's latest decision, strictly before a time when one is given."""
        found: dict[ShopperProduct, int] = {}
        with self._db.read() as connection:
            for shopper_id, product_id in dict.fromkeys(pairs):
                asked: dict[str, Any] = {"product_id": product_id, "before": before or _ALL_TIME}
                if shopper_id is None:
                    price = connection.execute(_NOBODYS_LATEST, asked).scalar()
                else:
                    price = connection.execute(_THEIR_LATEST, asked | {"shopper_id": shopper_id}).scalar()
                if price is not None:
                    found[shopper_id, product_id] = price
        return found


def _row(decision: Decision, request: Request | None) -> dict[str, Any]:
    row = {name: getattr(decision, name) for name in _COLUMNS}
    encoded = encode_decision(decision, request)
    return row | {"lever": decision.strategy.lever, "body": encoded.body, "personal": encoded.personal}


def _open_to_all(decision: Decision) -> AppliedPrice | None:
    """What everybody could pay for one unit then: the price where no personal data made it, else the reference."""
    if decision.product_id is None:
        return None
    own = decision.personalised or decision.quantity > 1
    price = decision.reference_minor if own else decision.price_minor
    return applied_price(decision.product_id, decision.currency, price, decision.at)
