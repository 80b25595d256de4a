"""Money at the edges: ISO 4217 exponents, decimals to minor units and back, exactly."""

import re
from decimal import Decimal, localcontext
from functools import cache
from typing import Final

from iso4217 import Currency

MAX_MINOR: Final = 10**12
_EXACT: Final = 120  # digits, more than any amount below has: nothing is rounded unseen
_DECIMAL: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)


class MoneyError(ValueError):
    """An amount or a currency that cannot be."""


@cache
def fraction_digits(currency: str) -> int:
    """Digits behind the decimal point, 2 for USD, 0 for JPY, 3 for KWD.

    Raises:
        MoneyError: The code is not an ISO 4217 currency with minor units.
    """
    try:
        exponent = Currency(currency).exponent
    except ValueError:
        raise MoneyError(f"unknown currency {currency[:12]!r}; allowed: ISO 4217 codes such as USD, EUR, CNY") from None
    if exponent is None:
        raise MoneyError(f"currency {currency!r} has no minor units; allowed: currencies that prices are quoted in")
    return int(exponent)


def to_minor(amount: str | Decimal, currency: str) -> int:
    """Major units as a decimal to minor units.

    Raises:
        MoneyError: Not a finite number, negative, too large, or finer than the currency's minor unit.
    """
    if isinstance(amount, str) and not _DECIMAL.fullmatch(amount):
        raise MoneyError(f"{amount[:40]!r} is not a decimal number such as 12.99")
    digits = fraction_digits(currency)
    value = Decimal(amount)
    with localcontext(prec=_EXACT):
        minor = value.scaleb(digits) if value.is_finite() else value
    if not minor.is_finite() or not 0 <= minor <= MAX_MINOR:
        raise MoneyError(
            f"{str(amount)[:40]} is out of range; allowed: 0 to {to_major(MAX_MINOR, currency)} {currency}"
        )
    if minor != minor.to_integral_value():
        raise MoneyError(
            f"{str(amount)[:40]} has more than {digits} digits behind the point, the most that {currency} has"
        )
    return int(minor)


def to_major(amount_minor: int, currency: str) -> Decimal:
    """Minor units as a decimal of major units, with all of the currency's digits."""
    return Decimal(amount_minor).scaleb(-fraction_digits(currency))


def show(amount_minor: int, currency: str) -> str:
    """For people and logs, for example `2.79 USD`."""
    return f"{to_major(amount_minor, currency):,} {currency}"
