"""Questions over HTTP: about one quote, and about many; as JSON, or as server-sent events."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

import anyio
from litestar import Controller, Request, Response, post
from litestar.params import PathParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from pydantic import BaseModel, Field, TypeAdapter

from agent.api.body import parse_json, validate
from agent.api.context import AppContext
from agent.api.documented import documented
from agent.api.exchange import answer, authorise
from agent.api.problems import Problem
from agent.domain.fields import ProfileText, Strict
from agent.explain.answers import AnswerSource, Ask, Explanation, Said
from agent.explain.explainer import Telling, whole
from agent.explain.questions import Audience, Language, QuestionKind
from agent.explain.wording import gap
from agent.service.auth.api_keys import Scope
from agent.service.service import Service

AnyRequest = Request[Any, Any, Any]

_SECURITY: Final[tuple[dict[str, list[str]], ...]] = ({"apiKey": []},)


class QuestionIn(Strict):
    """A question; without one: why this price. The language is the question's unless it is named."""

    question: Annotated[ProfileText, Field(min_length=1, max_length=1_000)] | None = None
    language: Language | None = None
    audience: Audience = Audience.MERCHANT
    stream: bool = False

    def ask(self) -> Ask:
        """The question as the service takes it."""
        return Ask(self.question, self.language, self.audience)


class EvidenceAnswer(BaseModel):
    """A fact behind the answer, as it is shown."""

    fact: str
    label: str
    value: str


class ChecksAnswer(BaseModel):
    """What was checked in the text; `rejected` says why a model's text did not go out."""

    passed: bool
    numbers: int
    claims: int
    problems: list[str]
    rejected: list[str]


class ExplanationAnswer(BaseModel):
    """An answer, every number of which is a fact; `source` says whether a model, our fixed texts or both wrote it."""

    answer: str
    kind: QuestionKind
    language: Language
    source: AnswerSource
    evidence: list[EvidenceAnswer]
    checks: ChecksAnswer


_QUESTION: Final = TypeAdapter(QuestionIn)


class ExplanationController(Controller):
    """Why a price is what it is, and how prices do."""

    path = "/v1"
    tags = ("explanations",)
    security = _SECURITY

    @post(
        "/quotes/{quote_id:str}/explanations",
        status_code=200,
        operation_class=documented(QuestionIn, ExplanationAnswer, streams=True),
        summary="Ask about a quote",
    )
    async def about_quote(
        self, request: AnyRequest, quote_id: Annotated[str, PathParameter(description="Id of a quote.")]
    ) -> Response[Any]:
        """Answer a question about one quote, in its language; `stream` gives server-sent events."""

        def tell(service: Service, ask: Ask) -> Telling:
            telling = service.tell(quote_id, ask)
            if telling is None:
                raise Problem(404, f"there is no quote {quote_id[:80]!r}")
            return telling

        return await _answered(request, tell)

    @post(
        "/questions",
        status_code=200,
        operation_class=documented(QuestionIn, ExplanationAnswer, streams=True),
        summary="Ask about many quotes",
    )
    async def about_log(self, request: AnyRequest) -> Response[Any]:
        """How discounts did, which products hit the floor, who pays above the reference price."""

        def tell(service: Service, ask: Ask) -> Telling:
            if ask.audience is Audience.SHOPPER:
                raise Problem(422, "questions about many quotes are for merchants")
            return service.tell_many(ask)

        return await _answered(request, tell)


def explanation_answer(found: Explanation) -> ExplanationAnswer:
    """An explanation as the contract has it."""
    report = found.report
    return ExplanationAnswer(
        answer=found.answer,
        kind=found.kind,
        language=found.language,
        source=found.source,
        evidence=[EvidenceAnswer(fact=e.fact, label=e.label, value=e.value) for e in found.evidence],
        checks=ChecksAnswer(
            passed=report.passed,
            numbers=report.numbers,
            claims=report.claims,
            problems=list(report.problems),
            rejected=list(found.rejected),
        ),
    )


async def _answered(request: AnyRequest, tell: Callable[[Service, Ask], Telling]) -> Response[Any]:
    """The whole answer as JSON, or sentence by sentence as it is made when the request asks for a stream."""
    raw = await request.body()
    if raw.strip() and isinstance(value := parse_json(raw), dict) and value.get("stream") is True:
        context = await authorise(request, Scope.MERCHANT)
        asked = validate(_QUESTION, value)
        return ServerSentEvent(_events(context, await context.run(tell, context.opened.service, asked.ask())))

    async def work(value: Any, context: AppContext) -> ExplanationAnswer:
        ask = validate(_QUESTION, value).ask()
        return explanation_answer(await context.run(lambda: whole(tell(context.opened.service, ask))))

    return await answer(request, Scope.MERCHANT, work)


async def _events(context: AppContext, telling: Telling) -> AsyncIterator[ServerSentEventMessage]:
    """Each checked sentence as a `text` event as soon as it is ready, then everything as `done`.

    A `replaced` event stands where the fixed texts take over from a model that failed the check.
    """
    before: Said | None = None
    try:
        while (item := await context.run(next, telling, None)) is not None:
            if isinstance(item, Explanation):
                whole_answer = explanation_answer(item)
                yield ServerSentEventMessage(event="done", data=whole_answer.model_dump_json())
                continue
            if before is not None and item.source is not before.source:
                yield ServerSentEventMessage(event="replaced", data=json.dumps(item.source))
            start = "" if before is None else gap(item.language)
            yield ServerSentEventMessage(event="text", data=json.dumps(start + item.text))
            before = item
    finally:
        with anyio.CancelScope(shield=True):
            await context.run(telling.close)
