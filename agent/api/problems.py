"""Problem details (RFC 9457): the body of every error answer."""

from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from litestar import Response
from pydantic import Field

from agent.api.problem_codes import BY_STATUS, KINDS, TYPES, Code
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
    507: "Disk full",
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

    type: str
    """Reference to a page about the kind of problem, such as `/problems/key-missing`."""
    code: Code
    """The kind of problem: a stable word to branch on."""
    title: str
    """The kind of problem in a few words."""
    status: int
    """HTTP status; of a row in a batch, the one that it would have had alone."""
    detail: str
    """What is wrong with this request, what is allowed, and the remedy."""
    errors: list[FieldError] = Field(default_factory=list)
    """The bad fields, if any."""
    request_id: str = ""
    """`X-Request-Id` of the request; of the first one where an answer is sent again under an idempotency key."""


class Problem(Exception):
    """An error that the sender can act on."""

    def __init__(
        self,
        status: int,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
        *,
        code: Code | None = None,
    ) -> None:
        """`headers` are added to the answer, such as Retry-After; `code` is the status's where left out."""
        super().__init__(detail)
        self.status = status
        self.code = code or BY_STATUS.get(status, Code.INTERNAL_ERROR)
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    @classmethod
    def of(cls, refusal: Refusal) -> "Problem":
        """A refusal of the service as a problem."""
        return cls(refusal.status, refusal.detail, refusal.errors, code=Code(refusal.code))


def details(problem: Problem, request_id: str) -> ProblemDetails:
    """A problem as it is answered to a request."""
    fields = [
        FieldError(field=e.field, message=e.message, received=e.received, allowed=e.allowed) for e in problem.errors
    ]
    return ProblemDetails(
        type=f"{TYPES}{problem.code}",
        code=problem.code,
        title=KINDS[problem.code].title,
        status=problem.status,
        detail=problem.detail,
        errors=fields,
        request_id=request_id,
    )


def raise_refusal(found: T | Refusal) -> T:
    """Return what the service found.

    Raises:
        Problem: The service refused.
    """
    if isinstance(found, Refusal):
        raise Problem.of(found)
    return found


def to_response(problem: Problem, request_id: str) -> Response[bytes]:
    """An error answer with the problem's headers."""
    body = details(problem, request_id).model_dump_json()
    return Response(body.encode(), status_code=problem.status, media_type=PROBLEM_JSON, headers=problem.headers)
