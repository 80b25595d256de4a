"""Quote requests: the shopper, product, session events, context and limits for one price.

`QuoteRequest` is the body of `POST /v1/quotes`, and the form in which every other call asks for a price. Only `product`
is required. All schemas are frozen and refuse unknown fields, but `Context`, which takes any further number or text.
Their field types are defined in `agent.domain.fields`: text of bounded length, numbers within bounds, times with time
zone, `Money` in minor units of a currency, `Price` as positive money.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Annotated, Final, TypeVar

from pydantic import ConfigDict, Field, PrivateAttr, StrictBool, model_validator

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

S = TypeVar("S", bound=Strict)

MAX_EVENTS = 500
MAX_BATCH = 500  # quotes in one batch
MAX_PAGE = 200  # products of one page
MAX_ROWS = 1_000  # products, events or outcomes in one request
MAX_ATTRIBUTES = 100
MAX_NAME = 100

Attributes = Annotated[dict[AttributeName, AttributeValue], Field(max_length=MAX_ATTRIBUTES)]


class Personalisation(StrEnum):
    """Whether a shopper's data may be used; a request that does not say follows the shopper's stored consent."""

    ON = "on"
    OFF = "off"


class HigherPriceConsent(Strict):
    """Consent of the shopper to a higher price, given by an act of their own after they were told this reason.

    Where a law lets a personal price rise only with it (Manitoba), no price rises without. It loosens nothing else.
    """

    reason: Annotated[Short, Field(min_length=1)]
    """Why the price is higher, as the shopper was told."""


class Shopper(Strict):
    """The shopper, as far as known; protected attributes are dropped, and the answer names them."""

    id: Id | None = None
    """The shop's own id of the shopper; without one nothing that is stored about a shopper enters the price."""
    profile: Attributes | ProfileText | None = None
    """What is known of the shopper: attributes by name, or a text. Completes what is stored."""
    personalisation: Personalisation | None = None
    """Whether the shopper's data may be used; left out, the stored consent holds."""
    higher_price_consent: HigherPriceConsent | None = None
    """Consent to a higher price, where the shopper gave one."""


class ProductFields(Strict):
    """Description of a product."""

    title: Title = ""
    """Name of the product as shoppers read it."""
    description: Description = ""
    """Text that describes the product; with the title it decides which products are similar."""
    category: Short = ""
    """Category, in the shop's own words."""
    brand: Short = ""
    """Brand."""
    list_price: Price | None = None
    """Price of one unit that is open to everyone."""
    cost: Money | None = None
    """Cost of one unit; without a cost and a floor no price is personalised."""
    inventory: Count | None = None
    """Units in stock."""
    rating: Rating | None = None
    """Mean rating of reviews, 0 to 5."""
    attributes: Attributes = Field(default_factory=dict)
    """Further properties by name: numbers, texts, true or false."""


class QuotedProduct(ProductFields):
    """The product to price: a known `id`, or a description with a `list_price`, or both."""

    id: Id | None = None
    """Id of a product in the catalogue; fields given beside it take precedence over the stored ones."""

    @model_validator(mode="after")
    def _identified(self) -> "QuotedProduct":
        if self.id is None and self.list_price is None:
            raise ValueError(
                "needs the id of a known product, or a list_price with a title, category, brand or description"
            )
        if self.id is None and not (self.title or self.description or self.category or self.brand):
            raise ValueError("needs a title, description, category or brand, as there is no id")
        return self

    def of_id(self, product_id: str) -> "QuotedProduct":
        """A copy with another id, without validation: it must be in its normal form."""
        return _copied(self, {"id": product_id})


class SessionEvent(Strict):
    """A behaviour event: of the current session in a quote request."""

    type: EventType
    """Kind of behaviour."""
    product_id: Id | None = None
    """The product concerned; an event has a product or a text."""
    at: Time | None = None
    """When it happened; now where left out."""
    quantity: Quantity = 1
    """Units added, removed or bought."""
    price: Money | None = None
    """Price of one unit that the shopper saw or paid."""
    text: EventText = ""
    """What was searched for."""

    @model_validator(mode="after")
    def _has_subject(self) -> "SessionEvent":
        if self.product_id is None and not self.text:
            raise ValueError("needs a product_id or a text")
        return self


class CompetitorPrice(Price):
    """A competitor's price, where it comes from, and whether anyone can see it.

    In California a price is used only with a `source` and where it is `public`; elsewhere both are recorded.
    """

    source: Short = ""
    """Where the price comes from, such as an address."""
    public: StrictBool | None = None
    """Whether anyone can see it; left out where that is not known."""


class Promotion(Strict):
    """Promotion of the product where the price is shown; what is left out is not known."""

    display: StrictBool | None = None
    """True with a featured place: an end of an aisle, the top of a page, a banner."""
    mailer: StrictBool | None = None
    """True where it is advertised to everyone: in a leaflet, a newsletter, a campaign."""


def nested_promotion(context: Mapping[str, object]) -> dict[str, object]:
    """A context with `promotion.display` and its like, as rows have them, in one object `promotion`."""
    columns = {f"promotion.{name}": name for name in Promotion.model_fields}
    promotion = {columns[name]: value for name, value in context.items() if name in columns and isinstance(value, bool)}
    plain = {name: value for name, value in context.items() if columns.get(name) not in promotion}
    return plain | ({"promotion": promotion} if promotion else {})


class Context(Strict):
    """The situation of the request. Up to 100 further fields may be given: numbers, texts, true or false."""

    # The document leaves further fields open: typed ones would make typed clients refuse `competitor_prices`.
    model_config = ConfigDict(frozen=True, extra="allow", json_schema_extra={"additionalProperties": True})
    __pydantic_extra__: dict[str, AttributeValue] = Field(init=False)

    inventory: Count | None = None
    """Units left; overrides the product's."""
    competitor_prices: Annotated[list[CompetitorPrice], Field(max_length=100)] = Field(default_factory=list)
    """What others ask for the product now."""
    market_trend: Number | Short | None = None
    """-1 (falling) to 1 (rising), or a word such as `rising`."""
    promotion: Promotion | AttributeValue | None = None
    """Promotion of the product, or any word for it."""
    season: Short = ""
    """Season or occasion, in the shop's own words."""
    location: Short = ""
    """Where the shopper or the shop is, in the shop's own words."""
    jurisdiction: Short = ""
    """Whose law applies: a country or a state, such as `DE` or `US-NY`."""
    channel: Short = ""
    """Where the price is shown, such as `web` or `app`."""
    at: Time | None = None
    """Moment that is priced; now where left out."""
    deadline: Time | None = None
    """When the offer itself ends (end of sale, departure); the time allowed for the answer is `deadline_ms`."""

    @model_validator(mode="after")
    def _extras(self) -> "Context":
        names = self.__pydantic_extra__ or {}
        if len(names) > MAX_ATTRIBUTES:
            raise ValueError(f"has {len(names)} further fields; allowed: {MAX_ATTRIBUTES}")
        for name in names:
            if not 1 <= len(name) <= MAX_NAME or clean_text(name) != name:
                raise ValueError(
                    f"has a field named {name[:MAX_NAME]!r}; allowed: names of 1 to {MAX_NAME} printable characters"
                )
        return self


class Limits(Strict):
    """Limits of this price; the tightest of these, the merchant's and the product's applies."""

    min_price: Money | None = None
    """Lowest price of one unit."""
    max_price: Price | None = None
    """Highest price of one unit."""
    min_margin: Annotated[Fraction, Field(lt=0.99)] | None = None
    """Smallest (price - cost) / price."""
    max_discount: Fraction | None = None
    """Largest discount, a fraction of the reference price."""

    @model_validator(mode="after")
    def _ordered(self) -> "Limits":
        if self.min_price and self.max_price and self.min_price.amount_minor > self.max_price.amount_minor:
            raise ValueError(
                f"min_price {self.min_price.amount_minor} is above max_price {self.max_price.amount_minor}; "
                "allowed: at most max_price"
            )
        return self


class QuoteRequest(Strict):
    """A request for the price of one product for one shopper."""

    shopper: Shopper = Shopper()
    """For whom; a stranger where left out."""
    product: QuotedProduct
    """What is priced."""
    events: Annotated[list[SessionEvent], Field(max_length=MAX_EVENTS)] = Field(default_factory=list)
    """Behaviour in this session, oldest first."""
    context: Context = Field(default_factory=Context)
    """The situation."""
    quantity: Quantity = 1
    """Units wanted; prices are per unit."""
    limits: Limits = Limits()
    """Limits of this price."""
    deadline_ms: Annotated[int, Field(ge=1, le=60_000, strict=True)] | None = None
    """Milliseconds within which the answer is needed; a shorter time is answered from simpler steps (`rung`)."""
    _quote_id: str | None = PrivateAttr(default=None)
    _arrived_s: float | None = PrivateAttr(default=None)

    @property
    def quote_id(self) -> str | None:
        """Id for the quote; None lets the service choose one. Set by `tagged`, not by senders."""
        return self._quote_id

    @property
    def arrived_s(self) -> float | None:
        """Arrival by `time.perf_counter`, from which the deadline counts; None counts from the batch's start."""
        return self._arrived_s

    def tagged(self, quote_id: str | None, arrived_s: float | None = None) -> "QuoteRequest":
        """A copy with the id for its quote and its time of arrival."""
        return _copied(self, {}, {"_quote_id": quote_id, "_arrived_s": arrived_s})

    def of_known(self, product_id: str, quantity: int) -> "QuoteRequest":
        """A copy for a product of the catalogue, without validation: the id must be in its normal form."""
        changed: dict[str, object] = {"product": _KNOWN.of_id(product_id)}
        if quantity != self.quantity:
            changed["quantity"] = quantity
        return self.with_parts(changed)

    def with_parts(self, parts: Mapping[str, object]) -> "QuoteRequest":
        """A copy with other parts, without validation."""
        return _copied(self, parts, self.__pydantic_private__)

    def of_pair(self, shopper: Shopper, product: QuotedProduct) -> "QuoteRequest":
        """A copy for a shopper and a product, without validation: the product must have no money."""
        return self.with_parts({"shopper": shopper, "product": product})

    @model_validator(mode="after")
    def _one_currency(self) -> "QuoteRequest":
        check_currencies(self.money())
        return self

    def money(self) -> Iterator[tuple[str, str]]:
        """Paths of the money fields present, each with its currency."""
        if (listed := self.product.list_price) is not None:
            yield "product.list_price", listed.currency
        if (cost := self.product.cost) is not None:
            yield "product.cost", cost.currency
        yield from shared_money(self.limits, self.context, self.events)


_KNOWN: Final = QuotedProduct(id="-")
ID_ALONE: Final = frozenset({"id"})
"""Fields set of a shopper or a product that is named and not described."""


def _copied(model: S, changed: Mapping[str, object], private: dict[str, object] | None = None) -> S:
    """A copy of a frozen model without extra fields, in a fifth of the time that `model_copy` takes."""
    made = model.__new__(type(model))
    keep = object.__setattr__  # models refuse it, as they are frozen
    keep(made, "__dict__", {**model.__dict__, **changed})
    keep(made, "__pydantic_fields_set__", {*model.__pydantic_fields_set__, *changed})
    keep(made, "__pydantic_extra__", None)
    keep(made, "__pydantic_private__", private)
    return made


def shared_money(limits: Limits, context: Context, events: Sequence[SessionEvent]) -> Iterator[tuple[str, str]]:
    """Paths of the money fields present beside the product's, each with its currency."""
    if limits.min_price is not None:
        yield "limits.min_price", limits.min_price.currency
    if limits.max_price is not None:
        yield "limits.max_price", limits.max_price.currency
    for index, price in enumerate(context.competitor_prices):
        yield f"context.competitor_prices.{index}", price.currency
    for index, event in enumerate(events):
        if event.price is not None:
            yield f"events.{index}.price", event.price.currency


def check_currencies(named: Iterable[tuple[str, str]]) -> None:
    """Check that money fields, by path, are in one currency.

    Raises:
        ValueError: They are in several.
    """
    found = dict(named)
    if len(set(found.values())) > 1:
        listed = ", ".join(f"{field} {code}" for field, code in found.items())
        raise ValueError(f"has money in several currencies ({listed}); allowed: one")


class RecommendationRequest(Strict):
    """A request for priced products for a shopper, of one `category` if given."""

    shopper: Shopper = Shopper()
    """For whom; a stranger where left out."""
    events: Annotated[list[SessionEvent], Field(max_length=MAX_EVENTS)] = Field(default_factory=list)
    """Behaviour in this session, oldest first."""
    context: Context = Context()
    """The situation."""
    category: Short | None = None
    """The one category to recommend from."""
    limit: Annotated[int, Field(ge=1, le=50, strict=True)] = 10
    """Number of products."""


def product_record(fields: ProductFields, product_id: str, currency: str) -> ProductRecord:
    """The record of a described product, without limits of its own."""
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
