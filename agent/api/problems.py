"""Problem details (RFC 9457): the body of every error answer."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from litestar import Response
from pydantic import BaseModel

from agent.domain.refusal import FieldProblem, Refusal

T = TypeVar("T")

PROBLEM_JSON: Final = "application/problem+json"
TITLES: Final = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Invalid request",
    429: "Too many requests",
    500: "Internal error",
    503: "Not available",
    507: "Disk full",
}


class FieldError(BaseModel):
    """One bad field: its path, what is wrong, the value received, what is allowed."""

    field: str
    message: str
    received: str = ""
    allowed: str = ""


class ProblemDetails(BaseModel):
    """Body of an error answer."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class Problem(Exception):
    """An error that the sender can act on."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers` are added to the answer, such as Retry-After."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def details(status: int, detail: str, errors: Sequence[FieldProblem] = (), title: str = "") -> ProblemDetails:
    """Problem details; the title is the status's unless given."""
    fields = [FieldError(field=e.field, message=e.message, received=e.received, allowed=e.allowed) for e in errors]
    return ProblemDetails(title=title or TITLES.get(status, "Error"), status=status, detail=detail, errors=fields)


def of_refusal(refusal: Refusal) -> ProblemDetails:
    """A refusal of the service as problem details."""
    return details(refusal.status, refusal.detail, refusal.errors, refusal.title)


def raise_refusal(found: T | Refusal) -> T:
    """Return what the service found.

    Raises:
        Problem: The service refused.
    """
    if isinstance(found, Refusal):
        raise Problem(found.status, found.detail, found.errors)
    return found


def to_response(problem: Problem) -> Response[bytes]:
    """An error answer with the problem's headers."""
    body = details(problem.status, problem.detail, problem.errors).model_dump_json(exclude_defaults=False)
    return Response(body.encode(), status_code=problem.status, media_type=PROBLEM_JSON, headers=problem.headers)
