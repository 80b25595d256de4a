"""Response models of a quote in the view of its reader, for the OpenAPI document; `quote_json` writes their fields."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from agent.api.responses.answer import Answer
from agent.api.responses.disclosure import DisclosureAnswer
from agent.api.responses.money import MoneyAnswer
from agent.api.responses.quotes import QuoteAnswer, RecordedQuote
from agent.api.responses.shown import View


class ShopperQuoteAnswer(Answer):
    """A priced quote without anything that the merchant's cost could be computed from; prices are per unit."""

    view: Literal[View.SHOPPER] = View.SHOPPER
    """Tells this view from the merchant's."""
    id: str
    """Id of the quote; outcomes name it."""
    at: datetime
    """When it was made."""
    product_id: str | None
    """Id of the product; null for one that was only described."""
    shopper_id: str | None
    """Id of the shopper; null for a stranger."""
    quantity: int
    """Units wanted."""
    price: MoneyAnswer
    """The price to show."""
    reference_price: MoneyAnswer
    """The price without personal data, the one that everyone may pay."""
    list_price: MoneyAnswer | None
    """The list price."""
    personalised: bool
    """Whether personal data moved the price."""
    disclosure: DisclosureAnswer
    """Notice to the shopper."""
    valid_until: datetime
    """When the quote expires."""
    token: str
    """The signed quote: verify it at the checkout."""


AnyQuote = QuoteAnswer | ShopperQuoteAnswer
ShownQuote = TypeAliasType(
    "ShownQuote",
    Annotated[AnyQuote, Field(discriminator="view", description="A quote in the view of its reader.")],
)
ShownRecord = TypeAliasType(
    "ShownRecord",
    Annotated[
        RecordedQuote | ShopperQuoteAnswer,
        Field(discriminator="view", description="A recorded quote in the view of its reader."),
    ],
)
