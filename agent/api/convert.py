"""Request schemas to records."""

from datetime import datetime

from agent.api.schemas import Event, OutcomeIn, Product
from agent.records import EventRecord, ProductRecord
from agent.service import OutcomeReport


def to_event(event: Event, now: datetime) -> EventRecord:
    """An event to keep; without a time it happened now."""
    return EventRecord(
        shopper_id=event.shopper_id,
        type=event.type,
        at=event.at or now,
        product_id=event.product_id,
        quantity=event.quantity,
        price_minor=event.price.amount_minor if event.price else None,
        currency=event.price.currency if event.price else None,
        text=event.text,
    )


def to_product(product: Product) -> ProductRecord:
    """A product to keep."""
    return ProductRecord(
        product_id=product.id,
        title=product.title,
        currency=product.list_price.currency,
        list_minor=product.list_price.amount_minor,
        cost_minor=product.cost.amount_minor if product.cost else None,
        description=product.description,
        category=product.category,
        brand=product.brand,
        inventory=product.inventory,
        rating=product.rating,
        floor_minor=product.min_price.amount_minor if product.min_price else None,
        ceiling_minor=product.max_price.amount_minor if product.max_price else None,
        map_minor=product.map_price.amount_minor if product.map_price else None,
        attributes=product.attributes,
    )


def to_report(outcome: OutcomeIn, now: datetime) -> OutcomeReport:
    """What a shop says became of a quote."""
    return OutcomeReport(outcome.quote_id, outcome.type, outcome.quantity, outcome.at or now)
