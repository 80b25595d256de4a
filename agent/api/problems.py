"""Problem details (RFC 9457): the body of every error answer."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from litestar import Response
from pydantic import Field

from agent.api.responses.answer import Answer
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
}


class FieldError(Answer):
    """One bad field."""

    field: str
    """Path of the field, such as `product.list_price.amount_minor`."""
    message: str
    """What is wrong."""
    received: str = ""
    """The value received, shortened."""
    allowed: str = ""
    """What is allowed."""


class ProblemDetails(Answer, title="Problem"):
    """Body of an error answer (RFC 9457)."""

    type: str = "about:blank"
    """URI reference of the kind of problem."""
    title: str
    """The kind of problem in a few words."""
    status: int
    """HTTP status."""
    detail: str
    """What is wrong with this request, and the remedy."""
    errors: list[FieldError] = Field(default_factory=list)
    """The bad fields, if any."""


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
