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
from agent.domain.request import (
    MAX_EVENTS,
    MAX_ROWS,
    Context,
    Limits,
    ProductFields,
    QuotedProduct,
    SessionEvent,
    Shopper,
)


class Product(ProductFields):
    """A product for the catalogue; replaces the one with its id."""

    id: Id
    """The shop's own id of the product."""
    title: Annotated[Title, Field(min_length=1)]
    """Name of the product as shoppers read it."""
    list_price: Price
    """Price of one unit that is open to everyone."""
    min_price: Money | None = None
    """Lowest price of one unit."""
    max_price: Price | None = None
    """Highest price of one unit."""
    map_price: Money | None = None
    """Minimum advertised price."""


class Event(SessionEvent):
    """A behaviour event of a shopper; it has a product or a text."""

    shopper_id: Id
    """The shop's own id of the shopper."""


class EventList(Strict):
    """Behaviour events, taken as a whole or not at all."""

    events: Annotated[list[Event], Field(min_length=1, max_length=MAX_ROWS)]
    """The events."""


class OutcomeIn(Strict, title="OutcomeReport"):
    """An outcome of a quote."""

    quote_id: Id
    """Id of the quote that the shopper was shown."""
    type: OutcomeType
    """What the shopper did."""
    quantity: Quantity | None = None
    """Units; by default those quoted, for a return or a rating those bought."""
    rating: Annotated[float, Field(ge=1, le=5)] | None = None
    """Rating of what was bought, 1 to 5: needed by `rated`, possible with `purchased` and `returned`."""
    at: Time | None = None
    """When it happened; now where left out."""
    outcome_id: Id | None = None
    """The shop's own id of the outcome: reported again under it, an outcome is stored once."""


class OutcomeList(Strict):
    """Outcomes, of which bad ones fail alone."""

    outcomes: Annotated[list[OutcomeIn], Field(min_length=1, max_length=MAX_ROWS)]
    """The outcomes."""


class ProductList(Strict):
    """Products, taken all or none."""

    products: Annotated[list[Product], Field(min_length=1, max_length=MAX_ROWS)]
    """The products."""


class VerifyRequest(Strict):
    """A quote's token, and what the cart is about to sell with it, to be compared where given."""

    token: Annotated[str, Field(min_length=1, max_length=8_192)]
    """The token of a quote."""
    quantity: Quantity | None = None
    """Units in the cart."""
    product_id: Id | None = None
    """The product in the cart."""
    shopper_id: Id | None = None
    """The shopper at the checkout."""


class BatchItem(Strict):
    """One product of a list that shares shopper, events, context and limits."""

    product: QuotedProduct
    """What is priced."""
    quantity: Quantity = 1
    """Units wanted; prices are per unit."""


class SharedBatch(Strict):
    """Fields that all rows of a product list share."""

    shopper: Shopper = Shopper()
    """For whom; a stranger where left out."""
    events: Annotated[list[SessionEvent], Field(max_length=MAX_EVENTS)] = Field(default_factory=list)
    """Behaviour in this session, oldest first."""
    context: Context = Context()
    """The situation."""
    limits: Limits = Limits()
    """Limits of each price."""
    deadline_ms: Annotated[int, Field(ge=1, le=60_000, strict=True)] | None = None
    """Milliseconds within which the answer is needed."""


OutcomeRows = Annotated[list[OutcomeIn], Field(min_length=1, max_length=MAX_ROWS)]
EventRows = Annotated[list[Event], Field(min_length=1, max_length=MAX_ROWS)]
ProductRows = Annotated[list[Product], Field(min_length=1, max_length=MAX_ROWS)]
