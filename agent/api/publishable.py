"""Limits of publishable keys, which are in a page's source and so in everybody's hands.

Whoever reads such a key may ask what a shopper's browser must be able to ask, and no more: no list price, cost or limit
of their own, from which the merchant's cost could be found out; no moment, stock or competitor that never was; no sale
that would count in the weekly facts.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from agent.api.context import AnyRequest, AppContext
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.domain.origins import web_origin
from agent.domain.records import EventType
from agent.domain.refusal import FieldProblem
from agent.domain.request import Context, QuotedProduct, QuoteRequest, RecommendationRequest, SessionEvent
from agent.service.auth.api_keys import ApiKey

ROUTES: Final = frozenset(
    {"/v1/quotes", "/v1/quotes/batch", "/v1/quotes/verify", "/v1/pages", "/v1/recommendations", "/v1/events"}
)
_PRODUCT: Final = frozenset({"id"})
_CONTEXT: Final = frozenset({"jurisdiction", "location", "channel", "season", "language", "device"})
_OF_OUTCOMES: Final = (EventType.PURCHASE, EventType.DECLINE)
_EVENTS: Final = tuple(one.value for one in EventType if one not in _OF_OUTCOMES)
_MOST: Final = 50


def check_route(key: ApiKey, request: AnyRequest) -> None:
    """Check that a publishable key is used where it may be, by a page of its own; other keys may be used anywhere.

    Raises:
        Problem: 403, for another operation, or a page of another origin.
    """
    if not key.publishable:
        return
    if request.method != "POST" or request.scope.get("path_template") not in ROUTES:
        detail = f"a publishable key may not ask this; allowed: POST {', '.join(sorted(ROUTES))}"
        raise Problem(403, detail, code=Code.PUBLISHABLE_KEY_LIMITED)
    origin = request.headers.get("origin")
    if origin is not None and not _is_own(origin, key.origins):
        detail = f"the key is not for pages of {origin[:80]!r}; allowed: {', '.join(key.origins)}"
        raise Problem(403, detail, code=Code.ORIGIN_NOT_ALLOWED)


def check_asked(context: AppContext, asked: QuoteRequest | RecommendationRequest, prefix: str = "") -> None:
    """Check that a request made with a publishable key says nothing but what a browser may say.

    Raises:
        Problem: 403, with one error a field; `prefix` precedes their names.
    """
    if context.key is not None and context.key.publishable:
        _refuse(list(_of_request(asked)), prefix)


def check_events(context: AppContext, events: Sequence[SessionEvent], prefix: str) -> None:
    """Check that events reported with a publishable key are no sales and name no prices.

    Raises:
        Problem: 403, with one error a field; `prefix` precedes their names.
    """
    if context.key is not None and context.key.publishable:
        _refuse(list(_of_events(events)), prefix)


def _of_request(asked: QuoteRequest | RecommendationRequest) -> Iterator[FieldProblem]:
    if isinstance(asked, QuoteRequest):
        yield from _of_product(asked.product)
        if "limits" in asked.model_fields_set:
            yield _field("limits", "no limits: they would tell how low you sell")
    if asked.shopper.higher_price_consent is not None:
        yield _field("shopper.higher_price_consent", "none: your server keeps the proof of a consent")
    yield from _of_context(asked.context)
    for one in _of_events(asked.events):
        yield FieldProblem(f"events.{one.field}", one.message, one.received, one.allowed)


def _of_product(product: QuotedProduct) -> Iterator[FieldProblem]:
    for name in sorted(product.model_fields_set - _PRODUCT):
        yield _field(f"product.{name}", "the id of a known product alone")


def _of_context(context: Context) -> Iterator[FieldProblem]:
    for name in sorted({*context.model_fields_set, *(context.__pydantic_extra__ or {})} - _CONTEXT):
        yield _field(f"context.{name}", ", ".join(sorted(_CONTEXT)))


def _of_events(events: Sequence[SessionEvent]) -> Iterator[FieldProblem]:
    for index, event in enumerate(events):
        if event.type in _OF_OUTCOMES:
            yield _field(f"{index}.type", ", ".join(_EVENTS), event.type.value)
        if event.price is not None:
            yield _field(f"{index}.price", "no price")


def _field(field: str, allowed: str, received: str = "") -> FieldProblem:
    return FieldProblem(field, "may not be sent with a publishable key", received, allowed)


def _refuse(problems: list[FieldProblem], prefix: str) -> None:
    if not problems:
        return
    named = [
        FieldProblem(f"{prefix}.{one.field}" if prefix else one.field, one.message, one.received, one.allowed)
        for one in problems[:_MOST]
    ]
    detail = f"may not be sent with a publishable key: {', '.join(one.field for one in named[:3])}"
    detail = f"{detail}; remedy: send it from your server with a secret key"
    raise Problem(403, detail, named, code=Code.PUBLISHABLE_KEY_LIMITED)


def _is_own(origin: str, origins: Sequence[str]) -> bool:
    try:
        return web_origin(origin) in origins
    except ValueError:  # such as null, of a sandboxed frame or a file
        return False
