"""HTTP handlers for quotes, outcomes, events, products and recommendations.

Handlers that read a body share one shape. `answer` checks the API key for a scope, parses the body as JSON and passes
it to the handler's `work`; under an Idempotency-Key, `work` runs once and later attempts get the same answer. `work`
validates the body against a schema, calls the service in a worker thread (`context.run`) or, for a single quote,
through the batcher, and returns a response model. Handlers without a body call `authorise` and answer by themselves.

An attempt may record its quotes and be cut off before its answer is stored. Quote ids therefore derive from the
Idempotency-Key and the row (`tagged`, `id_of`), so that the next attempt finds what was recorded (`recorded_earlier`).

Whatever the sender can repair is raised as a `Problem` and answered as problem details (RFC 9457). The service returns
a `Refusal` where it cannot price or record a row; it becomes a problem of the request, or of its row in a list.
"""

from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from litestar import Controller, Response, get, post, put
from pydantic import TypeAdapter

from agent.api import examples
from agent.api.authorisation import authorise
from agent.api.batch import BatchRequest, batch_rows, price_rows
from agent.api.body import rows_of, validate
from agent.api.context import AnyRequest, AppContext
from agent.api.convert import to_event, to_report
from agent.api.idempotency import answer
from agent.api.openapi import SECURITY, operation
from agent.api.paths import QuoteId
from agent.api.problem_codes import Code
from agent.api.problems import Problem, raise_refusal
from agent.api.product_rows import product_records, product_warnings
from agent.api.publishable import check_asked, check_events
from agent.api.responses.accepted import AcceptedAnswer, ProductsAnswer
from agent.api.responses.lists import BatchAnswer, OutcomesAnswer, batch_json, outcome_row
from agent.api.responses.outcomes import OutcomeAnswer, outcome_answer
from agent.api.responses.quote_json import encode, quote_json, recorded_fields, shopper_fields
from agent.api.responses.reasons import ReasonsAnswer, reasons_answer
from agent.api.responses.recommendations import RecommendationsAnswer, recommendations_json
from agent.api.responses.rendering import Made, json_response
from agent.api.responses.shopper_quotes import ShownQuote, ShownRecord
from agent.api.responses.shown import View
from agent.api.responses.verification import VerifyAnswer, verify_answer
from agent.api.schemas import (
    Event,
    EventList,
    EventRows,
    OutcomeIn,
    OutcomeList,
    OutcomeRows,
    Product,
    ProductList,
    ProductRows,
    VerifyRequest,
)
from agent.api.views import AskedView, Include, ViewName
from agent.domain.decision import CheckoutClaim
from agent.domain.request import MAX_ROWS, QuoteRequest, RecommendationRequest
from agent.pricing.standing_quotes import Priced
from agent.service.auth.api_keys import Scope
from agent.service.outcome_sequence import OutcomeReport

_QUOTES: Final = (Scope.QUOTES,)
_OUTCOMES: Final = (Scope.OUTCOMES,)
_QUOTE: Final = TypeAdapter(QuoteRequest)
_VERIFY: Final = TypeAdapter(VerifyRequest)
_RECOMMEND: Final = TypeAdapter(RecommendationRequest)
_EVENT: Final = TypeAdapter(Event)
_OUTCOME: Final = TypeAdapter(OutcomeIn)


class QuoteController(Controller):
    """Quotes: make, read, verify."""

    path = "/v1/quotes"
    tags = ("quotes",)
    security = SECURITY

    @post(
        "/",
        status_code=201,
        operation_id="createQuote",
        operation_class=operation(
            QuoteRequest, ShownQuote, status=201, also=(200,), location=True, scopes=_QUOTES, examples=examples.QUOTES
        ),
        summary="Price one product",
    )
    async def quote(self, request: AnyRequest, view: ViewName = None, include: Include = None) -> Response[bytes]:
        """Price one product for one shopper.

        Without a cost or a floor, and whenever another price is not surely better, the answer is the reference price.
        A request that is made again while its quote stands is answered with that quote: 200 instead of 201.
        """
        asked_view = AskedView.of(view, include)

        async def work(value: Any, context: AppContext) -> Made:
            shown = asked_view.granted(context)
            asked = validate(_QUOTE, value)
            check_asked(context, asked)
            recorded = await context.recorded_earlier(1)
            priced = Priced(recorded[0]) if recorded else await context.batcher.ask(context.tagged(asked, 0))
            decision = raise_refusal(priced.answer)
            if not priced.again:
                context.metrics.quoted(decision)
            status = 200 if priced.again else 201
            return Made(quote_json(decision, shown), f"/v1/quotes/{decision.id}", status)

        return await answer(request, Scope.QUOTES, work)

    @post(
        "/batch",
        status_code=200,
        operation_id="createQuotes",
        operation_class=operation(BatchRequest, BatchAnswer, scopes=_QUOTES, examples=examples.BATCHES),
        summary="Price many products",
    )
    async def batch(self, request: AnyRequest, view: ViewName = None, include: Include = None) -> Response[bytes]:
        """Up to 500 quotes: `quotes` of any kind, or `items` for one shopper. A bad row fails alone."""
        asked_view = AskedView.of(view, include)

        async def work(value: Any, context: AppContext) -> bytes:
            shown = asked_view.granted(context)
            priced = await price_rows([_permitted(row, context) for row in batch_rows(value)], context)
            return batch_json(priced, shown, context.request_id)

        return await answer(request, Scope.QUOTES, work)

    @post(
        "/verify",
        status_code=200,
        operation_id="verifyQuote",
        operation_class=operation(VerifyRequest, VerifyAnswer, scopes=_QUOTES, examples=examples.VERIFICATION),
        summary="Check a token",
    )
    async def verify(self, request: AnyRequest) -> Response[bytes]:
        """Whether a token is valid, expired, tampered with, mismatched or used, and the price that it promises."""

        async def work(value: Any, context: AppContext) -> VerifyAnswer:
            asked = validate(_VERIFY, value)
            claim = CheckoutClaim(asked.quantity, asked.product_id, asked.shopper_id)
            return verify_answer(await context.run(context.service.verify, asked.token, claim))

        return await answer(request, Scope.QUOTES, work)

    @get(
        "/{quote_id:str}",
        operation_id="getQuote",
        operation_class=operation(None, ShownRecord, scopes=(Scope.MERCHANT, Scope.QUOTES)),
        summary="Read a decision",
    )
    async def recorded(self, request: AnyRequest, quote_id: QuoteId, view: ViewName = None) -> Response[bytes]:
        """The decision as recorded, with its candidates, trail and outcomes; in the shopper's view the quote alone."""
        asked_view = AskedView.of(view)
        context = await authorise(request, Scope.MERCHANT, Scope.QUOTES)
        shown = asked_view.granted(context)
        decision = await context.run(context.service.decision, quote_id)
        if decision is None:
            raise Problem(404, f"no quote has the id {quote_id[:80]!r}", code=Code.NOT_FOUND)
        if shown.view is View.SHOPPER:
            return json_response(encode(shopper_fields(decision)))
        outcomes = await context.run(context.service.outcomes_of, quote_id)
        return json_response(encode(recorded_fields(decision, outcomes)))

    @get(
        "/{quote_id:str}/reasons",
        operation_id="getQuoteReasons",
        operation_class=operation(None, ReasonsAnswer),
        summary="Read what raised the price",
    )
    async def reasons(self, request: AnyRequest, quote_id: QuoteId) -> Response[bytes]:
        """The personal inputs that raised the price most, at most four, found by leaving out one at a time."""
        context = await authorise(request, Scope.MERCHANT)
        found = await context.run(context.service.reasons, quote_id)
        if found is None:
            detail = f"no quote has the id {quote_id[:80]!r}, or its request was erased"
            raise Problem(404, detail, code=Code.NOT_FOUND)
        decision = await context.run(context.service.decision, quote_id)
        return json_response(reasons_answer(found, decision.currency if decision is not None else ""))


class ShopController(Controller):
    """Outcomes, events and products from the shop, and recommendations for it."""

    path = "/v1"
    security = SECURITY

    @post(
        "/outcomes",
        status_code=200,
        operation_id="createOutcomes",
        operation_class=operation(
            OutcomeIn | OutcomeRows | OutcomeList,
            OutcomeAnswer | OutcomesAnswer,
            also=(201,),
            location=True,
            scopes=_OUTCOMES,
            examples=examples.OUTCOMES,
        ),
        summary="Report outcomes",
        tags=["outcomes"],
    )
    async def outcomes(self, request: AnyRequest) -> Response[bytes]:
        """Outcomes of quotes: one, or a list in which bad rows fail alone. The next quote takes them into account.

        One outcome is answered as it is stored: 201 for a new one, 200 for one that was stored before; 409 for one that
        cannot follow those stored of its quote. A list is answered with a result for each.
        """

        async def work(value: Any, context: AppContext) -> OutcomeAnswer | OutcomesAnswer | Made:
            if isinstance(value, dict) and "outcomes" not in value:
                report = to_report(validate(_OUTCOME, value), context.id_of(0))
                told = await context.run(context.service.add_outcome, report)
                outcome = outcome_answer(raise_refusal(told.answer))
                return Made(outcome, f"/v1/outcomes/{quote(outcome.id, safe='')}") if told.new else outcome
            return await _record_rows(rows_of(value, "outcomes", MAX_ROWS), context)

        return await answer(request, Scope.OUTCOMES, work)

    @post(
        "/events",
        status_code=200,
        operation_id="createEvents",
        operation_class=operation(
            Event | EventRows | EventList, AcceptedAnswer, scopes=_OUTCOMES, examples=examples.EVENTS
        ),
        summary="Report behaviour",
        tags=["events"],
    )
    async def events(self, request: AnyRequest) -> Response[bytes]:
        """Behaviour events: one, or a list taken as a whole or not at all. The next quote takes them into account.

        Identical events of one list are as many; the same ones sent again change nothing. Times more than a day ahead
        and prices in another currency than the product's are refused.
        """

        async def work(value: Any, context: AppContext) -> AcceptedAnswer:
            now = datetime.now(UTC)
            rows = rows_of(value, "events", MAX_ROWS)
            given = [validate(_EVENT, row, f"events.{index}") for index, row in enumerate(rows)]
            check_events(context, given, "events")
            events = [to_event(one, now) for one in given]
            raise_refusal(await context.run(context.service.add_events, events))
            return AcceptedAnswer(accepted=len(events))

        return await answer(request, Scope.OUTCOMES, work)

    @put(
        "/products",
        operation_id="putProducts",
        operation_class=operation(Product | ProductRows | ProductList, ProductsAnswer, examples=examples.PRODUCTS),
        summary="Add or replace products",
        tags=["products"],
    )
    async def products(self, request: AnyRequest) -> Response[bytes]:
        """Add or replace up to 1,000 products, all or none; they are searchable when the answer arrives.

        Limits that contradict each other are refused; doubtful amounts and repeated ids are taken, and named in
        `warnings`.
        """

        async def work(value: Any, context: AppContext) -> ProductsAnswer:
            records = product_records(rows_of(value, "products", MAX_ROWS))
            warnings = product_warnings(records, context.service.product)
            await context.run(context.service.upsert_products, records)
            return ProductsAnswer(accepted=len({record.product_id for record in records}), warnings=warnings)

        return await answer(request, Scope.MERCHANT, work)

    @post(
        "/recommendations",
        status_code=200,
        operation_id="createRecommendations",
        operation_class=operation(
            RecommendationRequest, RecommendationsAnswer, scopes=_QUOTES, examples=examples.RECOMMENDATIONS
        ),
        summary="Recommend products, each priced",
        tags=["recommendations"],
    )
    async def recommendations(self, request: AnyRequest, view: ViewName = None) -> Response[bytes]:
        """Products for a shopper, best first, each priced."""
        asked_view = AskedView.of(view)

        async def work(value: Any, context: AppContext) -> bytes:
            shown = asked_view.granted(context)
            asked = validate(_RECOMMEND, value)
            check_asked(context, asked)
            recorded = await context.recorded_earlier(asked.limit)
            decisions = list(recorded.values()) or await context.run(context.service.recommend, asked, context.id_of)
            for decision in decisions:
                context.metrics.quoted(decision)
            return recommendations_json(decisions, shown)

        return await answer(request, Scope.QUOTES, work)


def _permitted(row: QuoteRequest | Problem, context: AppContext) -> QuoteRequest | Problem:
    """A row of a batch, or the problem of one that the caller's key may not ask."""
    if isinstance(row, Problem):
        return row
    try:
        check_asked(context, row)
    except Problem as problem:
        return problem
    return row


async def _record_rows(rows: list[Any], context: AppContext) -> OutcomesAnswer:
    """Record the valid rows of a list of outcomes together."""
    parsed: list[OutcomeReport | Problem] = []
    for index, row in enumerate(rows):
        try:
            parsed.append(to_report(validate(_OUTCOME, row, f"outcomes.{index}"), context.id_of(index)))
        except Problem as problem:
            parsed.append(problem)
    reports = [one for one in parsed if isinstance(one, OutcomeReport)]
    recorded = iter(await context.run(context.service.add_outcomes, reports) if reports else [])
    answers = (one if isinstance(one, Problem) else next(recorded) for one in parsed)
    return OutcomesAnswer(results=[outcome_row(one, context.request_id) for one in answers])
