"""Request schemas to domain records."""

from dataclasses import replace
from datetime import datetime

from agent.api.problems import Problem
from agent.api.schemas import Event, OutcomeIn, Product
from agent.domain.fields import MAX_AHEAD, minor_of
from agent.domain.records import EventRecord, ProductRecord
from agent.domain.refusal import FieldProblem
from agent.domain.request import product_record
from agent.service.outcome_sequence import OutcomeReport


def to_event(event: Event, now: datetime, field: str) -> EventRecord:
    """An event; without a time it happened at `now`. `field` names it in a problem.

    Raises:
        Problem: 422, for a time more than a day ahead.
    """
    latest = now + MAX_AHEAD
    if event.at is not None and event.at > latest:
        allowed = f"up to {latest.isoformat(timespec='seconds')}"
        problem = FieldProblem(f"{field}.at", "is more than a day ahead", event.at.isoformat(), allowed)
        raise Problem(422, f"{field}.at is more than a day ahead; allowed: {allowed}", [problem])
    return EventRecord(
        shopper_id=event.shopper_id,
        type=event.type,
        at=event.at or now,
        product_id=event.product_id,
        quantity=event.quantity,
        price_minor=minor_of(event.price),
        currency=event.price.currency if event.price else None,
        text=event.text,
    )


def to_product(product: Product) -> ProductRecord:
    """A product with its own limits."""
    return replace(
        product_record(product, product.id, product.list_price.currency),
        floor_minor=minor_of(product.min_price),
        ceiling_minor=minor_of(product.max_price),
        map_minor=minor_of(product.map_price),
    )


def to_report(outcome: OutcomeIn, attempt_id: str | None) -> OutcomeReport:
    """A report of an outcome; `attempt_id` comes from the request's idempotency key."""
    return OutcomeReport(
        quote_id=outcome.quote_id,
        type=outcome.type,
        quantity=outcome.quantity,
        at=outcome.at,
        outcome_id=outcome.outcome_id,
        attempt_id=attempt_id,
    )
