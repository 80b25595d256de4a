"""Authorisation: an API key to the context of its merchant, with scope and rate limit checked."""

from dataclasses import replace
from math import ceil
from time import perf_counter

from agent.api.context import AnyRequest, AppContext, context_of, request_id_of
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.publishable import check_route
from agent.api.tenants import tenants_of
from agent.service.auth.api_keys import Scope
from agent.service.merchants import MerchantError


async def authorise(request: AnyRequest, scope: Scope, *or_scopes: Scope) -> AppContext:
    """Check that the request's key has one of the scopes; returns the context of the key's merchant.

    Raises:
        Problem: 401 without a live key, 403 without the scope or where a publishable key may not be used, 429 above the
            key's rate limit.
    """
    arrived_s = perf_counter()
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not text.strip():
        raise _unauthenticated(Code.KEY_MISSING, "an API key is missing; send it as Authorization: Bearer KEY")
    context = context_of(request)
    keys, given = context.resources.keys, text.strip()
    key = keys.verified(given) or await context.run(keys.verify, given)
    if key is None:
        raise _unauthenticated(Code.KEY_UNKNOWN, "the API key is unknown, expired or revoked")
    if not any(key.allows(one) for one in (scope, *or_scopes)):
        wanted = " or ".join(repr(one.value) for one in (scope, *or_scopes))
        detail = f"the key lacks the scope {wanted}; it has: {', '.join(sorted(key.scopes))}"
        raise Problem(403, detail, code=Code.SCOPE_MISSING)
    check_route(key, request)
    wait_s = context.rate_limits.wait_s(key.key_id, key.per_minute)
    if wait_s > 0:
        seconds = ceil(wait_s)
        raise Problem(
            429,
            f"the key's rate limit is used up; try again in {seconds} s",
            headers={"Retry-After": str(seconds)},
            code=Code.RATE_LIMITED,
        )
    try:
        own = await tenants_of(request).lease(request, key.merchant)
    except MerchantError:
        raise _unauthenticated(Code.KEY_UNKNOWN, "the API key is unknown, expired or revoked") from None
    return replace(own, key=key, arrived_s=arrived_s, request_id=request_id_of(request))


def _unauthenticated(code: Code, detail: str) -> Problem:
    return Problem(401, detail, headers={"WWW-Authenticate": 'Bearer realm="pricesmith"'}, code=code)
