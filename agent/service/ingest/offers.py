"""Rows for `score` as requests at a price of their own: what a quote takes, a row can give."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from agent.domain.plain_requests import PlainRequests
from agent.domain.request import QuoteRequest, nested_promotion
from agent.pricing.score_at_prices import PricedRow
from agent.service.ingest.cells import Cells
from agent.service.ingest.errors import CellError
from agent.service.ingest.parsing import CHECKED_CONTEXT, CONTEXT_TEXTS, PROMOTION, given
from agent.service.ingest.raw_rows import RawRow
from agent.service.ingest.reading import Reading

_PLAIN: Final = {None, "shopper_id", "product_id", "price"}
_TEXTS: Final = ("title", "description", "category", "brand")


@dataclass(frozen=True, slots=True)
class Offer:
    """An offer to score, the currency of its price, and whether its product's cost is known."""

    priced: PricedRow
    currency: str
    knows_cost: bool


def parse_offer(row: RawRow, reading: Reading, plain: PlainRequests) -> Offer:
    """Parse an offer; `plain` makes the requests of rows that have ids and a price alone.

    Raises:
        CellError: A cell is invalid, or has money in another currency than the product.
    """
    cells = Cells(row, reading)
    product_id = cells.identifier("product_id")
    known = reading.product_of(product_id) if product_id else None
    if known is None and not (cells.has("list_price") or cells.has("reference_price")):
        raise CellError(
            "product_id", product_id, "is unknown; remedy: import the product, or give list_price and a description"
        )
    cells.priced_as(known)
    price = given(cells.minor("price", least=1), "price")
    currency = cells.currency()
    if known is not None and _PLAIN.issuperset(row.layout.names):
        shopper_id = cells.identifier("shopper_id")
        if shopper_id:
            priced = PricedRow(plain.request(shopper_id, product_id), price)
            return Offer(priced, currency, known.cost_minor is not None)
    product = _product(cells, currency)
    parts: dict[str, Any] = {
        "shopper": _shopper(cells),
        "context": _context(cells, currency),
        "limits": _limits(cells, currency),
        "quantity": cells.count("quantity", least=1),
    }
    request: dict[str, Any] = {"product": product | ({"id": product_id} if product_id else {})}
    request |= {name: part for name, part in parts.items() if part}
    try:
        asked = QuoteRequest.model_validate(request)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "row"
        raise CellError(where, first["input"], first["msg"].removeprefix("Value error, ")) from None
    return Offer(
        PricedRow(asked, price), currency, "cost" in product or (known is not None and known.cost_minor is not None)
    )


def _product(cells: Cells, currency: str) -> dict[str, Any]:
    """The row's description of its product; the reference price comes as its list price, as quotes take it."""
    found: dict[str, Any] = {name: text for name in _TEXTS if (text := cells.text(name))}
    reference, list_price = cells.minor("reference_price", least=1), cells.minor("list_price", least=1)
    money = {"list_price": reference or list_price, "cost": cells.minor("cost")}
    found |= {name: _money(minor, currency) for name, minor in money.items() if minor is not None}
    numbers = {"inventory": cells.stock("inventory"), "rating": cells.number("rating", 0, 5)}
    found |= {name: number for name, number in numbers.items() if number is not None}
    attributes = cells.group("attributes")
    return found | ({"attributes": attributes} if attributes else {})


def _shopper(cells: Cells) -> dict[str, Any]:
    shopper_id = cells.identifier("shopper_id")
    profile = cells.group("profile") or cells.text("profile")
    return ({"id": shopper_id} if shopper_id else {}) | ({"profile": profile} if profile else {})


def _context(cells: Cells, currency: str) -> dict[str, Any]:
    """Context columns as a quote has them; `at` is a column of its own."""
    context: dict[str, Any] = dict(cells.group("context", without=CHECKED_CONTEXT))
    context |= {name: text for name in CONTEXT_TEXTS if (text := cells.text(f"context.{name}"))}
    if rivals := cells.minors("context.competitor_prices"):
        context["competitor_prices"] = [_money(minor, currency) for minor in rivals]
    if promotion := {name: cells.truth(f"context.{name}") for name in PROMOTION if cells.has(f"context.{name}")}:
        context |= nested_promotion(promotion)
    if (units := cells.stock("context.inventory")) is not None:
        context["inventory"] = units
    if cells.has("context.deadline"):
        context["deadline"] = cells.time("context.deadline")
    return context | ({"at": cells.time("at")} if cells.has("at") else {})


def _limits(cells: Cells, currency: str) -> dict[str, Any]:
    prices = {"min_price": cells.minor("min_price"), "max_price": cells.minor("max_price", least=1)}
    shares = {name: cells.number(name, 0, 1) for name in ("min_margin", "max_discount")}
    found: dict[str, Any] = {name: _money(minor, currency) for name, minor in prices.items() if minor is not None}
    return found | {name: share for name, share in shares.items() if share is not None}


def _money(minor: int, currency: str) -> dict[str, Any]:
    return {"amount_minor": minor, "currency": currency}
