"""Response model of an outcome."""

from datetime import datetime

from pydantic import BaseModel

from agent.domain.records import OutcomeRecord, OutcomeType


class OutcomeAnswer(BaseModel):
    """An outcome as recorded."""

    id: str
    quote_id: str
    type: OutcomeType
    quantity: int
    at: datetime


def outcome_answer(outcome: OutcomeRecord) -> OutcomeAnswer:
    """An outcome as recorded."""
    return OutcomeAnswer(
        id=outcome.outcome_id,
        quote_id=outcome.quote_id or "",
        type=outcome.type,
        quantity=outcome.quantity,
        at=outcome.at,
    )
