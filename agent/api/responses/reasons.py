"""Response models for the principal reasons of a price."""

from collections.abc import Sequence

from agent.api.responses.answer import Answer
from agent.api.responses.money import MoneyAnswer, money
from agent.domain.decision import Reason


class ReasonAnswer(Answer):
    """A personal input, and by how much it raised the price of a unit."""

    input: str
    """Name of the input."""
    raised: MoneyAnswer
    """By how much it raised the price of a unit."""


class ReasonsAnswer(Answer):
    """Principal reasons of a price."""

    reasons: list[ReasonAnswer]
    """The largest first, at most four; empty where no personal input raised the price."""


def reasons_answer(reasons: Sequence[Reason], currency: str) -> ReasonsAnswer:
    """Reasons with their amounts in a currency."""
    return ReasonsAnswer(
        reasons=[ReasonAnswer(input=one.input, raised=money(one.raised_minor, currency)) for one in reasons]
    )
