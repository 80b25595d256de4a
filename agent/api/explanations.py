"""Questions over HTTP: about one quote, and about many; as JSON, or as server-sent events."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, post
from litestar.params import PathParameter
from litestar.response import ServerSentEvent, ServerSentEventMessage
from pydantic import BaseModel, Field, TypeAdapter

from agent.api.body import parse_json, validate
from agent.api.context import AppContext, context_of
from agent.api.documented import documented
from agent.api.exchange import answer, authorise
from agent.api.fields import ProfileText, Strict
from agent.api.problems import Problem
from agent.explain.answers import Ask, Explanation
from agent.explain.questions import Audience, Kind, Language
from agent.keys import Scope

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
    """An answer, every number of which is a fact; `source` is `model` or `deterministic`."""

    answer: str
    kind: Kind
    language: Language
    source: str
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
        operation_class=documented(QuestionIn, ExplanationAnswer),
        summary="Ask about a quote",
    )
    async def about_quote(
        self, request: AnyRequest, quote_id: Annotated[str, PathParameter(description="Id of a quote.")]
    ) -> Response[Any]:
        """Answer a question about one quote, in its language; `stream` gives server-sent events."""

        async def explain(context: AppContext, asked: QuestionIn) -> Explanation:
            found = await context.run(context.opened.service.explain, quote_id, asked.ask())
            if found is None:
                raise Problem(404, f"there is no quote {quote_id[:80]!r}")
            return found

        return await _answered(request, explain)

    @post(
        "/questions",
        status_code=200,
        operation_class=documented(QuestionIn, ExplanationAnswer),
        summary="Ask about many quotes",
    )
    async def about_log(self, request: AnyRequest) -> Response[Any]:
        """How discounts did, which products hit the floor, who pays above the reference price."""

        async def explain(context: AppContext, asked: QuestionIn) -> Explanation:
            if asked.audience is Audience.SHOPPER:
                raise Problem(422, "questions about many quotes are for merchants")
            return await context.run(context.opened.service.question, asked.ask())

        return await _answered(request, explain)


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


async def _answered(request: AnyRequest, explain: Any) -> Response[Any]:
    """The whole answer as JSON, or the same in parts when the request asks for a stream."""
    raw = await request.body()
    if raw.strip() and isinstance(value := parse_json(raw), dict) and value.get("stream") is True:
        await authorise(request, Scope.MERCHANT)
        found = await explain(context_of(request), validate(_QUESTION, value))
        return ServerSentEvent(_events(explanation_answer(found)))

    async def work(value: Any, context: AppContext) -> ExplanationAnswer:
        return explanation_answer(await explain(context, validate(_QUESTION, value)))

    return await answer(request, Scope.MERCHANT, work)


async def _events(whole: ExplanationAnswer) -> AsyncIterator[ServerSentEventMessage]:
    """The text in pieces as `text` events, then everything as `done`."""
    words = whole.answer.split(" ")
    for index, word in enumerate(words):
        yield ServerSentEventMessage(event="text", data=json.dumps(word if index == 0 else f" {word}"))
    yield ServerSentEventMessage(event="done", data=whole.model_dump_json())
