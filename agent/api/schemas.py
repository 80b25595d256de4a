"""Request schemas of HTTP version 1, but for quotes and recommendations: these are in `agent.domain.request`."""

from typing import Annotated

from pydantic import Field

from agent.domain.fields import (
    Id,
    Money,
    Price,
    Quantity,
    Strict,
    Time,
    Title,
)
from agent.domain.records import OutcomeType
from agent.domain.request import MAX_EVENTS, Context, Limits, ProductFields, QuotedProduct, SessionEvent, Shopper


class Product(ProductFields):
    """A product for the catalogue; replaces the one with its id."""

    id: Id
    title: Annotated[Title, Field(min_length=1)]
    list_price: Price
    min_price: Money | None = None
    max_price: Price | None = None
    map_price: Money | None = None


class Event(SessionEvent):
    """A behaviour event of a shopper."""

    shopper_id: Id


class OutcomeIn(Strict):
    """An outcome of a quote.

    `quantity` defaults to the quoted one, for a return to what was bought; `at` to now. `outcome_id` is the shop's own
    id of the outcome: reported again under it, an outcome is stored once.
    """

    quote_id: Id
    type: OutcomeType
    quantity: Quantity | None = None
    at: Time | None = None
    outcome_id: Id | None = None


class VerifyRequest(Strict):
    """A quote's token, and what the cart is about to sell with it, to be compared where given."""

    token: Annotated[str, Field(min_length=1, max_length=8_192)]
    quantity: Quantity | None = None
    product_id: Id | None = None
    shopper_id: Id | None = None


class BatchItem(Strict):
    """One product of a list that shares shopper, events, context and limits."""

    product: QuotedProduct
    quantity: Quantity = 1


class SharedBatch(Strict):
    """Fields that all rows of a product list share."""

    shopper: Shopper = Shopper()
    events: Annotated[list[SessionEvent], Field(max_length=MAX_EVENTS)] = Field(default_factory=list)
    context: Context = Context()
    limits: Limits = Limits()
    deadline_ms: Annotated[int, Field(ge=1, le=60_000, strict=True)] | None = None
