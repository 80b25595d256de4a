"""Response models for lists: each row has its result or its problem."""

from pydantic import BaseModel

from agent.api.problems import Problem, ProblemDetails, details
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


def quote_row(found: Decision | Refusal | Problem, shown: Shown, request_id: str) -> RowAnswer:
    """A row of a batch in a view; `request_id` is the batch's."""
    if isinstance(found, Decision):
        return RowAnswer(status=200, quote=shown_quote(found, shown))
    return RowAnswer(status=found.status, problem=_problem(found, request_id))


def outcome_row(found: OutcomeRecord | Refusal | Problem, request_id: str) -> OutcomeRow:
    """A row of a list of outcomes; `request_id` is the list's."""
    if isinstance(found, OutcomeRecord):
        return OutcomeRow(status=200, outcome=outcome_answer(found))
    return OutcomeRow(status=found.status, problem=_problem(found, request_id))


def _problem(found: Refusal | Problem, request_id: str) -> ProblemDetails:
    return details(Problem.of(found) if isinstance(found, Refusal) else found, request_id)
