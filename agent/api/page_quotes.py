"""A page of prices: many products of the catalogue for one shopper in one situation.

Fields that all products share are parsed and validated once, and priced together. A product that the page names twice
has one quote, answered at both places.

As NDJSON the rows are sent as they are priced, in chunks of which the first is small. Under an Idempotency-Key they are
sent when all are priced, so that the answer can be kept and sent again.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any, Final

from litestar import Controller, Response, post
from litestar.response import Stream
from pydantic import Field, TypeAdapter, model_validator

from agent.api import examples
from agent.api.authorisation import authorise
from agent.api.batch import price_rows
from agent.api.body import parse_json, read_body, validate
from agent.api.context import AnyRequest, AppContext
from agent.api.idempotency import answer, idempotency_key
from agent.api.openapi import SECURITY, operation
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.publishable import check_asked
from agent.api.responses.lists import PageAnswer, RowAnswer, page_json, row_lines
from agent.api.responses.rendering import NDJSON, Lines
from agent.api.responses.shown import Shown
from agent.api.schemas import SharedBatch
from agent.api.views import AskedView, Include, ViewName
from agent.domain.decision import Decision
from agent.domain.fields import Id, Quantity
from agent.domain.refusal import Refusal
from agent.domain.request import MAX_PAGE, QuotedProduct, QuoteRequest, check_currencies, shared_money
from agent.service.auth.api_keys import Scope
from agent.store import StoreError

_FIRST: Final = 8  # products of the first chunk: those that a screen shows
_CHUNK: Final = 48

Row = Decision | Refusal | Problem


class PageRequest(SharedBatch):
    """Products of the catalogue for one shopper in one situation."""

    products: Annotated[list[Id], Field(min_length=1, max_length=MAX_PAGE)]
    """Ids of the products; one that is named twice is priced once and answered twice."""
    quantity: Quantity = 1
    """Units wanted of each; prices are per unit."""

    @model_validator(mode="after")
    def _one_currency(self) -> "PageRequest":
        check_currencies(shared_money(self.limits, self.context, self.events))
        return self

    def requests(self) -> dict[str, QuoteRequest]:
        """One request a product, by its id, in the order of the page."""
        base = self.base()
        return {product_id: base.of_known(product_id, self.quantity) for product_id in dict.fromkeys(self.products)}

    def base(self) -> QuoteRequest:
        """The request for the first product, to copy."""
        shared = {name: getattr(self, name) for name in PageRequest.model_fields if name != "products"}
        given = {"product", *self.model_fields_set} - {"products"}
        return QuoteRequest.model_construct(given, product=QuotedProduct(id=self.products[0]), **shared)


_PAGE: Final = TypeAdapter(PageRequest)


class PageController(Controller):
    """Pages of prices."""

    path = "/v1/pages"
    tags = ("quotes",)
    security = SECURITY

    @post(
        "/",
        status_code=200,
        operation_id="createPage",
        operation_class=operation(
            PageRequest, PageAnswer, lines=RowAnswer, scopes=(Scope.QUOTES,), examples=examples.PAGES
        ),
        summary="Price a page of products",
    )
    async def page(self, request: AnyRequest, view: ViewName = None, include: Include = None) -> Response[Any]:
        """Price up to 200 products of the catalogue for one shopper; a product that cannot be priced fails alone.

        `Accept: application/x-ndjson` gives the rows one a line, in the same order, the first ones as soon as they are
        priced; under an Idempotency-Key all at once. Where `deadline_ms` leaves no time, a row has the reference price.
        """
        asked_view, in_lines = AskedView.of(view, include), _wants_lines(request)
        if in_lines and idempotency_key(request) is None:
            return await _streamed(request, asked_view)

        async def work(value: Any, context: AppContext) -> bytes | Lines:
            shown, asked = asked_view.granted(context), _asked(value, context)
            rows = await _priced(asked, asked.requests(), context)
            if in_lines:
                return Lines(row_lines(rows, shown, context.request_id))
            return page_json(rows, shown, context.request_id)

        return await answer(request, Scope.QUOTES, work)


async def _streamed(request: AnyRequest, asked_view: AskedView) -> Response[Any]:
    """Answer rows as they are priced; what goes wrong before the first ones are is answered as it is elsewhere."""
    context = await authorise(request, Scope.QUOTES)
    asked = _asked(parse_json(await read_body(request)), context)
    chunks = _chunks(asked, context, asked_view.granted(context))
    first = await anext(chunks)
    return Stream(_joined(first, chunks), status_code=200, media_type=NDJSON)


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _chunks(asked: PageRequest, context: AppContext, shown: Shown) -> AsyncIterator[bytes]:
    """Price and write a page chunk by chunk; where the store fails later on, the rows that are left say so."""
    requests = asked.requests()
    known: dict[str, Row] = {}
    for products in _split(asked.products):
        wanted = [product_id for product_id in dict.fromkeys(products) if product_id not in known]
        try:
            priced = await price_rows([requests[product_id] for product_id in wanted], context)
        except StoreError:
            if not known:
                raise
            detail = "the store does not answer; try again"
            priced = [Problem(503, detail, code=Code.STORE_UNAVAILABLE)] * len(wanted)
        known.update(zip(wanted, priced, strict=True))
        yield row_lines([known[product_id] for product_id in products], shown, context.request_id)


async def _priced(asked: PageRequest, requests: dict[str, QuoteRequest], context: AppContext) -> list[Row]:
    """Price a page together; one row for each product as it is named."""
    priced = dict(zip(requests, await price_rows(list(requests.values()), context), strict=True))
    return [priced[product_id] for product_id in asked.products]


def _asked(value: Any, context: AppContext) -> PageRequest:
    """The page that a body asks for.

    Raises:
        Problem: 422, for a bad field; 403, for one that the caller's key may not send.
    """
    asked = validate(_PAGE, value)
    check_asked(context, asked.base())
    return asked


def _split(products: Sequence[str]) -> Iterator[Sequence[str]]:
    """Split a page into a small chunk, which is soon answered, and larger ones, which cost less a row."""
    yield products[:_FIRST]
    for start in range(_FIRST, len(products), _CHUNK):
        yield products[start : start + _CHUNK]


def _wants_lines(request: AnyRequest) -> bool:
    """Check whether the request accepts NDJSON."""
    kinds = (kind.partition(";")[0].strip().lower() for kind in request.headers.get("accept", "").split(","))
    return NDJSON in kinds
