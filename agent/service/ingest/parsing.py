"""Import rows as records of products, events and outcomes."""

from dataclasses import replace
from typing import Any, Final

from agent.domain.plausibility import product_suspicion
from agent.domain.product_limits import CENTS_FACTOR
from agent.domain.records import (
    Attribute,
    EventRecord,
    EventType,
    OutcomeRecord,
    OutcomeType,
    ProductRecord,
    ShopperRecord,
)
from agent.domain.request import Promotion
from agent.service.ingest.cells import Cells
from agent.service.ingest.errors import CellError
from agent.service.ingest.limit_check import checked
from agent.service.ingest.parsed_rows import ParsedEvent
from agent.service.ingest.raw_rows import RawRow
from agent.service.ingest.reading import Note, Reading

CONTEXT_TEXTS: Final = ("season", "location", "jurisdiction", "channel")
_SMALLEST: Final = 1e-12  # of a propensity or a weight: an observed offer had a positive probability
_MONEY: Final = {
    "list_price": "list_minor",
    "cost": "cost_minor",
    "min_price": "floor_minor",
    "max_price": "ceiling_minor",
    "map_price": "map_minor",
}
_TEXTS: Final = ("title", "description", "category", "brand")
_ABOVE_0: Final = ("list_price", "max_price")
PROMOTION: Final = tuple(f"promotion.{name}" for name in Promotion.model_fields)
CHECKED_CONTEXT: Final = frozenset(("at", "competitor_prices", "inventory", "deadline", *PROMOTION, *CONTEXT_TEXTS))
RATINGS: Final = (1, 5)
_NOT_BOUGHT: Final = "is of a row with bought 0; remedy: leave it empty, or set bought to 1"
_EVENT_TYPES: Final = frozenset(EventType)


def parse_product(row: RawRow, reading: Reading) -> ProductRecord:
    """Parse a product; what the row does not say stays as stored, unless the options say that rows replace.

    Raises:
        CellError: A cell is invalid, or limits contradict each other.
    """
    cells = Cells(row, reading)
    product_id = cells.identifier("product_id", needed=True)
    known = None if reading.options.replace else reading.product_of(product_id)
    earlier = reading.products.get(product_id)
    if earlier is not None:
        reading.notes.add(Note.MERGED, product_id)
        if not reading.options.replace and product_suspicion(earlier, known) is None:  # else it is set aside
            known = earlier
    currency = cells.currency(known.currency if known is not None else None)
    base = known or ProductRecord(product_id, "", currency)
    _check_currency(base, currency, cells)
    found = replace(base, currency=currency, **_given_fields(cells))
    if attributes := cells.group("attributes"):
        found = replace(found, attributes={**base.attributes, **attributes})
    if found.list_minor is None:
        raise CellError("list_price", "", "is missing, and the product is new; remedy: give its price")
    if not found.title:
        found = replace(found, title=" ".join(filter(None, (found.brand, found.category))) or product_id)
    reading.products[product_id] = checked(found, reading.notes)
    return found


def _given_fields(cells: Cells) -> dict[str, Any]:
    """Fields of a product that its row has."""
    found: dict[str, Any] = {name: cells.text(name) or None for name in _TEXTS}
    found |= {"inventory": cells.stock("inventory"), "rating": cells.number("rating", 0, 5)}
    found |= {ours: cells.minor(column, least=int(column in _ABOVE_0)) for column, ours in _MONEY.items()}
    return {name: value for name, value in found.items() if value is not None}


def _check_currency(known: ProductRecord, currency: str, cells: Cells) -> None:
    """Check that no stored amount is kept under another currency."""
    if known.currency == currency:
        return
    kept = [column for column, ours in _MONEY.items() if getattr(known, ours) is not None and not cells.has(column)]
    if kept:
        raise CellError(
            "currency",
            currency,
            f"differs from the stored {known.currency}, in which {', '.join(kept)} would stay; remedy: give these, or "
            "--replace",
        )


def parse_event(row: RawRow, reading: Reading) -> ParsedEvent:
    """Parse an event; `profile.X` columns describe its shopper.

    Without the column `event_id` the event has no id yet.

    Raises:
        CellError: A cell is invalid, or has money in another currency than the product.
    """
    cells = Cells(row, reading)
    kind = cells.text("type", needed=True).lower()
    if kind not in _EVENT_TYPES:
        raise CellError("type", kind, f"is not an event type; allowed: {', '.join(EventType)}")
    product_id = cells.identifier("product_id") or None
    if product_id is not None:
        cells.priced_as(reading.product_of(product_id))
    price, list_minor = cells.minor("price"), cells.minor("list_price", least=1)
    event = EventRecord(
        shopper_id=cells.identifier("shopper_id", needed=True),
        type=EventType(kind),
        at=cells.time("at"),
        product_id=product_id,
        quantity=cells.count("quantity", least=1) or 1,
        price_minor=price,
        list_minor=list_minor,
        currency=cells.currency() if price is not None or list_minor is not None else None,
        text=cells.text("text"),
        event_id=cells.identifier("event_id") or None,
    )
    if event.product_id is None and not event.text:
        raise CellError("product_id", "", "is missing; remedy: give a product_id or a text")
    profile = cells.group("profile")
    return ParsedEvent(event, ShopperRecord(event.shopper_id, profile) if profile else None)


def parse_outcome(row: RawRow, reading: Reading) -> OutcomeRecord:
    """Parse an offer and whether it was accepted; a missing `reference_price` is the list price of its product.

    Without the column `outcome_id` the id is empty.

    Raises:
        CellError: A cell is invalid, or has money in another currency than the product.
    """
    cells = Cells(row, reading)
    bought = cells.truth("bought")
    product_id = cells.identifier("product_id", needed=True)
    product = reading.product_of(product_id)
    cells.priced_as(product)
    price = given(cells.minor("price", least=1), "price")
    reference = cells.minor("reference_price", least=1) or (product.list_minor if product else None)
    if reference is None:
        raise CellError(
            "product_id",
            product_id,
            "is unknown and the row has no reference_price; remedy: import products first, or add that column",
        )
    return OutcomeRecord(
        outcome_id=cells.identifier("outcome_id"),
        shopper_id=cells.identifier("shopper_id") or None,
        product_id=product_id,
        currency=cells.currency(),
        price_minor=price,
        reference_minor=reference,
        type=OutcomeType.PURCHASED if bought else OutcomeType.DECLINED,
        quantity=cells.count("quantity", least=1) or 1,
        at=cells.time("at"),
        propensity=cells.number("propensity", _SMALLEST, 1e6),
        weight=cells.number("weight", _SMALLEST, 1e9) or 1.0,
        profile=cells.group("profile") or None,
        context=_context(cells) or None,
        returned=_returned(cells, bought=bought),
        rating=_rating(cells, bought=bought),
        cost_minor=_cost(cells, price),
    )


def _returned(cells: Cells, *, bought: bool) -> bool | None:
    """Whether a sale was returned; None where the row does not say, or nothing was bought.

    Raises:
        CellError: It was, though nothing was bought.
    """
    returned = cells.truth("returned") if cells.has("returned") else None
    if returned and not bought:
        raise CellError("returned", returned, _NOT_BOUGHT)
    return returned if bought else None


def _rating(cells: Cells, *, bought: bool) -> float | None:
    """The shopper's rating of a sale; None without one.

    Raises:
        CellError: It is out of range, or nothing was bought.
    """
    rating = cells.number("rating", *RATINGS)
    if rating is not None and not bought:
        raise CellError("rating", rating, _NOT_BOUGHT)
    return rating


def _cost(cells: Cells, price: int) -> int | None:
    """Cost of a unit at the time of an offer; one far above the price is in another unit."""
    cost = cells.minor("cost")
    if cost is not None and cost >= CENTS_FACTOR * price:
        raise CellError(
            "cost",
            cells.value("cost"),
            f"is probably in another unit, such as cents; allowed: less than {CENTS_FACTOR} times the row's price; "
            "remedy: give it in major units, or leave it empty",
        )
    return cost


def _context(cells: Cells) -> dict[str, Attribute]:
    """`context.X` columns by X; those that a quote request also has are checked like there."""
    context = cells.group("context", without=CHECKED_CONTEXT)
    for name in cells.names("context"):
        column = f"context.{name}"
        if name in CONTEXT_TEXTS and (text := cells.text(column)):
            context[name] = text
        elif name in PROMOTION and cells.has(column):
            context[name] = cells.truth(column)
        elif name == "competitor_prices" and (rivals := cells.minors(column)):
            context[name] = float(min(rivals))
        elif name == "inventory" and (units := cells.stock(column)) is not None:
            context[name] = float(units)
        elif name == "deadline" and cells.has(column):
            context[name] = cells.time(column).isoformat()
    return context


def given(value: int | None, column: str) -> int:
    """A value that a row needs.

    Raises:
        CellError: It is missing.
    """
    if value is None:
        raise CellError(column, "", "is missing")
    return value
