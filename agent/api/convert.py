"""Request schemas to records."""

from dataclasses import replace
from datetime import datetime

from agent.api.fields import Money
from agent.api.schemas import Event, OutcomeIn, Product, ProductFields
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
        price_minor=minor_of(event.price),
        currency=event.price.currency if event.price else None,
        text=event.text,
    )


def described(fields: ProductFields, product_id: str, currency: str) -> ProductRecord:
    """What kept and quoted products have in common."""
    return ProductRecord(
        product_id=product_id,
        title=fields.title,
        currency=currency,
        list_minor=minor_of(fields.list_price),
        cost_minor=minor_of(fields.cost),
        description=fields.description,
        category=fields.category,
        brand=fields.brand,
        inventory=fields.inventory,
        rating=fields.rating,
        attributes=fields.attributes,
    )


def to_product(product: Product) -> ProductRecord:
    """A product to keep."""
    return replace(
        described(product, product.id, product.list_price.currency),
        floor_minor=minor_of(product.min_price),
        ceiling_minor=minor_of(product.max_price),
        map_minor=minor_of(product.map_price),
    )


def minor_of(money: Money | None) -> int | None:
    """The amount in minor units, None when no money was given."""
    return None if money is None else money.amount_minor


def to_report(outcome: OutcomeIn, now: datetime) -> OutcomeReport:
    """What a shop says became of a quote."""
    return OutcomeReport(outcome.quote_id, outcome.type, outcome.quantity, outcome.at or now)
