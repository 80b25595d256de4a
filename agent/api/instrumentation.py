"""Instrumentation of every request, of unknown routes too: request id, trace span, metrics, one log line.

Paths are made fit for the router here, HEAD is answered as GET is, without the body, answers are compressed, and
browsers are told which pages may read them.
"""

import re
import time
from typing import Any, Final, cast
from uuid import uuid4

from litestar import Litestar
from litestar.enums import ScopeType
from litestar.types import HTTPScope, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Message, Receive, Scope, Send

from agent.api.compression import compressed_send
from agent.api.context import REQUEST_ID
from agent.api.cors import CrossOrigin, header
from agent.api.paths import routed_path
from agent.api.tenants import release_leases
from agent.pricing.tracing import answered, request_span
from agent.service.metrics import Metrics

_HEADER: Final = REQUEST_ID.encode()
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})  # all others share one label
_WELL_FORMED: Final = re.compile(rb"[A-Za-z0-9._~:-]{1,64}")


class InstrumentedApp(Litestar):
    """Litestar with instrumentation around it: its own middleware does not see requests without a route."""

    def __init__(self, *, measured: Metrics, log: Any, cross_origin: CrossOrigin, **options: Any) -> None:
        """`measured` counts requests without a merchant; `options` are Litestar's."""
        super().__init__(**options)
        self._cross_origin = cross_origin
        self._measured = measured
        self._log = log

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        """Answer a request, then count and log it."""
        if scope["type"] != ScopeType.HTTP:
            await super().__call__(scope, receive, send)
            return
        await self._instrumented(cast(HTTPScope, scope), cast(Receive, receive), cast(Send, send))

    async def _instrumented(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 500
        request_id = _set_request_id(scope)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        scope["path"], head = routed_path(scope), method == "HEAD"
        if head:
            scope["method"] = "GET"

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_HEADER, request_id)]
            elif head and message["type"] == "http.response.body":
                message["body"] = b""  # the headers are those of GET
            await send(message)

        told = self._cross_origin.opened_send(scope, compressed_send(scope, send_with_id))
        with request_span(method, header(scope, b"traceparent")) as span:
            try:
                if self._cross_origin.is_preflight(scope):
                    await self._cross_origin.answer_preflight(scope, send_with_id, request_id.decode())
                else:
                    await super().__call__(scope, receive, told)
            finally:
                seconds = time.perf_counter() - began
                route = scope.get("path_template") or "unmatched"
                answered(span, method, route, status)
                measured = release_leases(scope) or self._measured  # each merchant has metrics of its own
                measured.answered(method, route, status, seconds)
                self._log.info(
                    "request",
                    method=method,
                    route=route,
                    status=status,
                    ms=round(seconds * 1e3, 1),
                    request_id=request_id.decode(),
                )


def _set_request_id(scope: HTTPScope) -> bytes:
    """Set the X-Request-Id header of a request: the sender's where it is well-formed, else a new one; returns it."""
    given = next((value for name, value in scope["headers"] if name.lower() == _HEADER), b"")
    request_id = given if _WELL_FORMED.fullmatch(given) else uuid4().hex.encode()
    others = [(name, value) for name, value in scope["headers"] if name.lower() != _HEADER]
    scope["headers"] = [*others, (_HEADER, request_id)]
    return request_id
