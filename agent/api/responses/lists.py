"""Response models for lists: each row has its result or its problem."""

from pydantic import BaseModel

from agent.api.problems import Problem, ProblemDetails, details, of_refusal
from agent.api.responses.outcomes import OutcomeAnswer, outcome_answer
from agent.api.responses.shopper_quotes import AnyQuote, Shown, shown_quote
from agent.domain.decision import Decision
from agent.domain.records import OutcomeRecord
from agent.domain.refusal import Refusal


class RowAnswer(BaseModel):
    """One row of a batch: its quote or its problem."""

    status: int
    quote: AnyQuote | None = None
    problem: ProblemDetails | None = None


class BatchAnswer(BaseModel):
    """Rows in the order of the request."""

    results: list[RowAnswer]


class OutcomeRow(BaseModel):
    """One row of a list of outcomes: the outcome or its problem."""

    status: int
    outcome: OutcomeAnswer | None = None
    problem: ProblemDetails | None = None


class OutcomesAnswer(BaseModel):
    """Rows in the order of the request."""

    results: list[OutcomeRow]


def quote_row(found: Decision | Refusal | Problem, shown: Shown) -> RowAnswer:
    """A row of a batch in a view."""
    if isinstance(found, Decision):
        return RowAnswer(status=200, quote=shown_quote(found, shown))
    return RowAnswer(status=found.status, problem=_problem(found))


def outcome_row(found: OutcomeRecord | Refusal | Problem) -> OutcomeRow:
    """A row of a list of outcomes."""
    if isinstance(found, OutcomeRecord):
        return OutcomeRow(status=200, outcome=outcome_answer(found))
    return OutcomeRow(status=found.status, problem=_problem(found))


def _problem(found: Refusal | Problem) -> ProblemDetails:
    return of_refusal(found) if isinstance(found, Refusal) else details(found.status, found.detail, found.errors)
