"""The merchant's rules over HTTP: proposed, previewed, approved, activated, rolled back."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from litestar import Controller, Request, Response, get, post
from litestar.params import PathParameter
from pydantic import BaseModel, Field, TypeAdapter

from agent.api.body import validate
from agent.api.context import AppContext
from agent.api.documented import documented
from agent.api.exchange import answer, authorise
from agent.api.problems import Problem
from agent.api.responses.rules import (
    PreviewAnswer,
    RulesAnswer,
    VersionAnswer,
    VersionsAnswer,
    WindowAnswer,
    preview_answer,
    rules_answer,
    version_answer,
    versions_answer,
    window_answer,
)
from agent.domain.fields import Short, Strict, Time
from agent.domain.refusal import FieldProblem
from agent.rules.book import Change, NeedsApproval, RuleBook, RuleError, UnknownVersion
from agent.rules.document import RulesDocument
from agent.service.auth.api_keys import Scope

T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]
Number = Annotated[int, PathParameter(description="Number of a version.", ge=1, le=10**9)]

_SECURITY: Final[tuple[dict[str, list[str]], ...]] = ({"apiKey": []},)


class RulesIn(Strict):
    """A new version of the rules, and why."""

    document: RulesDocument
    note: Short = ""


class NoteIn(Strict):
    """What the deciding key says of it."""

    note: Short = ""


class ActivationIn(NoteIn):
    """When a version is in effect: from now and for good unless the times say otherwise."""

    active_from: Time | None = None
    active_until: Time | None = None


class RollbackIn(NoteIn):
    """What to take back: the activation in effect, or the latest one of a version that is not over."""

    version: Annotated[int, Field(ge=1, le=10**9, strict=True)] | None = None


_RULES: Final = TypeAdapter(RulesIn)
_NOTE: Final = TypeAdapter(NoteIn)
_ACTIVATION: Final = TypeAdapter(ActivationIn)
_ROLLBACK: Final = TypeAdapter(RollbackIn)


class RuleVersionsController(Controller):
    """The rules' versions and their life."""

    path = "/v1/rules"
    tags = ("rules",)
    security = _SECURITY

    @get("/", operation_class=documented(None, RulesAnswer), summary="The rules in effect")
    async def in_effect(self, request: AnyRequest) -> Response[bytes]:
        """What holds now and what is scheduled."""
        return await _read(request, lambda book: rules_answer(book, datetime.now(UTC)))

    @get("/versions", operation_class=documented(None, VersionsAnswer), summary="All versions")
    async def versions(self, request: AnyRequest) -> Response[bytes]:
        """Every version with its approvals, and every activation."""
        return await _read(request, lambda book: versions_answer(book, datetime.now(UTC)))

    @post("/versions", status_code=200, operation_class=documented(RulesIn, VersionAnswer), summary="Propose rules")
    async def propose(self, request: AnyRequest) -> Response[bytes]:
        """Keep a new version; it is not in effect until it is activated."""

        async def work(value: Any, context: AppContext) -> VersionAnswer:
            told = validate(_RULES, value)
            book, change = context.opened.service.rules, _change(context, told.note)
            made = await context.run(_told, book.propose, told.document, change)
            return await context.run(version_answer, book, made, change.at)

        return await answer(request, Scope.MERCHANT, work)

    @post(
        "/versions/{version:int}/preview",
        status_code=200,
        operation_class=documented(NoteIn, PreviewAnswer),
        summary="Try rules on yesterday's quotes",
    )
    async def preview(self, request: AnyRequest, version: Number) -> Response[bytes]:
        """The quotes of the last 24 hours made again under a version; nothing is recorded."""

        async def work(value: Any, context: AppContext) -> PreviewAnswer:
            validate(_NOTE, value)
            return preview_answer(await context.run(_told, context.opened.service.preview_rules, version))

        return await answer(request, Scope.MERCHANT, work)

    @post(
        "/versions/{version:int}/approve",
        status_code=200,
        operation_class=documented(NoteIn, VersionAnswer),
        summary="Approve rules",
    )
    async def approve(self, request: AnyRequest, version: Number) -> Response[bytes]:
        """Say yes to a version that another key proposed; one that loosens limits needs it."""

        async def work(value: Any, context: AppContext) -> VersionAnswer:
            book, change = context.opened.service.rules, _change(context, validate(_NOTE, value).note)
            made = await context.run(_told, book.approve, version, change)
            return await context.run(version_answer, book, made, change.at)

        return await answer(request, Scope.MERCHANT, work)

    @post(
        "/versions/{version:int}/activate",
        status_code=200,
        operation_class=documented(ActivationIn, WindowAnswer),
        summary="Put rules in effect",
    )
    async def activate(self, request: AnyRequest, version: Number) -> Response[bytes]:
        """In effect from now or a later time, for good or until a time; every process follows within a second."""

        async def work(value: Any, context: AppContext) -> WindowAnswer:
            told = validate(_ACTIVATION, value)
            book, change = context.opened.service.rules, _change(context, told.note)
            made = await context.run(
                _told, book.activate, version, change, start=told.active_from, end=told.active_until
            )
            return window_answer(made)

        return await answer(request, Scope.MERCHANT, work)

    @post("/rollback", status_code=200, operation_class=documented(RollbackIn, RulesAnswer), summary="Roll rules back")
    async def rollback(self, request: AnyRequest) -> Response[bytes]:
        """Take back the activation in effect, or that of a version; what was in effect before is again."""

        async def work(value: Any, context: AppContext) -> RulesAnswer:
            told = validate(_ROLLBACK, value)
            book, change = context.opened.service.rules, _change(context, told.note)
            await context.run(_told, book.rollback, change, told.version)
            return await context.run(rules_answer, book, change.at)

        return await answer(request, Scope.MERCHANT, work)


def _change(context: AppContext, note: str) -> Change:
    return Change(context.caller, datetime.now(UTC), note)


def _told(call: Callable[..., T], *arguments: object, **named: object) -> T:
    """A call whose refusals are the sender's to mend."""
    try:
        return call(*arguments, **named)
    except UnknownVersion as error:
        raise Problem(404, str(error)) from None
    except NeedsApproval as error:
        raise Problem(
            403, str(error), [FieldProblem("document", "loosens a limit", why) for why in error.loosens]
        ) from None
    except RuleError as error:
        raise Problem(422, str(error)) from None


async def _read(request: AnyRequest, of: Callable[[RuleBook], BaseModel]) -> Response[bytes]:
    context = await authorise(request, Scope.MERCHANT)
    found = await context.run(of, context.opened.service.rules)
    return Response(found.model_dump_json().encode(), media_type="application/json")
