"""Exact conversion between decimal amounts and integer minor units of ISO 4217 currencies."""

import re
from decimal import Decimal, localcontext
from functools import cache
from typing import Final

from iso4217 import Currency

MAX_MINOR: Final = 10**12
_EXACT: Final = 120  # digits; more than any accepted amount has, so that nothing is rounded silently
_DECIMAL: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)


class MoneyError(ValueError):
    """An amount or currency is invalid."""


@cache
def fraction_digits(currency: str) -> int:
    """Number of decimals of a currency: 2 for USD, 0 for JPY, 3 for KWD.

    Raises:
        MoneyError: The code is not an ISO 4217 currency with minor units.
    """
    try:
        exponent = Currency(currency).exponent
    except ValueError:
        raise MoneyError(f"unknown currency {currency[:12]!r}; allowed: ISO 4217 codes such as USD, EUR, CNY") from None
    if exponent is None:
        raise MoneyError(f"currency {currency!r} has no minor units; allowed: currencies such as USD, EUR, CNY")
    return int(exponent)


def to_minor(amount: str | Decimal, currency: str) -> int:
    """Convert a decimal amount in major units to minor units.

    Raises:
        MoneyError: The amount is not a finite number, is negative, too large, or finer than a minor unit.
    """
    if isinstance(amount, str) and not _DECIMAL.fullmatch(amount):
        raise MoneyError(f"{amount[:40]!r} is not a number; allowed: decimals such as 12.99")
    digits = fraction_digits(currency)
    value = Decimal(amount)
    with localcontext(prec=_EXACT):
        minor = value.scaleb(digits) if value.is_finite() else value
    if not minor.is_finite() or not 0 <= minor <= MAX_MINOR:
        raise MoneyError(
            f"{str(amount)[:40]} is out of range; allowed: 0 to {to_major(MAX_MINOR, currency)} {currency}"
        )
    if minor != minor.to_integral_value():
        raise MoneyError(f"{str(amount)[:40]} has too many decimals; allowed: {digits} for {currency}")
    return int(minor)


def to_major(amount_minor: int, currency: str) -> Decimal:
    """Convert minor units to a decimal in major units, with all decimals of the currency."""
    return Decimal(amount_minor).scaleb(-fraction_digits(currency))


def show(amount_minor: int, currency: str) -> str:
    """Format an amount for people and logs, such as `2.79 USD`."""
    return f"{to_major(amount_minor, currency):,} {currency}"
