"""Requests for prices: who asks, for which product, in which situation, within which limits."""

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue, PrivateAttr, model_validator

from agent.domain.fields import (
    AttributeName,
    AttributeValue,
    Count,
    Description,
    EventText,
    Fraction,
    Id,
    Money,
    Number,
    Price,
    ProfileText,
    Quantity,
    Rating,
    Short,
    Strict,
    Time,
    Title,
    clean_text,
    minor_of,
)
from agent.domain.records import EventType, ProductRecord

MAX_EVENTS = 500
MAX_BATCH = 500
MAX_ROWS = 1_000
MAX_ATTRIBUTES = 100
MAX_NAME = 100

EXAMPLE: dict[str, JsonValue] = {
    "shopper": {"profile": {"age": 30, "income": 50000, "gender": "male", "region": "urban"}},
    "product": {
        "category": "electronics",
        "brand": "Samsung",
        "list_price": {"amount_minor": 100000, "currency": "USD"},
        "rating": 4.5,
    },
}

Attributes = Annotated[dict[AttributeName, AttributeValue], Field(max_length=MAX_ATTRIBUTES)]


class Personalisation(StrEnum):
    """Whether a shopper's data may enter."""

    ON = "on"
    OFF = "off"


class Shopper(Strict):
    """Who asks. All of it is optional; protected attributes are dropped and named in the answer."""

    id: Id | None = None
    profile: Attributes | ProfileText | None = None
    personalisation: Personalisation | None = None


class ProductFields(Strict):
    """A product in the words of the shop."""

    title: Title = ""
    description: Description = ""
    category: Short = ""
    brand: Short = ""
    list_price: Price | None = None
    cost: Money | None = None
    inventory: Count | None = None
    rating: Rating | None = None
    attributes: Attributes = Field(default_factory=dict)


class QuotedProduct(ProductFields):
    """The product to price: a known `id`, or a description with a `list_price`, or both."""

    id: Id | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "QuotedProduct":
        if self.id is None and self.list_price is None:
            raise ValueError(
                "give the id of a known product, or a list_price with a title, category, brand or description"
            )
        if self.id is None and not (self.title or self.description or self.category or self.brand):
            raise ValueError("a product without id needs a title, description, category or brand")
        return self


class SessionEvent(Strict):
    """What the shopper just did; `at` defaults to now."""

    type: EventType
    product_id: Id | None = None
    at: Time | None = None
    quantity: Quantity = 1
    price: Money | None = None
    text: EventText = ""

    @model_validator(mode="after")
    def _says_something(self) -> "SessionEvent":
        if self.product_id is None and not self.text:
            raise ValueError("an event needs a product_id or a text")
        return self


class Context(Strict):
    """The situation; any further number or text is kept beside the decision."""

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, AttributeValue] = Field(init=False)

    inventory: Count | None = None
    competitor_prices: Annotated[list[Price], Field(max_length=100)] = Field(default_factory=list)
    market_trend: Number | Short | None = None
    season: Short = ""
    location: Short = ""
    jurisdiction: Short = ""
    channel: Short = ""
    at: Time | None = None
    deadline: Time | None = None

    @model_validator(mode="after")
    def _extras(self) -> "Context":
        names = self.__pydantic_extra__ or {}
        if len(names) > MAX_ATTRIBUTES:
            raise ValueError(f"{len(names)} further fields; allowed: {MAX_ATTRIBUTES}")
        for name in names:
            if not 1 <= len(name) <= MAX_NAME or clean_text(name) != name:
                raise ValueError(
                    f"the name {name[:MAX_NAME]!r} is not usable; allowed: 1 to {MAX_NAME} printable characters"
                )
        return self


class Limits(Strict):
    """Limits for this request; with the merchant's and the product's, the tightest holds."""

    min_price: Money | None = None
    max_price: Price | None = None
    min_margin: Annotated[Fraction, Field(lt=0.99)] | None = None
    max_discount: Fraction | None = None

    @model_validator(mode="after")
    def _ordered(self) -> "Limits":
        if self.min_price and self.max_price and self.min_price.amount_minor > self.max_price.amount_minor:
            raise ValueError("min_price is above max_price")
        return self


class QuoteRequest(Strict):
    """Price one product for one shopper."""

    model_config = ConfigDict(frozen=True, extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    shopper: Shopper = Shopper()
    product: QuotedProduct
    events: Annotated[list[SessionEvent], Field(max_length=MAX_EVENTS)] = Field(default_factory=list)
    context: Context = Field(default_factory=Context)
    quantity: Quantity = 1
    limits: Limits = Limits()
    deadline_ms: Annotated[int, Field(ge=1, le=60_000, strict=True)] | None = None
    _quote_id: str | None = PrivateAttr(default=None)
    _arrived_s: float | None = PrivateAttr(default=None)

    @property
    def quote_id(self) -> str | None:
        """The id that the quote shall have, None where that is the service's to choose."""
        return self._quote_id

    @property
    def arrived_s(self) -> float | None:
        """When it arrived, by `time.perf_counter`; its deadline counts from then, from its batch's start without it."""
        return self._arrived_s

    def tagged(self, quote_id: str | None, arrived_s: float | None = None) -> "QuoteRequest":
        """The same request, with the id that its quote shall have and the moment when it arrived."""
        found = self.model_copy()
        found._quote_id, found._arrived_s = quote_id, arrived_s
        return found

    @model_validator(mode="after")
    def _one_currency(self) -> "QuoteRequest":
        found = dict(self.money())
        if len(set(found.values())) > 1:
            listed = ", ".join(f"{field} {code}" for field, code in found.items())
            raise ValueError(f"all money of one request must be in one currency, got {listed}")
        return self

    def money(self) -> Iterator[tuple[str, str]]:
        """Each money field that is given, with its currency."""
        named: Mapping[str, Money | None] = {
            "product.list_price": self.product.list_price,
            "product.cost": self.product.cost,
            "limits.min_price": self.limits.min_price,
            "limits.max_price": self.limits.max_price,
            **{f"context.competitor_prices.{i}": price for i, price in enumerate(self.context.competitor_prices)},
            **{f"events.{i}.price": event.price for i, event in enumerate(self.events)},
        }
        return ((field, value.currency) for field, value in named.items() if value is not None)


class RecommendationRequest(Strict):
    """Products for a shopper, each priced."""

    shopper: Shopper = Shopper()
    events: Annotated[list[SessionEvent], Field(max_length=MAX_EVENTS)] = Field(default_factory=list)
    context: Context = Context()
    category: Short | None = None
    limit: Annotated[int, Field(ge=1, le=50, strict=True)] = 10


def product_record(fields: ProductFields, product_id: str, currency: str) -> ProductRecord:
    """A product record of what a product body says; limits of its own are left empty."""
    return ProductRecord(
        product_id=product_id,
        title=fields.title,
        currency=currency,
        list_minor=minor_of(fields.list_price),
        cost_minor=minor_of(fields.cost),
        description=fields.description,
        category=fields.category,
        brand=fields.brand,
        inventory=fields.inventory,
        rating=fields.rating,
        attributes=fields.attributes,
    )
