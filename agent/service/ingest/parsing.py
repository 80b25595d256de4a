"""Import rows as records: the columns of products, events and outcomes."""

from dataclasses import dataclass
from typing import Final

from agent.domain.records import (
    Attribute,
    EventRecord,
    EventType,
    OutcomeRecord,
    OutcomeType,
    ProductRecord,
    ShopperRecord,
)
from agent.service.ingest.cells import Cells
from agent.service.ingest.errors import CellError
from agent.service.ingest.readers import RawRow
from agent.service.ingest.reading import Reading

_MONEY_COLUMNS: Final = ("currency", "min_price", "max_price", "map_price")
PRODUCT_COLUMNS: Final = frozenset(
    ("product_id", "title", "description", "category", "brand", "list_price", "cost", "inventory", "rating")
).union(_MONEY_COLUMNS)
EVENT_COLUMNS: Final = frozenset(
    ("event_id", "shopper_id", "type", "product_id", "at", "quantity", "price", "list_price", "currency", "text")
)
OUTCOME_COLUMNS: Final = frozenset(
    ("outcome_id", "shopper_id", "product_id", "price", "reference_price", "bought", "quantity", "at", "currency")
).union(("propensity", "weight"))
NEEDED: Final = {
    "products": ("product_id", "title", "list_price"),
    "events": ("shopper_id", "type", "at"),
    "outcomes": ("product_id", "price", "bought", "at"),
}
_CONTEXT_TEXTS: Final = ("season", "location", "jurisdiction", "channel")
_SMALLEST: Final = 1e-12  # of a propensity or a weight: an observed offer had a positive probability
_BOUGHT: Final = {"1": True, "0": False, "true": True, "false": False, "1.0": True, "0.0": False}


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """An event, and the shopper's profile where the row has one."""

    event: EventRecord
    shopper: ShopperRecord | None


def parse_product(row: RawRow, reading: Reading) -> ProductRecord:
    """Parse a product; unknown columns become attributes.

    Raises:
        CellError: A cell is invalid.
    """
    cells = Cells(row.cells, reading.options.currency)
    return ProductRecord(
        product_id=cells.text("product_id", needed=True),
        title=cells.text("title", needed=True),
        currency=cells.currency(),
        list_minor=_given(cells.minor("list_price", least=1), "list_price"),
        cost_minor=cells.minor("cost"),
        description=cells.text("description"),
        category=cells.text("category"),
        brand=cells.text("brand"),
        inventory=cells.count("inventory"),
        rating=cells.number("rating", 0, 5),
        floor_minor=cells.minor("min_price"),
        ceiling_minor=cells.minor("max_price", least=1),
        map_minor=cells.minor("map_price"),
        attributes=cells.others(PRODUCT_COLUMNS),
    )


def parse_event(row: RawRow, reading: Reading) -> ParsedEvent:
    """Parse an event; `profile.X` columns describe its shopper, `context.X` columns are ignored.

    Without the column `event_id` the event has no id yet.

    Raises:
        CellError: A cell is invalid.
    """
    cells = Cells(row.cells, reading.options.currency)
    kind = cells.text("type", needed=True).lower()
    if kind not in set(EventType):
        raise CellError("type", kind, f"is not an event type; allowed: {', '.join(EventType)}")
    price, list_price = cells.minor("price"), cells.minor("list_price", least=1)
    event = EventRecord(
        shopper_id=cells.text("shopper_id", needed=True),
        type=EventType(kind),
        at=cells.time("at"),
        product_id=cells.text("product_id") or None,
        quantity=cells.count("quantity", least=1) or 1,
        price_minor=price,
        list_minor=list_price,
        currency=cells.currency() if price is not None or list_price is not None else None,
        text=cells.text("text"),
        event_id=cells.text("event_id") or None,
    )
    if event.product_id is None and not event.text:
        raise CellError("product_id", "", "is missing; remedy: give a product_id or a text")
    profile = cells.prefixed("profile")
    return ParsedEvent(event, ShopperRecord(event.shopper_id, profile) if profile else None)


def parse_outcome(row: RawRow, reading: Reading) -> OutcomeRecord:
    """Parse an offer and whether it was accepted; a missing `reference_price` is the list price of its product.

    Raises:
        CellError: A cell is invalid.
    """
    cells = Cells(row.cells, reading.options.currency)
    bought = _BOUGHT.get(cells.text("bought", needed=True).lower())
    if bought is None:
        raise CellError("bought", row.cells.get("bought"), "is not a truth value; allowed: 0, 1, true, false")
    product_id = cells.text("product_id", needed=True)
    product = reading.product_of(product_id)
    reference = cells.minor("reference_price", least=1) or (product.list_minor if product else None)
    if reference is None:
        raise CellError(
            "product_id",
            product_id,
            "is unknown and the row has no reference_price; remedy: import products first, or add that column",
        )
    return OutcomeRecord(
        outcome_id=cells.text("outcome_id"),
        shopper_id=cells.text("shopper_id") or None,
        product_id=product_id,
        currency=cells.currency(),
        price_minor=_given(cells.minor("price", least=1), "price"),
        reference_minor=reference,
        type=OutcomeType.PURCHASED if bought else OutcomeType.DECLINED,
        quantity=cells.count("quantity", least=1) or 1,
        at=cells.time("at"),
        propensity=cells.number("propensity", _SMALLEST, 1e6),
        weight=cells.number("weight", _SMALLEST, 1e9) or 1.0,
        profile=cells.prefixed("profile") or None,
        context=_context(cells) or None,
    )


def _context(cells: Cells) -> dict[str, Attribute]:
    """`context.X` columns by X; those that a quote request also has are checked like there."""
    context = cells.prefixed("context")
    context.pop("at", None)
    for name in ("competitor_prices", "competitor_price"):
        if context.pop(name, None) is not None:
            context["competitor_prices"] = float(cells.minor(f"context.{name}", least=1) or 0)
    if "inventory" in context:
        context["inventory"] = float(cells.count("context.inventory") or 0)
    if "deadline" in context:
        context["deadline"] = cells.time("context.deadline").isoformat()
    texts = {name: cells.text(f"context.{name}") for name in _CONTEXT_TEXTS if name in context}
    return context | texts


def _given(value: int | None, column: str) -> int:
    if value is None:
        raise CellError(column, "", "is missing")
    return value
