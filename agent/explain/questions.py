"""Kinds of questions, and a question once it is classified."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class QuestionKind(StrEnum):
    """Kind of a question; `NONE` is everything that the record cannot answer."""

    WHY_PRICE = "why_price"
    WHY_NOT = "why_not"
    DRIVER = "driver"
    RULE = "rule"
    WHAT_IF_STOCK = "what_if_stock"
    WHAT_IF_COMPETITOR = "what_if_competitor"
    WHAT_IF_COST = "what_if_cost"
    WHAT_IF_HISTORY = "what_if_history"
    COMPARE = "compare"
    CONFIDENCE = "confidence"
    SIMILAR_SHOPPERS = "similar_shoppers"
    PRICE_HISTORY = "price_history"
    PERSONALISED = "personalised"
    CATEGORY_DISCOUNTS = "category_discounts"
    FLOOR_PRODUCTS = "floor_products"
    ABOVE_REFERENCE = "above_reference"
    NONE = "none"


LOG_KINDS: Final = frozenset(
    (QuestionKind.CATEGORY_DISCOUNTS, QuestionKind.FLOOR_PRODUCTS, QuestionKind.ABOVE_REFERENCE)
)


class Language(StrEnum):
    """Languages that answers are written in."""

    EN = "en"
    ZH = "zh"


class Audience(StrEnum):
    """Reader of an answer; shoppers never see cost, margin, profit or limits."""

    MERCHANT = "merchant"
    SHOPPER = "shopper"


@dataclass(frozen=True, slots=True)
class Slots:
    """Values named in a question. Money is in minor units of the quote's currency.

    Attributes:
        change_pct: A change in percent, signed: 10 % cheaper is -10.
        factor: A multiple, such as 2 for double the stock.
        other: Id of another shopper or quote.
        lower: Whether the question asks for less or for more; None when for neither.
        days: How far back the question looks.
    """

    amount_minor: int | None = None
    change_pct: float | None = None
    count: int | None = None
    factor: float | None = None
    other: str | None = None
    category: str | None = None
    lower: bool | None = None
    days: int = 7


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its kind and slots; `elsewhere` names the endpoint that answers this kind."""

    text: str
    kind: QuestionKind
    language: Language
    audience: Audience = Audience.MERCHANT
    slots: Slots = field(default_factory=Slots)
    elsewhere: str | None = None


def language_of(text: str) -> Language:
    """The language a text is written in: Chinese as soon as two characters of it are."""
    han = sum("一" <= char <= "鿿" for char in text)
    return Language.ZH if han >= 2 or (han and len(text) < 4) else Language.EN
