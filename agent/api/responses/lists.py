"""Response models for lists: each row has its result or its problem."""

from agent.api.problems import Problem, ProblemDetails, details
from agent.api.responses.answer import Answer
from agent.api.responses.outcomes import OutcomeAnswer, outcome_answer
from agent.api.responses.shopper_quotes import Shown, ShownQuote, shown_quote
from agent.domain.decision import Decision
from agent.domain.records import OutcomeRecord
from agent.domain.refusal import Refusal


class RowAnswer(Answer, title="QuoteResult"):
    """One row of a batch: its quote or its problem."""

    status: int
    """HTTP status of this row alone."""
    quote: ShownQuote | None = None
    """The quote; null where there is a problem."""
    problem: ProblemDetails | None = None
    """Why there is no quote."""


class BatchAnswer(Answer, title="QuoteResults"):
    """Results of a batch."""

    results: list[RowAnswer]
    """One result a row, in the order of the request."""


class OutcomeRow(Answer, title="OutcomeResult"):
    """One row of a list of outcomes: the outcome or its problem."""

    status: int
    """HTTP status of this row alone."""
    outcome: OutcomeAnswer | None = None
    """The outcome as stored; null where there is a problem."""
    problem: ProblemDetails | None = None
    """Why nothing was stored."""


class OutcomesAnswer(Answer, title="OutcomeResults"):
    """Results of a list of outcomes."""

    results: list[OutcomeRow]
    """One result a row, in the order of the request."""


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
