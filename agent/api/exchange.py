"""One exchange: the key checked, the body read, the same POST answered once."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from math import ceil
from time import perf_counter
from typing import Any, Final

from litestar import Request, Response
from pydantic import BaseModel

from agent.api.body import parse_json
from agent.api.context import AppContext, Attempt, context_of
from agent.api.problems import PROBLEM_JSON, Problem, details
from agent.api.tenants import tenants_of
from agent.domain.refusal import FieldProblem
from agent.service.auth.api_keys import Scope
from agent.service.merchants import MerchantError
from agent.store import IdempotencyState, StoredResponse

IDEMPOTENCY_KEY: Final = "Idempotency-Key"
_JSON: Final = "application/json"
_KEY_CHARS: Final = 255

AnyRequest = Request[Any, Any, Any]
Work = Callable[[Any, AppContext], Awaitable[BaseModel]]


async def authorise(request: AnyRequest, scope: Scope) -> AppContext:
    """The parts of the merchant whose live key a request brings, when that key may do what it asks.

    Raises:
        Problem: 401 without a live key, 403 without the scope, 429 when the key is used too often.
    """
    arrived_s = perf_counter()
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise _unauthenticated("give an API key: Authorization: Bearer KEY")
    context = context_of(request)
    key = await context.run(context.opened.keys.verify, text.strip())
    if key is None:
        raise _unauthenticated("the API key is unknown, expired or revoked")
    if not key.allows(scope):
        raise Problem(403, f"the key lacks the scope {scope.value!r}; it has: {', '.join(sorted(key.scopes))}")
    wait_s = context.limits.wait_s(key.key_id, key.per_minute)
    if wait_s > 0:
        raise Problem(429, "the key is used too often", headers={"Retry-After": str(ceil(wait_s))})
    try:
        own = await tenants_of(request).lease(request, key.merchant)
    except MerchantError:
        raise _unauthenticated("the API key is unknown, expired or revoked") from None
    return replace(own, key=key, arrived_s=arrived_s)


async def answer(request: AnyRequest, scope: Scope, work: Work) -> Response[bytes]:
    """Authorise, parse, work, and keep the answer where the request brings an idempotency key."""
    context = await authorise(request, scope)
    media = request.headers.get("content-type", _JSON).split(";")[0].strip().lower()
    if media not in (_JSON, "application/x-www-form-urlencoded", ""):  # curl -d says the second of any text
        raise Problem(415, f"content type {media[:80]!r} is not understood; allowed: {_JSON}")
    raw = await request.body()
    name = request.headers.get(IDEMPOTENCY_KEY)
    if name is None or request.method != "POST":
        return _reply(await work(parse_json(raw), context))
    return await _once(request, context, name, raw, work)


async def _once(request: AnyRequest, context: AppContext, name: str, raw: bytes, work: Work) -> Response[bytes]:
    """Work unless it was done before under this idempotency key; errors of the sender are answers too."""
    if not 1 <= len(name) <= _KEY_CHARS or not name.isprintable():
        problem = FieldProblem(IDEMPOTENCY_KEY, "not usable", name[:80], f"1 to {_KEY_CHARS} printable characters")
        raise Problem(422, "the idempotency key is not usable", [problem])
    store, key_id = context.opened.store, context.caller
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode() + raw).hexdigest()
    claim = await context.run(store.idempotency_begin, key_id, name, digest)
    if claim.state is IdempotencyState.MISMATCH:
        problem = FieldProblem(
            IDEMPOTENCY_KEY, "was used for another request", name[:80], "a new key for a new request"
        )
        raise Problem(422, "the idempotency key was used for another request", [problem])
    if claim.state is IdempotencyState.IN_FLIGHT:
        raise Problem(409, "a request with this idempotency key is being answered", headers={"Retry-After": "1"})
    if claim.response is not None:
        return _stored(claim.response)
    if claim.quote_id is not None:
        context = replace(context, attempt=Attempt(claim.quote_id, claim.again))
    try:
        reply = _reply(await work(parse_json(raw), context))
    except Problem as problem:
        if problem.status >= 500:
            await context.run(store.idempotency_abandon, key_id, name)
            raise
        body = details(problem.status, problem.detail, problem.errors).model_dump_json().encode()
        reply = Response(body, status_code=problem.status, media_type=PROBLEM_JSON)
    except BaseException:
        await context.run(store.idempotency_abandon, key_id, name)
        raise
    await context.run(
        store.idempotency_finish, key_id, name, reply.status_code or 200, reply.content, str(reply.media_type)
    )
    return reply


def _reply(model: BaseModel) -> Response[bytes]:
    body = model.model_dump_json(by_alias=True, exclude_none=False).encode()
    return Response(body, status_code=200, media_type=_JSON)


def _stored(stored: StoredResponse) -> Response[bytes]:
    headers = {"Idempotency-Replayed": "true"}
    return Response(stored.body, status_code=stored.status, media_type=stored.media_type, headers=headers)


def _unauthenticated(detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="pricesmith"'})
