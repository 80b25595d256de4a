"""Errors as RFC 9457 problem details: one exception, one rendering."""

from collections.abc import Mapping, Sequence
from typing import Final

from litestar import Response
from pydantic import BaseModel

from agent.domain.refusal import FieldProblem, Refusal

PROBLEM_JSON: Final = "application/problem+json"
TITLES: Final = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "In flight",
    413: "Body too large",
    415: "Unsupported media type",
    422: "Invalid request",
    429: "Too many requests",
    500: "Internal error",
    503: "Not available",
}


class FieldError(BaseModel):
    """One bad field: where, what is wrong, what came, what is allowed."""

    field: str
    message: str
    received: str = ""
    allowed: str = ""


class ProblemDetails(BaseModel):
    """What every error answer holds."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldError] = []


class Problem(Exception):
    """An error that its sender can act on."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`headers` go with the answer, Retry-After for one."""
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def details(status: int, detail: str, errors: Sequence[FieldProblem] = (), title: str = "") -> ProblemDetails:
    """The document of one problem."""
    fields = [FieldError(field=e.field, message=e.message, received=e.received, allowed=e.allowed) for e in errors]
    return ProblemDetails(title=title or TITLES.get(status, "Error"), status=status, detail=detail, errors=fields)


def of_refusal(refusal: Refusal) -> ProblemDetails:
    """A refusal of the service as a document."""
    return details(refusal.status, refusal.detail, refusal.errors, refusal.title)


def to_response(problem: Problem) -> Response[bytes]:
    """An error answer."""
    body = details(problem.status, problem.detail, problem.errors).model_dump_json(exclude_defaults=False)
    return Response(body.encode(), status_code=problem.status, media_type=PROBLEM_JSON, headers=problem.headers)
