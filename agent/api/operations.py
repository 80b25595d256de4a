"""Handlers for operators: health, Prometheus metrics, and the public keys of quote tokens."""

from typing import Final

from litestar import Response, get

from agent.api.authorisation import authorise
from agent.api.context import AnyRequest, context_of
from agent.api.openapi import SECURITY, operation, text_operation
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.health import AliveAnswer, ReadyAnswer
from agent.api.responses.rendering import json_response
from agent.api.responses.verification import KeysAnswer
from agent.service.auth.api_keys import Scope

_EXPOSITION: Final = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus's text format


@get(
    "/livez",
    operation_id="getLiveness",
    operation_class=operation(None, AliveAnswer, ()),
    summary="Ask whether the process is alive",
    sync_to_thread=False,
    tags=["operations"],
)
def livez() -> Response[bytes]:
    """The process is alive."""
    return json_response(AliveAnswer())


@get(
    "/readyz",
    operation_id="getReadiness",
    operation_class=operation(None, ReadyAnswer, (), also=(503,)),
    summary="Ask whether quotes can be made",
    tags=["operations"],
)
async def readyz(request: AnyRequest) -> Response[bytes]:
    """Models, index and store are ready; 503 with the reason when one is not."""
    context = context_of(request)
    found = await context.run(context.service.readiness)
    body = ReadyAnswer(ready=found.ready, checks=dict(found.checks), store=found.store)
    return json_response(body) if found.ready else json_response(body, 503, {"Retry-After": "1"})


@get(
    "/.well-known/jwks.json",
    operation_id="getPublicKeys",
    operation_class=operation(None, KeysAnswer, (503,)),
    summary="Read the public keys of quote tokens",
    tags=["operations"],
)
async def public_keys(request: AnyRequest) -> Response[bytes]:
    """Public keys for checking tokens offline; fetch them again when a token names a key that is not among them."""
    context = context_of(request)
    keys = await context.run(context.service.public_keys)
    headers = {"Cache-Control": "public, max-age=300"}
    return json_response(KeysAnswer.model_validate({"keys": keys}), headers=headers)


@get(
    "/v1/keys",
    operation_id="getKeys",
    operation_class=operation(None, KeysAnswer, scopes=(Scope.QUOTES,)),
    summary="Read the public keys of this key's merchant",
    tags=["operations"],
    security=SECURITY,
)
async def own_public_keys(request: AnyRequest) -> Response[bytes]:
    """Public keys of the API key's merchant; `/.well-known/jwks.json` has the default merchant's."""
    context = await authorise(request, Scope.QUOTES)
    keys = await context.run(context.service.public_keys)
    return json_response(KeysAnswer.model_validate({"keys": keys}))


@get(
    "/metrics",
    operation_id="getMetrics",
    operation_class=text_operation(_EXPOSITION, (401, 403, 429)),
    summary="Read Prometheus metrics",
    tags=["operations"],
)
async def metrics(request: AnyRequest) -> Response[bytes]:
    """Prometheus metrics of the default merchant; where they are not public, a key with the scope `admin`."""
    context = context_of(request)
    if not context.settings.metrics_public:
        caller = await authorise(request, Scope.ADMIN)
        if caller.metrics is not context.metrics:
            detail = "/metrics has the default merchant's metrics; allowed for this key: /v1/metrics"
            raise Problem(403, detail, code=Code.OTHER_MERCHANT)
    return Response(await context.exposition(), media_type=_EXPOSITION)


@get(
    "/v1/metrics",
    operation_id="getOwnMetrics",
    summary="Read Prometheus metrics of this key's merchant",
    operation_class=text_operation(_EXPOSITION, (401, 403, 429)),
    tags=["operations"],
    security=SECURITY,
)
async def own_metrics(request: AnyRequest) -> Response[bytes]:
    """Prometheus metrics of the API key's merchant; `/metrics` has the default merchant's."""
    context = await authorise(request, Scope.MERCHANT)
    return Response(await context.exposition(), media_type=_EXPOSITION)
