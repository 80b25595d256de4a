"""HTTP handlers for lists: quotes, outcomes, events, products, shoppers; page by page, with filters."""

from collections.abc import Callable
from typing import Annotated, ClassVar, Final, TypeVar

from litestar import Response, get
from pydantic import BaseModel, Field

from agent.api.authorisation import authorise
from agent.api.context import AnyRequest
from agent.api.openapi import SECURITY, operation
from agent.api.query import Flag, Moment, PageQuery, read_query
from agent.api.responses.pages import (
    EventsPage,
    OutcomesPage,
    QuotesPage,
    ShoppersPage,
    listed_event,
    listed_quote,
    listed_shopper,
    stored_outcome,
)
from agent.api.responses.products import ProductsPage, product_answer
from agent.api.responses.rendering import json_response
from agent.domain.candidates import Source
from agent.domain.decision import Rung
from agent.domain.fields import Currency, Id, Short
from agent.domain.records import EventType, OutcomeType
from agent.domain.request import Personalisation
from agent.service.auth.api_keys import Scope
from agent.store import Store
from agent.store.lists import EventFilter, OutcomeFilter, PageOf, ProductListFilter, QuoteFilter, ShopperFilter
from models.strategist.strategy import Lever

Q = TypeVar("Q", bound=PageQuery)
R = TypeVar("R")

ProductId = Annotated[Id | None, Field(description="Rows of this product alone.")]
ShopperId = Annotated[Id | None, Field(description="Rows of this shopper alone.")]
From = Annotated[Moment | None, Field(alias="from", description="Rows at this time or later alone (RFC 3339).")]
Until = Annotated[Moment | None, Field(description="Rows before this time alone (RFC 3339).")]
CurrencyCode = Annotated[Currency | None, Field(description="Rows in this currency alone, by its ISO 4217 code.")]


class QuoteQuery(PageQuery):
    """Parameters of the list of quotes."""

    keys: ClassVar[tuple[type, ...]] = (int, str)

    product_id: ProductId = None
    shopper_id: ShopperId = None
    from_: From = None
    until: Until = None
    personalised: Annotated[Flag | None, Field(description="Quotes with, or without, a personalised price alone.")] = (
        None
    )
    source: Annotated[Source | None, Field(description="Quotes whose price this proposed alone.")] = None
    lever: Annotated[Lever | None, Field(description="Quotes whose price has this reason alone.")] = None
    rung: Annotated[Rung | None, Field(description="Quotes answered from this fallback level alone.")] = None
    currency: CurrencyCode = None

    def wanted(self) -> QuoteFilter:
        """The filter."""
        return QuoteFilter(
            product_id=self.product_id,
            shopper_id=self.shopper_id,
            since=self.from_,
            until=self.until,
            personalised=self.personalised,
            source=self.source,
            lever=self.lever,
            rung=self.rung,
            currency=self.currency,
        )


class OutcomeQuery(PageQuery):
    """Parameters of the list of outcomes."""

    quote_id: Annotated[Id | None, Field(description="Outcomes of this quote alone.")] = None
    product_id: ProductId = None
    shopper_id: ShopperId = None
    type: Annotated[OutcomeType | None, Field(description="Outcomes of this type alone.")] = None
    from_: From = None
    until: Until = None

    def wanted(self) -> OutcomeFilter:
        """The filter."""
        return OutcomeFilter(self.quote_id, self.product_id, self.shopper_id, self.type, self.from_, self.until)


class EventQuery(PageQuery):
    """Parameters of the list of events."""

    shopper_id: ShopperId = None
    product_id: ProductId = None
    type: Annotated[EventType | None, Field(description="Events of this type alone.")] = None
    from_: From = None
    until: Until = None

    def wanted(self) -> EventFilter:
        """The filter."""
        return EventFilter(self.shopper_id, self.product_id, self.type, self.from_, self.until)


class ProductQuery(PageQuery):
    """Parameters of the list of products."""

    keys: ClassVar[tuple[type, ...]] = (str,)

    category: Annotated[Short | None, Field(description="Products of this category alone.")] = None
    brand: Annotated[Short | None, Field(description="Products of this brand alone.")] = None
    currency: CurrencyCode = None
    q: Annotated[Short | None, Field(min_length=1, description="Products with this in their title, in any case.")] = (
        None
    )

    def wanted(self) -> ProductListFilter:
        """The filter."""
        return ProductListFilter(self.category, self.brand, self.currency, self.q)


class ShopperQuery(PageQuery):
    """Parameters of the list of shoppers."""

    keys: ClassVar[tuple[type, ...]] = (str,)

    personalisation: Annotated[
        Personalisation | None, Field(description="Shoppers whose data may be used (`on`), or not (`off`), alone.")
    ] = None

    def wanted(self) -> ShopperFilter:
        """The filter."""
        consent = self.personalisation
        return ShopperFilter(None if consent is None else consent is Personalisation.ON)


@get(
    "/v1/quotes",
    operation_id="listQuotes",
    operation_class=operation(None, QuotesPage, query=QuoteQuery),
    summary="List quotes",
    tags=["quotes"],
    security=SECURITY,
)
async def list_quotes(request: AnyRequest) -> Response[bytes]:
    """Recorded quotes in short, newest first. Candidates, scores and trail are in the quote by its id."""
    return await _answered(
        request,
        QuoteQuery,
        lambda store, asked: store.quote_page(asked.wanted(), asked.start, asked.limit),
        listed_quote,
        QuotesPage,
    )


@get(
    "/v1/outcomes",
    operation_id="listOutcomes",
    operation_class=operation(None, OutcomesPage, query=OutcomeQuery),
    summary="List outcomes",
    tags=["outcomes"],
    security=SECURITY,
)
async def list_outcomes(request: AnyRequest) -> Response[bytes]:
    """Stored outcomes, newest first: of quotes, and of offers made elsewhere that were imported."""
    return await _answered(
        request,
        OutcomeQuery,
        lambda store, asked: store.outcome_page(asked.wanted(), asked.start, asked.limit),
        stored_outcome,
        OutcomesPage,
    )


@get(
    "/v1/events",
    operation_id="listEvents",
    operation_class=operation(None, EventsPage, query=EventQuery),
    summary="List events",
    tags=["events"],
    security=SECURITY,
)
async def list_events(request: AnyRequest) -> Response[bytes]:
    """Stored behaviour events, newest first, sales that outcomes implied among them."""
    return await _answered(
        request,
        EventQuery,
        lambda store, asked: store.event_page(asked.wanted(), asked.start, asked.limit),
        listed_event,
        EventsPage,
    )


@get(
    "/v1/products",
    operation_id="listProducts",
    operation_class=operation(None, ProductsPage, query=ProductQuery),
    summary="List products",
    tags=["products"],
    security=SECURITY,
)
async def list_products(request: AnyRequest) -> Response[bytes]:
    """Products by id, without removed ones. A row may be sent back to `PUT /v1/products` as it is."""
    return await _answered(
        request,
        ProductQuery,
        lambda store, asked: store.product_page(asked.wanted(), asked.start, asked.limit),
        product_answer,
        ProductsPage,
    )


@get(
    "/v1/shoppers",
    operation_id="listShoppers",
    operation_class=operation(None, ShoppersPage, query=ShopperQuery),
    summary="List shoppers",
    tags=["shoppers"],
    security=SECURITY,
)
async def list_shoppers(request: AnyRequest) -> Response[bytes]:
    """Shoppers by id of whom anything is stored, with profile and consent."""
    return await _answered(
        request,
        ShopperQuery,
        lambda store, asked: store.shopper_page(asked.wanted(), asked.start, asked.limit),
        listed_shopper,
        ShoppersPage,
    )


async def _answered(
    request: AnyRequest,
    kind: type[Q],
    read: Callable[[Store, Q], PageOf[R]],
    shown: Callable[[R], BaseModel],
    answer: Callable[..., BaseModel],
) -> Response[bytes]:
    """Read the query and the page that it asks for, and answer the rows as they are shown."""
    context = await authorise(request, Scope.MERCHANT)
    query = read_query(kind, request)
    page = await context.run(read, context.store, query)
    after = query.next(page)
    return json_response(answer(items=list(map(shown, page.rows)), has_more=after is not None, next=after))


LISTS: Final = (list_quotes, list_outcomes, list_events, list_products, list_shoppers)
"""Functions rather than a controller: Litestar joins no two controllers on one path."""
