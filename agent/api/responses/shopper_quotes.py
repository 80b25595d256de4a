"""Response models of a quote in the view of its reader."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel

from agent.api.responses.disclosure import DisclosureAnswer, disclosure_answer
from agent.api.responses.money import MoneyAnswer, money
from agent.api.responses.quotes import QuoteAnswer, quote_answer
from agent.domain.decision import Decision

_MERCHANTS: Final = ("product.cost", "limits", "merchant")
"""Sources of inputs that are the merchant's own affair."""


class View(StrEnum):
    """Reader of an answer."""

    SHOPPER = "shopper"
    MERCHANT = "merchant"


@dataclass(frozen=True, slots=True)
class Shown:
    """The view that a caller gets, with the candidates or without."""

    view: View
    candidates: bool = False


class ShopperQuoteAnswer(BaseModel):
    """A priced quote without anything that the merchant's cost could be computed from; prices are per unit."""

    id: str
    at: datetime
    product_id: str | None
    shopper_id: str | None
    quantity: int
    price: MoneyAnswer
    reference_price: MoneyAnswer
    list_price: MoneyAnswer | None
    personalised: bool
    disclosure: DisclosureAnswer
    valid_until: datetime
    token: str


AnyQuote = QuoteAnswer | ShopperQuoteAnswer


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
