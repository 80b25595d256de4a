"""HTTP handlers for the merchant's rules: propose, preview, approve, activate, roll back."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

from litestar import Controller, Response, get, post
from litestar.params import PathParameter
from pydantic import BaseModel, Field, TypeAdapter

from agent.api import examples
from agent.api.authorisation import authorise
from agent.api.body import validate
from agent.api.context import AnyRequest, AppContext
from agent.api.idempotency import answer
from agent.api.openapi import SECURITY, operation
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.rendering import Made, json_response
from agent.api.responses.rule_versions import (
    PreviewAnswer,
    RulesAnswer,
    VersionAnswer,
    VersionsAnswer,
    WindowAnswer,
    one_version_answer,
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
Number = Annotated[int, PathParameter(description="Number of a version.", ge=1, le=10**9)]


class RulesIn(Strict, title="RulesProposal"):
    """A new version of the rules, and why."""

    document: RulesDocument
    """The rules."""
    note: Short = ""
    """Why they are proposed."""


class NoteIn(Strict, title="Note"):
    """A note for the record of the decision; an empty object has none."""

    note: Short = ""
    """The note."""


class ActivationIn(NoteIn, title="ActivationRequest"):
    """Times between which a version is in effect; by default from now and without an end."""

    active_from: Time | None = None
    """When it takes effect; now where left out."""
    active_until: Time | None = None
    """When it ends; never where left out."""


class RollbackIn(NoteIn, title="RollbackRequest"):
    """The activation to end: the one in effect, or the latest unfinished one of a version."""

    version: Annotated[int, Field(ge=1, le=10**9, strict=True)] | None = None
    """Number of the version; the one in effect where left out."""


_RULES: Final = TypeAdapter(RulesIn)
_NOTE: Final = TypeAdapter(NoteIn)
_ACTIVATION: Final = TypeAdapter(ActivationIn)
_ROLLBACK: Final = TypeAdapter(RollbackIn)


class RuleVersionsController(Controller):
    """Versions of the rules and their activations."""

    path = "/v1/rules"
    tags = ("rules",)
    security = SECURITY

    @get(
        "/",
        operation_id="getRules",
        operation_class=operation(None, RulesAnswer),
        summary="Read the rules in effect",
    )
    async def in_effect(self, request: AnyRequest) -> Response[bytes]:
        """The rules in effect and the scheduled activations."""
        return await _read(request, lambda book: rules_answer(book, datetime.now(UTC)))

    @get(
        "/versions",
        operation_id="listRuleVersions",
        operation_class=operation(None, VersionsAnswer),
        summary="List versions of the rules",
    )
    async def versions(self, request: AnyRequest) -> Response[bytes]:
        """All versions with their approvals, and all activations."""
        return await _read(request, lambda book: versions_answer(book, datetime.now(UTC)))

    @get(
        "/versions/{version:int}",
        operation_id="getRuleVersion",
        operation_class=operation(None, VersionAnswer),
        summary="Read a version",
    )
    async def version(self, request: AnyRequest, version: Number) -> Response[bytes]:
        """One version with its document, which may be proposed again as it is."""
        return await _read(request, lambda book: _translated(one_version_answer, book, version, datetime.now(UTC)))

    @post(
        "/versions",
        status_code=201,
        operation_id="proposeRules",
        operation_class=operation(RulesIn, VersionAnswer, status=201, location=True, examples=examples.RULES),
        summary="Propose rules",
    )
    async def propose(self, request: AnyRequest) -> Response[bytes]:
        """Store a new version; it is not in effect until it is activated."""

        async def work(value: Any, context: AppContext) -> Made:
            asked = validate(_RULES, value)
            book, change = context.service.rules, _change(context, asked.note)
            made = await context.run(_translated, book.propose, asked.document, change)
            told = await context.run(version_answer, book, made, change.at)
            return Made(told, f"/v1/rules/versions/{made.number}")

        return await answer(request, Scope.MERCHANT, work)

    @post(
        "/versions/{version:int}/preview",
        status_code=200,
        operation_id="previewRules",
        operation_class=operation(NoteIn, PreviewAnswer, examples=examples.PREVIEW),
        summary="Try rules on yesterday's quotes",
    )
    async def preview(self, request: AnyRequest, version: Number) -> Response[bytes]:
        """Price the quotes of the last 24 hours again under a version; nothing is recorded."""

        async def work(value: Any, context: AppContext) -> PreviewAnswer:
            validate(_NOTE, value)
            return preview_answer(await context.run(_translated, context.service.preview_rules, version))

        return await answer(request, Scope.MERCHANT, work)

    @post(
        "/versions/{version:int}/approve",
        status_code=200,
        operation_id="approveRules",
        operation_class=operation(NoteIn, VersionAnswer, examples=examples.APPROVAL),
        summary="Approve rules",
    )
    async def approve(self, request: AnyRequest, version: Number) -> Response[bytes]:
        """Approve a version that another key proposed; a version that loosens limits needs this before activation."""

        async def work(value: Any, context: AppContext) -> VersionAnswer:
            book, change = context.service.rules, _change(context, validate(_NOTE, value).note)
            made = await context.run(_translated, book.approve, version, change)
            return await context.run(version_answer, book, made, change.at)

        return await answer(request, Scope.MERCHANT, work)

    @post(
        "/versions/{version:int}/activate",
        status_code=200,
        operation_id="activateRules",
        operation_class=operation(ActivationIn, WindowAnswer, examples=examples.ACTIVATION),
        summary="Put rules in effect",
    )
    async def activate(self, request: AnyRequest, version: Number) -> Response[bytes]:
        """Put a version in effect from now or later, with or without an end; all processes follow within a second."""

        async def work(value: Any, context: AppContext) -> WindowAnswer:
            asked = validate(_ACTIVATION, value)
            book, change = context.service.rules, _change(context, asked.note)
            made = await context.run(
                _translated, book.activate, version, change, start=asked.active_from, end=asked.active_until
            )
            return window_answer(made)

        return await answer(request, Scope.MERCHANT, work)

    @post(
        "/rollback",
        status_code=200,
        operation_id="rollBackRules",
        operation_class=operation(RollbackIn, RulesAnswer, examples=examples.ROLLBACK),
        summary="Roll rules back",
    )
    async def rollback(self, request: AnyRequest) -> Response[bytes]:
        """End the activation in effect, or that of a version; the one before it takes effect again."""

        async def work(value: Any, context: AppContext) -> RulesAnswer:
            asked = validate(_ROLLBACK, value)
            book, change = context.service.rules, _change(context, asked.note)
            await context.run(_translated, book.rollback, change, asked.version)
            return await context.run(rules_answer, book, change.at)

        return await answer(request, Scope.MERCHANT, work)


def _change(context: AppContext, note: str) -> Change:
    return Change(context.caller, datetime.now(UTC), note)


def _translated(call: Callable[..., T], *arguments: object, **named: object) -> T:
    """Call, with errors of the rules as problems."""
    try:
        return call(*arguments, **named)
    except UnknownVersion as error:
        raise Problem(404, str(error), code=Code.NOT_FOUND) from None
    except NeedsApproval as error:
        raise Problem(
            403,
            str(error),
            [FieldProblem("document", "loosens a limit", why, "an approval by another key") for why in error.loosens],
            code=Code.APPROVAL_NEEDED,
        ) from None
    except RuleError as error:
        raise Problem(422, str(error), code=Code.RULES_INVALID) from None


async def _read(request: AnyRequest, view: Callable[[RuleBook], BaseModel]) -> Response[bytes]:
    context = await authorise(request, Scope.MERCHANT)
    found = await context.run(view, context.service.rules)
    return json_response(found)
