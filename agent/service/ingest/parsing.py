"""Import rows as records: the columns of products, events and outcomes."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
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
from agent.service.ingest.limit_check import checked
from agent.service.ingest.readers import RawRow
from agent.store.event_deduplication import content_id

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

ReferenceOf = Callable[[str], int | None]


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """An event, and the shopper's profile where the row has one."""

    event: EventRecord
    shopper: ShopperRecord | None


def parse_product(row: RawRow, currency: str | None) -> ProductRecord:
    """Parse a product; unknown columns become attributes.

    Raises:
        CellError: A cell is invalid, or limits contradict each other.
    """
    cells = Cells(row.cells, currency)
    return checked(
        ProductRecord(
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
    )


def parse_event(row: RawRow, currency: str | None) -> ParsedEvent:
    """Parse an event; `profile.X` columns describe its shopper, `context.X` columns are ignored.

    Without an `event_id` the id is a digest of the content.

    Raises:
        CellError: A cell is invalid.
    """
    cells = Cells(row.cells, currency)
    kind = cells.text("type", needed=True).lower()
    if kind not in set(EventType):
        raise CellError("type", kind, f"is not an event type; allowed: {', '.join(EventType)}")
    price = cells.minor("price")
    event = EventRecord(
        shopper_id=cells.text("shopper_id", needed=True),
        type=EventType(kind),
        at=cells.time("at"),
        product_id=cells.text("product_id") or None,
        quantity=cells.count("quantity", least=1) or 1,
        price_minor=price,
        list_minor=cells.minor("list_price", least=1),
        currency=cells.currency() if price is not None else None,
        text=cells.text("text"),
    )
    if event.product_id is None and not event.text:
        raise CellError("product_id", "", "is missing; remedy: give a product_id or a text")
    profile = cells.prefixed("profile")
    event = replace(event, event_id=cells.text("event_id") or content_id(event))
    return ParsedEvent(event, ShopperRecord(event.shopper_id, profile) if profile else None)


def parse_outcome(row: RawRow, currency: str | None, reference_of: ReferenceOf) -> OutcomeRecord:
    """Parse an offer and whether it was accepted; `reference_of` gives a missing `reference_price` by product.

    Raises:
        CellError: A cell is invalid.
    """
    cells = Cells(row.cells, currency)
    bought = _BOUGHT.get(cells.text("bought", needed=True).lower())
    if bought is None:
        raise CellError("bought", row.cells.get("bought"), "is not a truth value; allowed: 0, 1, true, false")
    product_id = cells.text("product_id", needed=True)
    reference = cells.minor("reference_price", least=1) or reference_of(product_id)
    if reference is None:
        raise CellError(
            "product_id",
            product_id,
            "is unknown and the row has no reference_price; remedy: import products first, or add that column",
        )
    return OutcomeRecord(
        outcome_id=cells.text("outcome_id") or _content_id(row),
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


def _content_id(row: RawRow) -> str:
    """Id from the row's line and content, so that importing a file twice adds nothing."""
    content = json.dumps([row.line, sorted((name, str(value)) for name, value in row.cells.items())])
    return "import-" + hashlib.sha256(content.encode()).hexdigest()[:32]
