"""Request schemas to domain records."""

from dataclasses import replace
from datetime import datetime

from agent.api.schemas import Event, OutcomeIn, Product
from agent.domain.fields import minor_of
from agent.domain.records import EventRecord, ProductRecord
from agent.domain.request import product_record
from agent.service.outcome_reports import OutcomeReport


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


def to_report(outcome: OutcomeIn, now: datetime) -> OutcomeReport:
    """A report of an outcome; without a time it happened at `now`."""
    return OutcomeReport(outcome.quote_id, outcome.type, outcome.quantity, outcome.at or now)
