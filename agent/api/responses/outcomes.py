"""Response model of an outcome."""

from datetime import datetime

from agent.api.responses.answer import Answer
from agent.domain.records import OutcomeRecord, OutcomeType


class OutcomeAnswer(Answer):
    """An outcome as recorded."""

    id: str
    """Id of the outcome."""
    quote_id: str
    """Id of its quote."""
    type: OutcomeType
    """What the shopper did."""
    quantity: int
    """Units."""
    at: datetime
    """When it happened."""
    rating: float | None = None
    """The shopper's rating of what was bought, 1 to 5; null without one."""


def outcome_answer(outcome: OutcomeRecord) -> OutcomeAnswer:
    """An outcome as recorded."""
    return OutcomeAnswer(
        id=outcome.outcome_id,
        quote_id=outcome.quote_id or "",
        type=outcome.type,
        quantity=outcome.quantity,
        at=outcome.at,
        rating=outcome.rating,
    )
