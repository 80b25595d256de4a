"""Money in responses."""

from pydantic import BaseModel

from agent.domain.money import fraction_digits


class MoneyAnswer(BaseModel, title="Amount", use_attribute_docstrings=True):  # no Answer: the lowest floor of the room
    """An amount of money in an answer: `amount_minor` / 10^`fraction_digits` in its currency."""

    amount_minor: int
    """Amount in the currency's smallest unit."""
    currency: str
    """ISO 4217 code, such as USD."""
    fraction_digits: int
    """Decimals of the currency: 2 for USD, 0 for JPY."""


def money(amount_minor: int, currency: str) -> MoneyAnswer:
    """An amount with the number of decimals of its currency."""
    return MoneyAnswer(amount_minor=amount_minor, currency=currency, fraction_digits=fraction_digits(currency))
