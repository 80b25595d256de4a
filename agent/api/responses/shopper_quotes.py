"""Response models of a quote in the view of its reader."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field
from typing_extensions import TypeAliasType

from agent.api.responses.answer import Answer
from agent.api.responses.disclosure import DisclosureAnswer, disclosure_answer
from agent.api.responses.money import MoneyAnswer, money
from agent.api.responses.quotes import QuoteAnswer, RecordedQuote, View, quote_answer
from agent.domain.decision import Decision

_MERCHANTS: Final = ("product.cost", "limits", "merchant")
"""Sources of inputs that are the merchant's own affair."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The view that a caller gets, with the candidates or without."""

    view: View
    candidates: bool = False


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


def shown_quote(decision: Decision, shown: Shown) -> AnyQuote:
    """The response model of a decision in a view."""
    if shown.view is View.MERCHANT:
        return quote_answer(decision, candidates=shown.candidates)
    return shopper_quote(decision)


def shopper_quote(decision: Decision) -> ShopperQuoteAnswer:
    """The shopper's view of a decision."""
    currency, listed = decision.currency, decision.list_minor
    told = decision.disclosure
    used = tuple(name for name in told.inputs_used if not name.startswith(_MERCHANTS))
    return ShopperQuoteAnswer(
        id=decision.id,
        at=decision.at,
        product_id=decision.product_id,
        shopper_id=decision.shopper_id,
        quantity=decision.quantity,
        price=money(decision.price_minor, currency),
        reference_price=money(decision.reference_minor, currency),
        list_price=None if listed is None else money(listed, currency),
        personalised=decision.personalised,
        disclosure=disclosure_answer(replace(told, inputs_used=used), currency),
        valid_until=decision.valid_until,
        token=decision.token,
    )
