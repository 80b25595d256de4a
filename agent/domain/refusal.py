"""Why a request cannot be served, in terms that its sender can act on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One bad field: where, what is wrong, what came, what is allowed."""

    field: str
    message: str
    received: str = ""
    allowed: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request refused, as RFC 9457 tells it: HTTP status, short title, what is wrong here."""

    status: int
    title: str
    detail: str
    errors: tuple[FieldProblem, ...] = ()
