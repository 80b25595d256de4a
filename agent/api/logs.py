"""The service's log: one JSON object a line, without bodies, headers, keys or anything of a shopper."""

import sys
import traceback
from collections.abc import Iterator, MutableMapping
from contextlib import suppress
from typing import Any

import structlog

from agent.pricing.tracing import trace_id


class _StandardOutput:
    """Writes to what standard output is by now; a reader that went away does not stop the service."""

    def msg(self, line: str) -> None:
        """One line; lines of several threads do not mix."""
        with suppress(OSError, ValueError):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()

    info = warning = error = msg


def service_log() -> Any:
    """A logger to standard output that leaves the process's own logging configuration alone."""
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
    """An error and its causes by type and place, outermost first.

    Messages and local variables stay out: they may hold keys, profiles or prices of shoppers.
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
