"""Handlers: parse, call the service, answer. Everything else is in `exchange`, `body` and the service."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, get, post, put
from litestar.params import PathParameter, QueryParameter
from pydantic import TypeAdapter

from agent.api.batch import BatchRequest, batch_rows
from agent.api.body import rows_of, validate
from agent.api.context import AppContext, context_of
from agent.api.convert import to_event, to_product, to_report
from agent.api.documented import documented, documented_text
from agent.api.exchange import answer, authorise
from agent.api.problems import Problem, details, of_refusal
from agent.api.responses.others import (
    AcceptedAnswer,
    BatchAnswer,
    KeysAnswer,
    OutcomeRow,
    OutcomesAnswer,
    ReadyAnswer,
    ReasonAnswer,
    ReasonsAnswer,
    RecommendationAnswer,
    RecommendationsAnswer,
    RecommendedProduct,
    RowAnswer,
    VerifyAnswer,
    verify_answer,
)
from agent.api.responses.quotes import (
    OutcomeAnswer,
    QuoteAnswer,
    RecordedQuote,
    money,
    outcome_answer,
    quote_answer,
    recorded_quote,
)
from agent.api.schemas import Event, OutcomeIn, Product, VerifyRequest
from agent.domain.decision import CheckoutClaim, Decision
from agent.domain.records import OutcomeRecord
from agent.domain.refusal import FieldProblem, Refusal
from agent.domain.request import MAX_ROWS, QuoteRequest, RecommendationRequest
from agent.service.auth.api_keys import Scope

AnyRequest = Request[Any, Any, Any]
Include = Annotated[str | None, QueryParameter(description="`candidates` adds every candidate that was scored.")]
QuoteId = Annotated[str, PathParameter(description="Id of a quote.")]

_QUOTE: Final = TypeAdapter(QuoteRequest)
_VERIFY: Final = TypeAdapter(VerifyRequest)
_RECOMMEND: Final = TypeAdapter(RecommendationRequest)
_EVENT: Final = TypeAdapter(Event)
_OUTCOME: Final = TypeAdapter(OutcomeIn)
_PRODUCT: Final = TypeAdapter(Product)
_CANDIDATES: Final = "candidates"
_EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus's text format
_SECURITY: Final[tuple[dict[str, list[str]], ...]] = ({"apiKey": []},)


class QuoteController(Controller):
    """Quotes: asked for, read again, verified."""

    path = "/v1/quotes"
    tags = ("quotes",)
    security = _SECURITY

    @post("/", status_code=200, operation_class=documented(QuoteRequest, QuoteAnswer), summary="Price one product")
    async def quote(self, request: AnyRequest, include: Include = None) -> Response[bytes]:
        """Price one product for one shopper; `?include=candidates` adds every candidate that was scored."""
        wanted = _included(include)

        async def work(value: Any, context: AppContext) -> QuoteAnswer:
            asked = validate(_QUOTE, value)
            before = await context.made_before(1)
            priced = before[0] if before else await context.batcher.ask(context.marked(asked, 0))
            if isinstance(priced, Refusal):
                raise Problem(priced.status, priced.detail, priced.errors)
            context.metrics.quoted(priced)
            return quote_answer(priced, candidates=wanted)

        return await answer(request, Scope.QUOTES, work)

    @post(
        "/batch", status_code=200, operation_class=documented(BatchRequest, BatchAnswer), summary="Price many products"
    )
    async def batch(self, request: AnyRequest, include: Include = None) -> Response[bytes]:
        """Up to 500 quotes: `quotes` of any kind, or `items` for one shopper. A bad row fails alone."""
        wanted = _included(include)

        async def work(value: Any, context: AppContext) -> BatchAnswer:
            rows = batch_rows(value)
            before = await context.made_before(len(rows))
            asked = {
                place: context.marked(row, place)
                for place, row in enumerate(rows)
                if isinstance(row, QuoteRequest) and place not in before
            }
            priced = await context.run(context.opened.service.quote, list(asked.values())) if asked else []
            done = {**before, **dict(zip(asked, priced, strict=True))}
            found = [done[place] if isinstance(row, QuoteRequest) else row for place, row in enumerate(rows)]
            return BatchAnswer(results=[_row(one, context, candidates=wanted) for one in found])

        return await answer(request, Scope.QUOTES, work)

    @post("/verify", status_code=200, operation_class=documented(VerifyRequest, VerifyAnswer), summary="Check a token")
    async def verify(self, request: AnyRequest) -> Response[bytes]:
        """Whether a token is valid, expired, tampered with, for something else or used, and the price that it holds."""

        async def work(value: Any, context: AppContext) -> VerifyAnswer:
            asked = validate(_VERIFY, value)
            told = CheckoutClaim(asked.quantity, asked.product_id, asked.shopper_id)
            return verify_answer(await context.run(context.opened.service.verify, asked.token, told))

        return await answer(request, Scope.QUOTES, work)

    @get("/{quote_id:str}", operation_class=documented(None, RecordedQuote), summary="Read a decision")
    async def recorded(self, request: AnyRequest, quote_id: QuoteId) -> Response[bytes]:
        """The decision as recorded, with candidates, trail and what became of it."""
        context = await authorise(request, Scope.MERCHANT)
        decision = await context.run(context.opened.service.decision, quote_id)
        if decision is None:
            raise Problem(404, f"there is no quote {quote_id[:80]!r}")
        outcomes = await context.run(context.opened.service.outcomes_of, quote_id)
        body = recorded_quote(decision, outcomes).model_dump_json(by_alias=True).encode()
        return Response(body, media_type="application/json")

    @get("/{quote_id:str}/reasons", operation_class=documented(None, ReasonsAnswer), summary="Why no lower price")
    async def reasons(self, request: AnyRequest, quote_id: QuoteId) -> Response[bytes]:
        """The personal inputs that raised the price most, at most four, found by leaving each out in turn."""
        context = await authorise(request, Scope.MERCHANT)
        found = await context.run(context.opened.service.reasons, quote_id)
        if found is None:
            raise Problem(404, f"there is no quote {quote_id[:80]!r}, or what it answered was erased")
        decision = await context.run(context.opened.service.decision, quote_id)
        currency = decision.currency if decision is not None else ""
        body = ReasonsAnswer(
            reasons=[ReasonAnswer(input=one.input, raised=money(one.raised_minor, currency)) for one in found]
        )
        return Response(body.model_dump_json().encode(), media_type="application/json")


class FeedbackController(Controller):
    """What happened, and what there is to sell."""

    path = "/v1"
    security = _SECURITY

    @post(
        "/outcomes",
        status_code=200,
        operation_class=documented(OutcomeIn | list[OutcomeIn], OutcomesAnswer),
        tags=["outcomes"],
    )
    async def outcomes(self, request: AnyRequest) -> Response[bytes]:
        """What became of quotes: one outcome, or a list of which bad rows fail alone. The next quote knows."""

        async def work(value: Any, context: AppContext) -> OutcomeAnswer | OutcomesAnswer:
            now = datetime.now(UTC)
            if isinstance(value, dict) and "outcomes" not in value:
                reports = [to_report(validate(_OUTCOME, value), now)]
                found = (await context.run(context.opened.service.add_outcomes, reports))[0]
                if isinstance(found, Refusal):
                    raise Problem(found.status, found.detail, found.errors)
                return outcome_answer(found)
            return await _outcome_rows(rows_of(value, "outcomes", MAX_ROWS), context, now)

        return await answer(request, Scope.OUTCOMES, work)

    @post("/events", status_code=200, operation_class=documented(Event | list[Event], AcceptedAnswer), tags=["events"])
    async def events(self, request: AnyRequest) -> Response[bytes]:
        """Behaviour: one event or a list, all or none. The next quote knows."""

        async def work(value: Any, context: AppContext) -> AcceptedAnswer:
            now = datetime.now(UTC)
            rows = rows_of(value, "events", MAX_ROWS)
            events = [to_event(validate(_EVENT, row, f"events.{index}"), now) for index, row in enumerate(rows)]
            await context.run(context.opened.service.add_events, events)
            return AcceptedAnswer(accepted=len(events))

        return await answer(request, Scope.OUTCOMES, work)

    @put("/products", operation_class=documented(list[Product], AcceptedAnswer), tags=["products"])
    async def products(self, request: AnyRequest) -> Response[bytes]:
        """Add or replace up to 1,000 products, all or none; they are searchable when this answers."""

        async def work(value: Any, context: AppContext) -> AcceptedAnswer:
            rows = rows_of(value, "products", MAX_ROWS)
            parsed = [validate(_PRODUCT, row, f"products.{index}") for index, row in enumerate(rows)]
            for index, product in enumerate(parsed):
                _one_currency(product, index)
            await context.run(context.opened.service.upsert_products, [to_product(product) for product in parsed])
            return AcceptedAnswer(accepted=len(parsed))

        return await answer(request, Scope.MERCHANT, work)

    @post(
        "/recommendations",
        status_code=200,
        operation_class=documented(RecommendationRequest, RecommendationsAnswer),
        tags=["recommendations"],
    )
    async def recommendations(self, request: AnyRequest) -> Response[bytes]:
        """Products for a shopper, best first, each priced."""

        async def work(value: Any, context: AppContext) -> RecommendationsAnswer:
            asked = validate(_RECOMMEND, value)
            before = await context.made_before(asked.limit)
            decisions = list(before.values()) or await context.run(
                context.opened.service.recommend, asked, context.id_of
            )
            for decision in decisions:
                context.metrics.quoted(decision)
            return RecommendationsAnswer(items=[_recommended(decision) for decision in decisions])

        return await answer(request, Scope.QUOTES, work)


@get("/livez", sync_to_thread=False, tags=["operations"])
def livez() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@get("/.well-known/jwks.json", operation_class=documented(None, KeysAnswer, (), also=(503,)), tags=["operations"])
async def public_keys(request: AnyRequest) -> Response[bytes]:
    """The public keys for checking tokens offline; read them again when a token names one that is not among them."""
    context = context_of(request)
    keys = await context.run(context.opened.service.public_keys)
    body = KeysAnswer.model_validate({"keys": keys}).model_dump_json().encode()
    return Response(body, media_type="application/json", headers={"Cache-Control": "public, max-age=300"})


@get("/readyz", operation_class=documented(None, ReadyAnswer, (), also=(503,)), tags=["operations"])
async def readyz(request: AnyRequest) -> Response[bytes]:
    """Models, index and store are ready; 503 with the reason when not."""
    context = context_of(request)
    found = await context.run(context.opened.service.readiness)
    body = ReadyAnswer(ready=found.ready, checks=dict(found.checks)).model_dump_json().encode()
    status, headers = (200, {}) if found.ready else (503, {"Retry-After": "1"})
    return Response(body, status_code=status, media_type="application/json", headers=headers)


@get("/metrics", operation_class=documented_text(_EXPOSITION, (401, 403, 429)), tags=["operations"])
async def metrics(request: AnyRequest) -> Response[bytes]:
    """Prometheus metrics."""
    context = context_of(request)
    if not context.settings.metrics_public:
        caller = await authorise(request, Scope.ADMIN)
        if caller.metrics is not context.metrics:
            raise Problem(403, "these are the default merchant's metrics; allowed: /v1/metrics")
    context.metrics.learned(context.opened.service.learned())
    return Response(context.metrics.exposition(), media_type=_EXPOSITION)


@get(
    "/v1/metrics",
    operation_class=documented_text(_EXPOSITION, (401, 403, 429)),
    tags=["operations"],
    security=_SECURITY,
)
async def own_metrics(request: AnyRequest) -> Response[bytes]:
    """The merchant's own Prometheus metrics; `/metrics` are the default merchant's."""
    context = await authorise(request, Scope.MERCHANT)
    context.metrics.learned(context.opened.service.learned())
    return Response(context.metrics.exposition(), media_type=_EXPOSITION)


@get("/v1/keys", operation_class=documented(None, KeysAnswer), tags=["operations"], security=_SECURITY)
async def own_public_keys(request: AnyRequest) -> Response[bytes]:
    """The public keys of the key's merchant; `/.well-known/jwks.json` are the default merchant's."""
    context = await authorise(request, Scope.QUOTES)
    keys = await context.run(context.opened.service.public_keys)
    body = KeysAnswer.model_validate({"keys": keys}).model_dump_json().encode()
    return Response(body, media_type="application/json")


async def _outcome_rows(rows: list[Any], context: AppContext, now: datetime) -> OutcomesAnswer:
    results: list[OutcomeRow | None] = []
    reports = []
    for index, row in enumerate(rows):
        try:
            reports.append(to_report(validate(_OUTCOME, row, f"outcomes.{index}"), now))
            results.append(None)
        except Problem as problem:
            document = details(problem.status, problem.detail, problem.errors)
            results.append(OutcomeRow(status=problem.status, problem=document))
    answers = iter(await context.run(context.opened.service.add_outcomes, reports)) if reports else iter(())
    return OutcomesAnswer(results=[known if known is not None else _outcome_row(next(answers)) for known in results])


def _outcome_row(found: OutcomeRecord | Refusal) -> OutcomeRow:
    if isinstance(found, Refusal):
        return OutcomeRow(status=found.status, problem=of_refusal(found))
    return OutcomeRow(status=200, outcome=outcome_answer(found))


def _row(found: Decision | Refusal | Problem, context: AppContext, *, candidates: bool) -> RowAnswer:
    if isinstance(found, Problem):
        return RowAnswer(status=found.status, problem=details(found.status, found.detail, found.errors))
    if isinstance(found, Refusal):
        return RowAnswer(status=found.status, problem=of_refusal(found))
    context.metrics.quoted(found)
    return RowAnswer(status=200, quote=quote_answer(found, candidates=candidates))


def _recommended(decision: Decision) -> RecommendationAnswer:
    product = RecommendedProduct(id=decision.product_id or "", title=decision.product_title)
    return RecommendationAnswer(product=product, quote=quote_answer(decision, candidates=False))


def _included(include: str | None) -> bool:
    if include not in (None, _CANDIDATES):
        problem = FieldProblem("include", "unknown", include[:80], _CANDIDATES)
        raise Problem(422, "include names something that cannot be included", [problem])
    return include == _CANDIDATES


def _one_currency(product: Product, index: int) -> None:
    currency = product.list_price.currency
    for name in ("cost", "min_price", "max_price", "map_price"):
        money = getattr(product, name)
        if money is not None and money.currency != currency:
            problem = FieldProblem(
                f"products.{index}.{name}", "another currency than list_price", money.currency, currency
            )
            raise Problem(422, "all money of one product must be in one currency", [problem])
