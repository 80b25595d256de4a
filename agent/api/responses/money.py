"""Money in responses."""

from pydantic import BaseModel

from agent.domain.money import fraction_digits


class MoneyAnswer(BaseModel):
    """An amount in minor units; `fraction_digits` is the number of decimals of its currency."""

    amount_minor: int
    currency: str
    fraction_digits: int


def money(amount_minor: int, currency: str) -> MoneyAnswer:
    """An amount with the number of decimals of its currency."""
    return MoneyAnswer(amount_minor=amount_minor, currency=currency, fraction_digits=fraction_digits(currency))
