"""HTTP handlers for questions about one quote or about many, answered as JSON or as server-sent events."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import date
from typing import Annotated, Any, Final

import anyio
from litestar import Controller, Response, post
from litestar.response import ServerSentEvent, ServerSentEventMessage
from pydantic import Field, TypeAdapter

from agent.api import examples
from agent.api.authorisation import authorise
from agent.api.body import parse_json, read_body, validate
from agent.api.context import AnyRequest, AppContext
from agent.api.idempotency import answer
from agent.api.openapi import SECURITY, operation
from agent.api.paths import QuoteId
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.answer import Answer
from agent.api.responses.money import MoneyAnswer, money
from agent.domain.fields import ProfileText, Strict
from agent.explain.answers import AnswerSource, CheckedSentence, Explanation, Understood
from agent.explain.explainer import AnswerStream, collect
from agent.explain.questions import Audience, Language, NotUnderstood, QuestionInput, QuestionKind
from agent.explain.wording import gap
from agent.service.auth.api_keys import Scope
from agent.service.service import Service


class QuestionIn(Strict, title="Question"):
    """A question; an empty object asks why this price."""

    question: Annotated[ProfileText, Field(min_length=1, max_length=1_000)] | None = None
    """The question; by default why this price."""
    language: Language | None = None
    """Language of the answer; by default that of the question."""
    audience: Audience = Audience.MERCHANT
    """Who reads the answer."""
    stream: bool = False
    """Answer with server-sent events."""

    def ask(self) -> QuestionInput:
        """The question for the service."""
        return QuestionInput(self.question, self.language, self.audience)


class EvidenceAnswer(Answer):
    """A fact that the answer rests on, as shown to readers."""

    fact: str
    """Name of the fact."""
    label: str
    """The fact in words."""
    value: str
    """Its value, with its unit."""


class ChecksAnswer(Answer, title="TextChecks"):
    """Checks of the answer's text against the record."""

    passed: bool
    """True when every number and claim is a recorded fact."""
    numbers: int
    """Numbers checked."""
    claims: int
    """Claims checked."""
    problems: list[str]
    """Numbers and claims that did not pass."""
    rejected: list[str]
    """Why texts of the language model were not used."""


class UnderstoodAnswer(Answer):
    """Reading of the question: its kind, and the values read from it that the answer uses."""

    kind: QuestionKind
    """Kind of the question; `none` for one that the record cannot answer."""
    text: str
    """The clause that the answer begins with."""
    reason: NotUnderstood | None = None
    """Why a question of kind `none` is not answered."""
    price: MoneyAnswer | None = None
    """The price asked about: own, a competitor's, or the cost."""
    change_pct: float | None = None
    """A signed change in percent."""
    change: MoneyAnswer | None = None
    """A signed change in money."""
    factor: float | None = None
    """A multiple: 2 is double."""
    count: int | None = None
    """Units in stock."""
    other: str | None = None
    """Id of another shopper or quote."""
    category: str | None = None
    """The category asked about."""
    product_ids: list[str] = Field(default_factory=list)
    """The product asked about; several, if it is unclear."""
    since: date | None = None
    """First day asked about."""
    until: date | None = None
    """Last day asked about, included."""


class ExplanationAnswer(Answer):
    """An answer whose every number is a recorded fact."""

    answer: str
    """The answer's text."""
    understood: UnderstoodAnswer
    """Reading of the question."""
    kind: QuestionKind
    """Kind of the question."""
    language: Language
    """Language of the text."""
    source: AnswerSource
    """Writer of the answer: a model, fixed texts or both."""
    evidence: list[EvidenceAnswer]
    """Facts that the answer rests on."""
    checks: ChecksAnswer
    """Checks of the text against the record."""


_QUESTION: Final = TypeAdapter(QuestionIn)


class ExplanationController(Controller):
    """Questions about a quote and about the log of quotes."""

    path = "/v1"
    tags = ("explanations",)
    security = SECURITY

    @post(
        "/quotes/{quote_id:str}/explanations",
        status_code=200,
        operation_id="explainQuote",
        operation_class=operation(QuestionIn, ExplanationAnswer, streams=True, examples=examples.QUOTE_QUESTIONS),
        summary="Ask about a quote",
    )
    async def about_quote(self, request: AnyRequest, quote_id: QuoteId) -> Response[Any]:
        """Answer a question about one quote, in its language.

        `stream` gives server-sent events: `understood`, a `text` for each checked sentence, `replaced` where fixed
        texts take over from a model's, and the whole answer as `done`.
        """

        def tell(service: Service, ask: QuestionInput) -> AnswerStream:
            stream = service.stream_explanation(quote_id, ask)
            if stream is None:
                raise Problem(404, f"no quote has the id {quote_id[:80]!r}", code=Code.NOT_FOUND)
            return stream

        return await _answered(request, tell)

    @post(
        "/questions",
        status_code=200,
        operation_id="askQuestion",
        operation_class=operation(QuestionIn, ExplanationAnswer, streams=True, examples=examples.LOG_QUESTIONS),
        summary="Ask about many quotes",
    )
    async def about_log(self, request: AnyRequest) -> Response[Any]:
        """Answer a question about many quotes: discounts, products at their floor, prices above the reference.

        `stream` gives server-sent events: `understood`, a `text` for each checked sentence, and the whole answer as
        `done`.
        """

        def tell(service: Service, ask: QuestionInput) -> AnswerStream:
            if ask.audience is Audience.SHOPPER:
                detail = "questions about many quotes are answered for merchants alone; allowed: audience merchant"
                raise Problem(422, detail, code=Code.FIELDS_INVALID)
            return service.stream_answer(ask)

        return await _answered(request, tell)


def explanation_answer(found: Explanation) -> ExplanationAnswer:
    """The response model of an explanation."""
    report = found.report
    return ExplanationAnswer(
        answer=found.answer,
        understood=understood_answer(found.understood),
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


def understood_answer(found: Understood) -> UnderstoodAnswer:
    """The response model of what was understood."""
    slots, currency = found.slots, found.currency
    return UnderstoodAnswer(
        kind=found.question.kind,
        text=found.lead,
        reason=found.question.reason,
        price=None if found.asked_minor is None else money(found.asked_minor, currency),
        change_pct=slots.change_pct,
        change=None if slots.change_minor is None else money(slots.change_minor, currency),
        factor=slots.factor,
        count=slots.count,
        other=slots.other,
        category=slots.category,
        product_ids=list(slots.products),
        since=None if slots.period is None else slots.period.first_day,
        until=None if slots.period is None else slots.period.last_day,
    )


async def _answered(request: AnyRequest, tell: Callable[[Service, QuestionInput], AnswerStream]) -> Response[Any]:
    """Answer as JSON, or as a stream of sentences when the request asks for one."""
    raw = await read_body(request)
    if raw.strip() and isinstance(value := parse_json(raw), dict) and value.get("stream") is True:
        context = await authorise(request, Scope.MERCHANT)
        asked = validate(_QUESTION, value)
        return ServerSentEvent(_events(context, await context.run(tell, context.service, asked.ask())))

    async def work(value: Any, context: AppContext) -> ExplanationAnswer:
        ask = validate(_QUESTION, value).ask()
        return explanation_answer(await context.run(lambda: collect(tell(context.service, ask))))

    return await answer(request, Scope.MERCHANT, work)


async def _events(context: AppContext, stream: AnswerStream) -> AsyncIterator[ServerSentEventMessage]:
    """Yield what was `understood`, each checked sentence as a `text` event once it is ready, and the answer as `done`.

    The first `text` is the clause that says what was understood. A `replaced` event says that fixed texts take over
    from a model whose text failed the check.
    """
    before: CheckedSentence | None = None
    led = False
    try:
        while (item := await context.run(next, stream, None)) is not None:
            if isinstance(item, Understood):
                told = understood_answer(item)
                yield ServerSentEventMessage(event="understood", data=told.model_dump_json())
                if item.lead:
                    yield ServerSentEventMessage(event="text", data=json.dumps(item.lead))
                led = bool(item.lead)
                continue
            if isinstance(item, Explanation):
                whole_answer = explanation_answer(item)
                yield ServerSentEventMessage(event="done", data=whole_answer.model_dump_json())
                continue
            if before is not None and item.source is not before.source:
                yield ServerSentEventMessage(event="replaced", data=json.dumps(item.source))
            start = gap(item.language) if led or before is not None else ""
            yield ServerSentEventMessage(event="text", data=json.dumps(start + item.text))
            before = item
    finally:
        with anyio.CancelScope(shield=True):
            await context.run(stream.close)
