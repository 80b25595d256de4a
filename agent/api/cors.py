"""Cross-origin requests: pages of the origins in the settings may call the API from a browser.

Keys travel in the Authorization header, never in a cookie: a page without a key gets nothing, from whatever origin.
"""

from collections.abc import Collection, Sequence
from typing import Final

from litestar.types import HTTPScope, Message, Send

from agent.api.problem_codes import Code
from agent.api.problems import PROBLEM_JSON, Problem, details

ANY: Final = "*"
_METHODS: Final = "GET, HEAD, POST, PUT, DELETE"
_HEADERS: Final = "Authorization, Content-Type, Idempotency-Key, X-Request-Id, traceparent"
_EXPOSED: Final = "Location, X-Request-Id, Retry-After, Idempotency-Replayed"
_MAX_AGE_S: Final = "600"

Headers = list[tuple[bytes, bytes]]


class CrossOrigin:
    """The origins that may ask; without any, no answer has a header about origins."""

    def __init__(self, origins: Collection[str]) -> None:
        """`*` allows every origin."""
        self._origins = frozenset(origins)

    def allows(self, origin: str) -> bool:
        """Check whether pages of an origin may ask."""
        return ANY in self._origins or origin in self._origins

    def is_preflight(self, scope: HTTPScope) -> bool:
        """Recognise a browser's question before the real request."""
        asked = header(scope, b"origin") is not None and header(scope, b"access-control-request-method") is not None
        return bool(self._origins) and scope["method"] == "OPTIONS" and asked

    async def answer_preflight(self, scope: HTTPScope, send: Send, request_id: str) -> None:
        """Name the methods and headers that are allowed; 403 for another origin."""
        origin = header(scope, b"origin") or ""
        if self.allows(origin):
            headers = [
                (b"access-control-allow-origin", self._allowed(origin)),
                (b"access-control-allow-methods", _METHODS.encode()),
                (b"access-control-allow-headers", _HEADERS.encode()),
                (b"access-control-max-age", _MAX_AGE_S.encode()),
            ]
            await _send(send, 204, [*headers, (b"vary", b"Origin")], b"")
            return
        detail = f"pages of {origin[:80]!r} may not ask; remedy: add it to PRICESMITH_CORS_ORIGINS"
        body = details(Problem(403, detail, code=Code.ORIGIN_NOT_ALLOWED), request_id).model_dump_json().encode()
        await _send(send, 403, [(b"content-type", PROBLEM_JSON.encode()), (b"vary", b"Origin")], body)

    def opened_send(self, scope: HTTPScope, send: Send) -> Send:
        """A `send` whose answers, errors too, pages of the allowed origins can read."""
        if not self._origins:
            return send
        origin = header(scope, b"origin")
        added: Headers = [(b"vary", b"Origin")]
        if origin is not None and self.allows(origin):
            added += [
                (b"access-control-allow-origin", self._allowed(origin)),
                (b"access-control-expose-headers", _EXPOSED.encode()),
            ]

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        return sending

    def _allowed(self, origin: str) -> bytes:
        return ANY.encode() if ANY in self._origins else origin.encode("latin-1")


def header(scope: HTTPScope, wanted: bytes) -> str | None:
    """The first header of a name, in lower case; None where the request has none."""
    return next((value.decode("latin-1") for name, value in scope["headers"] if name.lower() == wanted), None)


async def _send(send: Send, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> None:
    length = [(b"content-length", str(len(body)).encode())] if status != 204 else []
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
