"""The service's log: one JSON object a line, without bodies, headers, API keys or personal data."""

import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from agent.pricing.tracing import trace_id


class _StandardOutput:
    """Writes to the current standard output; a closed pipe does not stop the service."""

    def msg(self, line: str) -> None:
        """Write one line whole, whichever threads log at once."""
        with suppress(OSError, ValueError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    info = warning = error = msg


def service_log() -> Any:
    """A structured logger to standard output, independent of the process's logging configuration."""
    return structlog.wrap_logger(
        _StandardOutput(),
        processors=[
            structlog.processors.add_log_level,
            _with_trace,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        cache_logger_on_first_use=True,
    )


def _with_trace(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (found := trace_id()) is not None:
        event["trace_id"] = found
    return event


def where(error: BaseException) -> list[dict[str, Any]]:
    """An error and its causes, outermost first, each with its type and its place in the code.

    Messages and local variables are left out: they may contain API keys or personal data.
    """
    return [
        {
            "type": type(one).__qualname__,
            "at": [
                f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(one.__traceback__)
            ],
        }
        for one in _chain(error)
    ]


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__
