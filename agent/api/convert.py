"""Request schemas to domain records."""

from dataclasses import replace
from datetime import datetime

from agent.api.schemas import Event, OutcomeIn, Product
from agent.domain.fields import minor_of
from agent.domain.records import EventRecord, ProductRecord
from agent.domain.request import product_record
from agent.service.outcome_sequence import OutcomeReport


def to_event(event: Event, now: datetime) -> EventRecord:
    """An event; without a time it happened at `now`."""
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
        rating=outcome.rating,
        attempt_id=attempt_id,
    )
