"""Kinds of questions, and a question once it is classified."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final


class QuestionKind(StrEnum):
    """Kind of a question; `NONE` is everything that the record cannot answer."""

    WHY_PRICE = "why_price"
    WHY_NOT = "why_not"
    DRIVER = "driver"
    RULE = "rule"
    WHAT_IF_PRICE = "what_if_price"
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
    PRODUCT_SALES = "product_sales"
    NONE = "none"


LOG_KINDS: Final = frozenset(
    (
        QuestionKind.CATEGORY_DISCOUNTS,
        QuestionKind.FLOOR_PRODUCTS,
        QuestionKind.ABOVE_REFERENCE,
        QuestionKind.PRODUCT_SALES,
    )
)


class Language(StrEnum):
    """Languages that answers are written in."""

    EN = "en"
    ZH = "zh"


class Audience(StrEnum):
    """Reader of an answer; shoppers never see cost, margin, profit or limits."""

    MERCHANT = "merchant"
    SHOPPER = "shopper"


_FAR: Final = 20


class NotUnderstood(StrEnum):
    """Reason why a question is not answered."""

    ELSEWHERE_LOG = "elsewhere_log"
    ELSEWHERE_QUOTE = "elsewhere_quote"
    FUTURE = "future"
    COMMAND = "command"
    SEVERAL_QUESTIONS = "several_questions"
    SEVERAL_AMOUNTS = "several_amounts"
    OTHER_CURRENCY = "other_currency"
    OTHER_PRODUCT = "other_product"
    OTHER_DAYS = "other_days"
    UNUSED_AMOUNT = "unused_amount"
    UNUSED_PRODUCT = "unused_product"
    UNKNOWN_PRODUCT = "unknown_product"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Period:
    """Span of time from `since`, included, to `until`, excluded."""

    since: datetime
    until: datetime

    @property
    def first_day(self) -> date:
        """First day of the span."""
        return self.since.date()

    @property
    def last_day(self) -> date:
        """Last day of the span, included."""
        return max(self.first_day, (self.until - timedelta(microseconds=1)).date())


@dataclass(frozen=True, slots=True)
class Slots:
    """Values named in a question. Money is in minor units of the quote's currency.

    Attributes:
        amount_minor: An amount of money, such as 1.00; `several_amounts` says that there is more than one.
        bare_amount: Whether the amount has neither a unit nor digits behind the point, and may be another number.
        change_minor: A signed change of an amount: 5 cents cheaper is -5.
        change_pct: A signed change in percent: 10 % cheaper is -10.
        factor: A multiple, such as 2 for double the stock.
        other: Id of another shopper or quote.
        products: Ids of the products that the question may mean.
        subject: Words that name no known product or category, or the words that named the products.
        near: Titles that have some of the words.
        lower: Whether the question asks for less or for more; None when for neither.
        period: Span of time that the question names; None without one.
        other_currency: A currency that is named beside an amount and is not the quote's.
    """

    amount_minor: int | None = None
    change_minor: int | None = None
    change_pct: float | None = None
    count: int | None = None
    factor: float | None = None
    other: str | None = None
    category: str | None = None
    products: tuple[str, ...] = ()
    subject: str | None = None
    near: tuple[str, ...] = ()
    lower: bool | None = None
    period: Period | None = None
    bare_amount: bool = False
    several_amounts: bool = False
    other_currency: str | None = None

    @property
    def names_a_value(self) -> bool:
        """Whether an amount or a change of one is named."""
        values = (self.amount_minor, self.change_minor, self.change_pct, self.factor)
        return any(one is not None for one in values)

    def plausible(self, price_minor: int) -> "Slots":
        """Slots without a bare number that is far from a price; it may be the number of an order or a year."""
        told = self.amount_minor
        if told is None or not self.bare_amount or price_minor / _FAR <= told <= price_minor * _FAR:
            return self
        return replace(self, amount_minor=None)

    def value_from(self, now: int | None) -> int | None:
        """The amount that the question names, absolute or as a change from `now`; None where it names none."""
        if self.change_minor is not None and now is not None:
            return max(1, now + self.change_minor)
        if self.change_pct is not None and now is not None:
            return max(1, round(now * (1 + self.change_pct / 100)))
        if self.amount_minor is not None:
            return self.amount_minor
        if self.factor and now is not None:
            return max(1, round(now * self.factor))
        return None


@dataclass(frozen=True, slots=True)
class QuestionInput:
    """A question as received; None leaves language or audience to be detected."""

    question: str | None = None
    language: Language | None = None
    audience: Audience = Audience.MERCHANT


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its kind and slots; `reason` says why a question of no kind is not answered."""

    text: str
    kind: QuestionKind
    language: Language
    audience: Audience = Audience.MERCHANT
    slots: Slots = field(default_factory=Slots)
    reason: NotUnderstood | None = None


def language_of(text: str) -> Language:
    """The language a text is written in: Chinese as soon as two characters of it are."""
    han = sum("一" <= char <= "鿿" for char in text)
    return Language.ZH if han >= 2 or (han and len(text) < 4) else Language.EN
