"""Response models for the principal reasons of a price."""

from collections.abc import Sequence

from pydantic import BaseModel

from agent.api.responses.money import MoneyAnswer, money
from agent.domain.decision import Reason


class ReasonAnswer(BaseModel):
    """A personal input, and by how much it raised the price of a unit."""

    input: str
    raised: MoneyAnswer


class ReasonsAnswer(BaseModel):
    """Principal reasons of a price, the largest first; empty where no personal input raised it."""

    reasons: list[ReasonAnswer]


def reasons_answer(reasons: Sequence[Reason], currency: str) -> ReasonsAnswer:
    """Reasons with their amounts in a currency."""
    return ReasonsAnswer(
        reasons=[ReasonAnswer(input=one.input, raised=money(one.raised_minor, currency)) for one in reasons]
    )
