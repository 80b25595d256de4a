"""Refusals of requests, with everything that the sender needs to repair them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """A bad field: its path, what is wrong, the value received, what is allowed."""

    field: str
    message: str
    received: str = ""
    allowed: str = ""

    @classmethod
    def of_reason(cls, field: str, reason: str, received: str) -> "FieldProblem":
        """Problem of a reason such as `is in the future; allowed: at most a day after now`."""
        message, _, allowed = reason.partition("; allowed: ")
        return cls(field, message, received, allowed)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused request in the terms of RFC 9457: HTTP status, code of the kind of fault, what is wrong in this case.

    Codes are the stable words of `agent.api.problem_codes`.
    """

    status: int
    code: str
    detail: str
    errors: tuple[FieldProblem, ...] = ()
