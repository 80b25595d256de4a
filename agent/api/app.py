"""The app factory: routes, errors, life cycle. One factory serves every ASGI server."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final
from uuid import uuid4

import anyio
import structlog
from anyio import CapacityLimiter
from litestar import Litestar, Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException
from litestar.logging import LoggingConfig
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from agent.api.context import CONTEXT, AppContext, Opened
from agent.api.controllers import FeedbackController, QuoteController, livez, metrics, readyz
from agent.api.metrics import Metrics
from agent.api.problems import Problem, to_response
from agent.lane import Lane, LaneClosedError, LaneFullError
from agent.settings import Settings
from agent.store import StoreUnavailable

VERSION: Final = "1.0"
_THREADS: Final = 8
_REQUEST_ID: Final = "x-request-id"
_log = structlog.get_logger("pricesmith")

AnyRequest = Request[Any, Any, Any]


def create_app(settings: Settings, open_all: Callable[[Settings], Opened]) -> Litestar:
    """An app that opens its service when it starts; `open_all` runs off the event loop."""
    measured = Metrics()

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        opened = await anyio.to_thread.run_sync(open_all, settings)
        lane = Lane(opened.service.quote, limit=settings.queue_limit)
        app.state[CONTEXT] = AppContext(settings, opened, lane, CapacityLimiter(_THREADS), measured)
        try:
            yield
        finally:
            await lane.close()
            await anyio.to_thread.run_sync(opened.service.close)

    return Litestar(
        route_handlers=[QuoteController, FeedbackController, livez, readyz, metrics],
        lifespan=[lifespan],
        middleware=[observed(measured)],
        exception_handlers={
            Problem: lambda _request, error: to_response(error),
            HTTPException: _http_error,
            LaneFullError: _unavailable,
            LaneClosedError: _unavailable,
            StoreUnavailable: _unavailable,
            Exception: _bug,
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
        render_plugins=[SwaggerRenderPlugin()],
        components=Components(security_schemes={"apiKey": scheme}),
    )


def _http_error(_request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Litestar's own errors: unknown routes, methods, bodies that are too large, bad query parameters."""
    status = 422 if error.status_code == 400 else error.status_code
    detail = {404: "there is nothing at this address", 413: "the body is larger than this server takes"}.get(status)
    return to_response(Problem(status, detail or error.detail or "the request cannot be served", headers=error.headers))


def _unavailable(_request: AnyRequest, error: Exception) -> Response[bytes]:
    return to_response(Problem(503, str(error), headers={"Retry-After": "1"}))


def _bug(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Anything else is ours to mend: logged with its traceback, told without internals."""
    _log.error("unexpected error", request_id=request.headers.get(_REQUEST_ID), exc_info=error)
    return to_response(Problem(500, "something went wrong here; the error was logged"))


def observed(measured: Metrics) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware: a request id on every answer, one log line and one count a request, no personal data in either."""

    def wrap(app: ASGIApp) -> ASGIApp:
        async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != ScopeType.HTTP:
                await app(scope, receive, send)
                return
            began = time.perf_counter()
            given = dict(scope["headers"]).get(_REQUEST_ID.encode(), b"")
            request_id = given if given.isascii() and 0 < len(given) <= 64 else uuid4().hex.encode()
            status = 500

            async def sending(message: Message) -> None:
                nonlocal status
                if message["type"] == "http.response.start":
                    status = message["status"]
                    message["headers"] = [*message["headers"], (_REQUEST_ID.encode(), request_id)]
                await send(message)

            try:
                await app(scope, receive, sending)
            finally:
                route = scope.get("path_template") or "unmatched"
                seconds = time.perf_counter() - began
                measured.answered(scope["method"], route, status, seconds)
                _log.info(
                    "request",
                    method=scope["method"],
                    route=route,
                    status=status,
                    ms=round(seconds * 1e3, 1),
                    request_id=request_id.decode(),
                )

        return middleware

    return wrap
