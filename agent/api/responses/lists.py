"""Lists, each row with its result or its problem: response models for the OpenAPI document, and rows as JSON."""

from collections.abc import Sequence

from agent.api.problems import Problem, ProblemDetails, details
from agent.api.responses.answer import Answer
from agent.api.responses.outcomes import OutcomeAnswer, outcome_answer
from agent.api.responses.quote_json import Fields, encode, quote_fields
from agent.api.responses.shopper_quotes import ShownQuote
from agent.api.responses.shown import Shown
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


class PageAnswer(Answer, title="Page"):
    """Prices of a page of products."""

    quotes: list[RowAnswer]
    """One result a product, in the order of the request."""


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


def quote_row(found: Decision | Refusal | Problem, shown: Shown, request_id: str) -> Fields:
    """A row of a batch in a view (`RowAnswer`); `request_id` is the batch's."""
    if isinstance(found, Decision):
        return {"status": 200, "quote": quote_fields(found, shown), "problem": None}
    return {"status": found.status, "quote": None, "problem": _problem(found, request_id).model_dump(mode="json")}


def batch_json(rows: Sequence[Decision | Refusal | Problem], shown: Shown, request_id: str) -> bytes:
    """Results of a batch (`BatchAnswer`)."""
    return encode({"results": [quote_row(one, shown, request_id) for one in rows]})


def page_json(rows: Sequence[Decision | Refusal | Problem], shown: Shown, request_id: str) -> bytes:
    """Prices of a page (`PageAnswer`)."""
    return encode({"quotes": [quote_row(one, shown, request_id) for one in rows]})


def row_lines(rows: Sequence[Decision | Refusal | Problem], shown: Shown, request_id: str) -> bytes:
    """Rows, one a line (`RowAnswer`)."""
    return b"".join(encode(quote_row(one, shown, request_id)) + b"\n" for one in rows)


def outcome_row(found: OutcomeRecord | Refusal | Problem, request_id: str) -> OutcomeRow:
    """A row of a list of outcomes; `request_id` is the list's."""
    if isinstance(found, OutcomeRecord):
        return OutcomeRow(status=200, outcome=outcome_answer(found))
    return OutcomeRow(status=found.status, problem=_problem(found, request_id))


def _problem(found: Refusal | Problem, request_id: str) -> ProblemDetails:
    return details(Problem.of(found) if isinstance(found, Refusal) else found, request_id)
