"""Reports of outcomes by shops, as outcome records, and the sale that a purchase implies."""

from dataclasses import dataclass, replace
from datetime import datetime

from uuid_utils import uuid7

from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType
from agent.domain.refusal import FieldProblem, Refusal
from agent.store.codec import Offer
from agent.store.event_deduplication import content_id


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """A shop's report of an outcome; `at` is when it happened."""

    quote_id: str
    type: OutcomeType
    quantity: int | None
    at: datetime


def outcome_of(report: OutcomeReport, offer: Offer | None) -> OutcomeRecord | Refusal:
    """The outcome record of a report, or a refusal; `offer` is what its quote offered, None when unknown."""
    if offer is None:
        problem = FieldProblem(
            "quote_id", "no quote has this id", report.quote_id[:80], "the id in the answer to a quote"
        )
        return Refusal(404, "Unknown quote", f"no quote has the id {report.quote_id[:80]!r}", (problem,))
    if report.at < offer.at:
        allowed = f"{offer.at.isoformat()} or later"
        problem = FieldProblem("at", "is before the quote", report.at.isoformat(), allowed)
        return Refusal(
            422, "Outcome before its quote", f"the outcome is dated before its quote; allowed: {allowed}", (problem,)
        )
    return OutcomeRecord(
        outcome_id=f"{report.quote_id}:{report.type}",
        shopper_id=offer.shopper_id,
        product_id=offer.product_id,
        currency=offer.currency,
        price_minor=offer.price_minor,
        reference_minor=offer.reference_minor,
        type=report.type,
        quantity=report.quantity or offer.quantity,
        at=report.at,
        quote_id=report.quote_id,
        propensity=offer.propensity,
    )


def purchase_of(outcome: OutcomeRecord) -> EventRecord:
    """The purchase event of an outcome; its id keeps a sale that is also reported as an event from counting twice."""
    sale = EventRecord(
        shopper_id=outcome.shopper_id or f"anonymous:{uuid7()}",
        type=EventType.PURCHASE,
        at=outcome.at,
        product_id=outcome.product_id,
        quantity=outcome.quantity,
        price_minor=outcome.price_minor,
        list_minor=outcome.reference_minor,
        currency=outcome.currency,
    )
    return replace(sale, event_id=content_id(sale)) if outcome.shopper_id is not None else sale
