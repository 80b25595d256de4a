"""gzip of answers, for clients that accept it: lists and batches shrink to a tenth.

Small answers gain nothing, and a stream must arrive as it is written: both are sent as they are. Rows one a line are
compressed where they come whole.
"""

import gzip
import re
from typing import Final

from anyio import to_thread
from litestar.types import HTTPScope, Message, Send
from litestar.types.asgi_types import HTTPResponseStartEvent

LEAST: Final = 1_000
"""Bytes below which an answer is sent as it is."""
_LEVEL: Final = 5
_IN_A_THREAD: Final = 64 * 1024  # larger bodies take milliseconds, which others need not wait for
_TEXT: Final = re.compile(
    rb"(text/(?!event-stream)|application/([\w.-]+\+)?(json|x-ndjson|javascript|xml)\b|image/svg\+xml)"
)


def compressed_send(scope: HTTPScope, send: Send) -> Send:
    """A `send` that compresses an answer which comes in one piece, where the request accepts that.

    Every text says `Vary: Accept-Encoding`, so that a cache keeps both forms apart.
    """
    accepts = accepts_gzip(scope)
    held: list[HTTPResponseStartEvent] = []

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message["headers"])
            is_text = any(_TEXT.match(value) for name, value in headers if name.lower() == b"content-type")
            plain = all(name.lower() != b"content-encoding" for name, _ in headers)
            if is_text and plain:
                message["headers"] = [*headers, (b"vary", b"Accept-Encoding")]
                if accepts:
                    held.append(message)
                    return
        elif held and message["type"] == "http.response.body":
            start = held.pop()
            body = message.get("body", b"")
            if not message.get("more_body") and len(body) >= LEAST:
                message["body"] = packed = await _packed(body)
                kept = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
                length = (b"content-length", str(len(packed)).encode())
                start["headers"] = [*kept, (b"content-encoding", b"gzip"), length]
            await send(start)
        await send(message)

    return sending


def accepts_gzip(scope: HTTPScope) -> bool:
    """Check whether a request accepts gzip (RFC 9110, 12.5.3): weight 0 refuses a coding, `*` stands for the rest."""
    given = ",".join(value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"accept-encoding")
    weights: dict[str, bool] = {}
    for part in given.lower().split(","):
        coding, _, weight = part.partition(";")
        weights[coding.strip()] = not re.fullmatch(r"q\s*=\s*0(\.0*)?", weight.strip())
    named = [weights[coding] for coding in ("gzip", "x-gzip") if coding in weights]
    return any(named) if named else weights.get("*", False)


async def _packed(body: bytes) -> bytes:
    if len(body) < _IN_A_THREAD:
        return _pack(body)
    return await to_thread.run_sync(_pack, body)


def _pack(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)  # equal answers are equal bytes
