"""Answers to requests with a body; a POST with an idempotency key is worked once and its answer replayed."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from litestar import Response

from agent.api.authorisation import authorise
from agent.api.body import parse_json, read_body
from agent.api.context import AnyRequest, AppContext, Attempt
from agent.api.problem_codes import Code
from agent.api.problems import Problem, to_response
from agent.api.responses.rendering import Body, Lines, Made, json_response
from agent.domain.refusal import FieldProblem
from agent.service.auth.api_keys import Scope
from agent.store import IdempotencyState, StoredResponse

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
_KEY_CHARS: Final = 255

Work = Callable[[Any, AppContext], Awaitable[Body | Made | Lines]]
"""Computes the answer from the parsed body and the caller's context."""


async def answer(request: AnyRequest, scope: Scope, work: Work) -> Response[bytes]:
    """Authorise, parse the body, work; under an idempotency key a POST is worked once and replayed after.

    `work` returns the response body, answered as 200, or `Made` around it, answered as 201 or 202 with a Location.

    Raises:
        Problem: Anything that `authorise`, `read_body`, `parse_json` and `work` raise; 409 and 422 for an idempotency
            key in flight, malformed, or used for another request.
    """
    context = await authorise(request, scope)
    raw = await read_body(request)
    if idempotency_key(request) is None:
        return rendered(await work(parse_json(raw), context))
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode() + raw).hexdigest()
    return await answer_once(request, context, digest, lambda own: work(parse_json(raw), own))


async def answer_once(
    request: AnyRequest, context: AppContext, digest: str, work: Callable[[AppContext], Awaitable[Body | Made | Lines]]
) -> Response[bytes]:
    """Work, or replay what was answered under the request's idempotency key; `digest` is that of the whole request.

    Raises:
        Problem: 409 and 422 for an idempotency key in flight, malformed, or used for another request.
    """
    idem_key = idempotency_key(request)
    if idem_key is None:
        return rendered(await work(context))
    claim = await context.run(context.store.idempotency_begin, context.caller, idem_key, digest)
    if claim.state is IdempotencyState.MISMATCH:
        problem = FieldProblem(
            IDEMPOTENCY_KEY, "was used for another request", idem_key[:80], "a new key for a new request"
        )
        raise Problem(
            422, "the idempotency key was used for another request", [problem], code=Code.IDEMPOTENCY_KEY_REUSED
        )
    if claim.state is IdempotencyState.IN_FLIGHT:
        raise Problem(
            409,
            "another request with this idempotency key is being answered",
            headers={"Retry-After": "1"},
            code=Code.IDEMPOTENCY_IN_FLIGHT,
        )
    if claim.response is not None:
        return _replayed(claim.response)
    if claim.quote_id is not None:
        context = replace(context, attempt=Attempt(claim.quote_id, claim.again))
    return await _work_and_keep(context, idem_key, lambda: work(context))


def idempotency_key(request: AnyRequest) -> str | None:
    """The idempotency key of a POST; None without one.

    Raises:
        Problem: 422, for a malformed one.
    """
    idem_key = request.headers.get(IDEMPOTENCY_KEY)
    if idem_key is None or request.method != "POST":
        return None
    _check_key(idem_key)
    return idem_key


async def _work_and_keep(
    context: AppContext, idem_key: str, work: Callable[[], Awaitable[Body | Made | Lines]]
) -> Response[bytes]:
    """Work and keep the answer, which may be an error of the sender; any other error abandons the key for a retry."""
    store, key_id = context.store, context.caller
    try:
        reply = rendered(await work())
    except Problem as problem:
        if problem.status >= 500:
            await context.run(store.idempotency_abandon, key_id, idem_key)
            raise
        reply = to_response(problem, context.request_id)
    except BaseException:
        await context.run(store.idempotency_abandon, key_id, idem_key)
        raise
    kept = StoredResponse(reply.status_code or 200, reply.content, str(reply.media_type), reply.headers.get("Location"))
    await context.run(store.idempotency_finish, key_id, idem_key, kept)
    return reply


def rendered(found: Body | Made | Lines) -> Response[bytes]:
    """The response of what `work` found."""
    return found.response() if isinstance(found, Made | Lines) else json_response(found)


def _check_key(idem_key: str) -> None:
    if not 1 <= len(idem_key) <= _KEY_CHARS or not idem_key.isprintable():
        allowed = f"1 to {_KEY_CHARS} printable characters"
        problem = FieldProblem(IDEMPOTENCY_KEY, "is empty, too long or not printable", idem_key[:80], allowed)
        detail = f"the idempotency key is malformed; allowed: {allowed}"
        raise Problem(422, detail, [problem], code=Code.IDEMPOTENCY_KEY_MALFORMED)


def _replayed(stored: StoredResponse) -> Response[bytes]:
    headers = {"Idempotency-Replayed": "true"}
    if stored.location is not None:
        headers["Location"] = stored.location
    return Response(stored.body, status_code=stored.status, media_type=stored.media_type, headers=headers)
