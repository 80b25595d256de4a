"""Errors to problem details: the one place that turns exceptions into HTTP answers."""

from collections.abc import Callable
from typing import Any, Final

from litestar import Response
from litestar.exceptions import HTTPException

from agent.api.batching import BatcherClosedError, QueueFullError
from agent.api.context import AnyRequest, context_of, request_id_of
from agent.api.logs import where
from agent.api.problem_codes import BY_STATUS, Code
from agent.api.problems import Problem, to_response
from agent.store import InvalidRecord, StoreError, StoreUnavailable

Handler = Callable[[AnyRequest, Any], Response[bytes]]

_RETRY: Final = {"Retry-After": "1"}


def error_handlers(log: Any) -> dict[int | type[Exception], Handler]:
    """Handlers by exception type; what is the service's own fault is logged with its place in the code."""

    def store_unavailable(request: AnyRequest, error: StoreUnavailable) -> Response[bytes]:
        log.error("store unavailable", request_id=request_id_of(request), error=where(error))
        problem = Problem(503, "the store does not answer; try again", headers=_RETRY, code=Code.STORE_UNAVAILABLE)
        return to_response(problem, request_id_of(request))

    def store_failed(request: AnyRequest, error: StoreError) -> Response[bytes]:
        log.error("the store failed", request_id=request_id_of(request), error=where(error))
        detail = "the store failed; the operator finds the reason in the log under this answer's X-Request-Id"
        problem = Problem(503, detail, headers={"Retry-After": "60"}, code=Code.STORE_FAILED)
        return to_response(problem, request_id_of(request))

    def unexpected(request: AnyRequest, error: Exception) -> Response[bytes]:
        log.error("unexpected error", request_id=request_id_of(request), error=where(error))
        detail = "internal error; the operator finds it in the log under this answer's X-Request-Id"
        return to_response(Problem(500, detail, code=Code.INTERNAL_ERROR), request_id_of(request))

    return {
        Problem: lambda request, error: to_response(error, request_id_of(request)),
        HTTPException: _http_error,
        QueueFullError: _unavailable(Code.QUEUE_FULL),
        BatcherClosedError: _unavailable(Code.STOPPING),
        StoreUnavailable: store_unavailable,
        InvalidRecord: _not_storable,
        StoreError: store_failed,
        Exception: unexpected,
    }


def _http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Litestar's own errors: unknown paths, methods, bodies that are too large, bad query parameters."""
    status = 422 if error.status_code == 400 else error.status_code
    headers = dict(error.headers or {})
    if "GET" in headers.get("allow", ""):
        headers["allow"] += ", HEAD"
    details = {
        404: "no such path; see /schema for all of them",
        405: f"the method is not allowed on this path; allowed: {headers.get('allow', 'see /schema')}",
        413: f"the body is too large; allowed: {context_of(request).settings.body_limit_bytes:,} bytes",
    }
    code = {404: Code.PATH_UNKNOWN, 422: Code.PARAMETER_INVALID}.get(status) or BY_STATUS.get(status)
    problem = Problem(status, details.get(status, error.detail), headers=headers, code=code)
    return to_response(problem, request_id_of(request))


def _not_storable(request: AnyRequest, _error: InvalidRecord) -> Response[bytes]:
    detail = "the request contains invalid text or a non-finite number"
    return to_response(Problem(422, detail, code=Code.NOT_STORABLE), request_id_of(request))


def _unavailable(code: Code) -> Handler:
    def handler(request: AnyRequest, error: Exception) -> Response[bytes]:
        return to_response(Problem(503, str(error), headers=_RETRY, code=code), request_id_of(request))

    return handler
