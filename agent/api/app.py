"""The app factory: routes, errors, life cycle. One factory serves every ASGI server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
from anyio import CapacityLimiter
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.logging import LoggingConfig
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from agent.api.batching import BatcherClosedError, MicroBatcher, QueueFullError
from agent.api.context import CONTEXT, AppContext, Opened, context_of
from agent.api.controllers import (
    FeedbackController,
    QuoteController,
    livez,
    metrics,
    own_metrics,
    own_public_keys,
    public_keys,
    readyz,
)
from agent.api.explanations import ExplanationController
from agent.api.housekeeping import deliver_webhooks, follow_models, keep_house
from agent.api.logs import service_log, where
from agent.api.metrics import Metrics
from agent.api.observed import REQUEST_ID, ObservedApp
from agent.api.problems import Problem, to_response
from agent.api.rule_versions import RuleVersionsController
from agent.api.rules import RulesController
from agent.api.shoppers import ShopperController
from agent.api.tenants import TENANTS, Tenants
from agent.api.webhooks import WebhookController
from agent.service.auth.rate_limits import RateLimiter
from agent.service.settings import Settings
from agent.store import InvalidRecord, StoreError, StoreUnavailable

VERSION: Final = "1.0"
_THREADS: Final = 8
_RETRY: Final = {"Retry-After": "1"}

AnyRequest = Request[Any, Any, Any]


def create_app(settings: Settings, open_all: Callable[[Settings], Opened]) -> Litestar:
    """An app that opens its service when it starts; `open_all` runs off the event loop."""
    measured, log = Metrics(), service_log()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        opened = await anyio.to_thread.run_sync(open_all, settings)
        batcher = MicroBatcher(opened.service.quote, limit=settings.queue_limit)
        limits = RateLimiter(settings.rate_limit_per_minute)
        app.state[CONTEXT] = context = AppContext(
            settings, opened, batcher, CapacityLimiter(_THREADS), measured, limits
        )
        app.state[TENANTS] = tenants = Tenants(context, settings.open_merchants)
        beside = [asyncio.create_task(task(tenants, log)) for task in (keep_house, follow_models, deliver_webhooks)]
        try:
            yield
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await tenants.close()
            await batcher.close()
            await anyio.to_thread.run_sync(opened.service.close)

    def no_store(request: AnyRequest, error: StoreUnavailable) -> Response[bytes]:
        log.error("store unavailable", request_id=request.headers.get(REQUEST_ID), error=where(error))
        return to_response(Problem(503, "the store does not answer; try again", headers=_RETRY))

    def unreadable(request: AnyRequest, error: StoreError) -> Response[bytes]:
        log.error("the store failed", request_id=request.headers.get(REQUEST_ID), error=where(error))
        return to_response(Problem(503, "the store failed; its operator must look", headers={"Retry-After": "60"}))

    def bug(request: AnyRequest, error: Exception) -> Response[bytes]:
        """Anything unforeseen is ours to mend: logged with its place, told without internals."""
        log.error("unexpected error", request_id=request.headers.get(REQUEST_ID), error=where(error))
        return to_response(Problem(500, "something went wrong here; the error was logged"))

    return ObservedApp(
        measured=measured,
        log=log,
        route_handlers=[
            QuoteController,
            ExplanationController,
            FeedbackController,
            RulesController,
            RuleVersionsController,
            ShopperController,
            WebhookController,
            livez,
            readyz,
            public_keys,
            own_public_keys,
            own_metrics,
            metrics,
        ],
        lifespan=[lifespan],
        exception_handlers={
            Problem: lambda _request, error: to_response(error),
            HTTPException: _http_error,
            QueueFullError: _unavailable,
            BatcherClosedError: _unavailable,
            StoreUnavailable: no_store,
            InvalidRecord: _not_storable,
            StoreError: unreadable,
            Exception: bug,
        },
        request_max_body_size=settings.body_limit_bytes,
        openapi_config=_openapi(),
        logging_config=LoggingConfig(log_exceptions="never", configure_root_logger=False),
    )


def _openapi() -> OpenAPIConfig:
    scheme = SecurityScheme(type="http", scheme="bearer", description="An API key: `pricesmith keys create`.")
    return OpenAPIConfig(
        title="Pricesmith",
        version=VERSION,
        description="Prices for this shopper, this product, now, within the merchant's limits and with reasons.",
        path="/schema",
        use_handler_docstrings=True,
        render_plugins=[SwaggerRenderPlugin()],
        components=Components(security_schemes={"apiKey": scheme}),
    )


def _http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Litestar's own errors: unknown routes, methods, bodies that are too large, bad query parameters."""
    status = 422 if error.status_code == 400 else error.status_code
    headers = error.headers or {}
    told = {
        404: "there is nothing at this address",
        405: f"this address does not take that method; allowed: {headers.get('allow', 'see /schema')}",
        413: f"the body is too large; allowed: {context_of(request).settings.body_limit_bytes:,} bytes",
    }
    return to_response(Problem(status, told.get(status, error.detail), headers=headers))


def _not_storable(_request: AnyRequest, _error: InvalidRecord) -> Response[bytes]:
    return to_response(Problem(422, "a value of the request cannot be stored: it holds what is no text or no number"))


def _unavailable(_request: AnyRequest, error: Exception) -> Response[bytes]:
    return to_response(Problem(503, str(error), headers=_RETRY))
