"""Numbers as files spell them: plain ones, those written for people by an option, and floats of typed files.

A number is read in one way or refused: `1.250` may be 1.25 or 1,250, so nothing but an option reads it.
"""

import re
import struct
from decimal import Decimal
from enum import StrEnum
from functools import cache, lru_cache
from typing import Final

from agent.domain.money import MAX_MINOR, fraction_digits, to_minor

_PLAIN: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})", re.ASCII)
_SCIENTIFIC: Final = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})[eE][+-]?\d{1,3}", re.ASCII)
_AMBIGUOUS: Final = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}", re.ASCII)
_SPELLED: Final = re.compile(r"([^\d.,+-]*)([+-]?)([^\d.,+-]*)([\d.,][\d.,'\u2019\s]*)([^\d.,'\u2019]*)")
_CURLY: Final = "\u2019"
_SPACES: Final = re.compile(r"\s")
_NUMERAL: Final = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?", re.ASCII)
_SPELLED_NUMERAL: Final = re.compile(r"-?[1-9][\d.,'\u2019\s]*\d|-?\d|-?0[.,]\d+", re.ASCII)
_DOUBLE_ERROR: Final = Decimal("1e-12")  # relative; a few roundings of a double
_SIGN_LOCALES: Final = ("en", "en_CA", "en_AU", "en_NZ", "de", "fr", "es_MX", "pt_BR", "da", "sv", "nb", "pl", "cs")
_MORE_SIGN_LOCALES: Final = ("hu", "ro", "bg", "tr", "ru", "uk", "ja", "zh", "zh_Hant", "ko", "hi", "th", "vi", "he")
_DOLLARS: Final = frozenset(("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "MXN", "TWD", "ARS", "CLP", "COP"))


class DecimalMark(StrEnum):
    """Decimal mark of numbers that are written for people."""

    POINT = "point"
    COMMA = "comma"

    @property
    def locale(self) -> str:
        """Babel's locale whose numbers have this mark, and the other mark between groups."""
        return "en" if self is DecimalMark.POINT else "de"

    @property
    def char(self) -> str:
        """The mark itself."""
        return "." if self is DecimalMark.POINT else ","


class NumberError(ValueError):
    """A text is no number, or may be two; the message says what is allowed."""


@lru_cache(50_000)  # a shop has few prices
def minor_of_text(text: str, currency: str, mark: DecimalMark | None, is_written: bool = True) -> int:
    """An amount in major units as minor units; a typed number is not `is_written` and so never ambiguous.

    Raises:
        NumberError: It is no number, ambiguous, or has another currency's sign.
        MoneyError: It is out of range, or finer than a minor unit.
    """
    digits = fraction_digits(currency)
    if mark is not None:
        return to_minor(_spelled(text, mark, currency), currency)
    if not _PLAIN.fullmatch(text):
        raise NumberError(_no_number(text))
    if is_written and digits != 3 and _AMBIGUOUS.fullmatch(text):
        raise NumberError(_ambiguous(text))
    decimals = len(text.partition(".")[2])
    if is_written and decimals > digits and not text[-(decimals - digits) :].strip("0"):
        raise NumberError(_too_fine(digits, currency))
    return to_minor(text.removeprefix("+"), currency)


@lru_cache(20_000)
def number_of_text(text: str, mark: DecimalMark | None, highest: float = 1e15) -> float:
    """A number without unit; `highest` is the most it may be, which decides whether `4.125` can be a thousand.

    Raises:
        NumberError: It is no number, or ambiguous.
    """
    if _SCIENTIFIC.fullmatch(text):
        return float(text)
    if mark is not None:
        return float(_spelled(text, mark, None))
    if not _PLAIN.fullmatch(text):
        raise NumberError(_no_number(text))
    if highest >= 1_000 and _AMBIGUOUS.fullmatch(text):
        raise NumberError(_ambiguous(text))
    return float(text)


def is_numeral(text: str, mark: DecimalMark | None) -> bool:
    """Whether a text is a number rather than a code: `12.5` is, `007` and `1-2` are not."""
    if mark is None:
        return _NUMERAL.fullmatch(text) is not None
    if not _SPELLED_NUMERAL.fullmatch(text):
        return False
    try:
        _spelled(text, mark, None)
    except NumberError:
        return False
    return True


@lru_cache(50_000)
def minor_of_float(value: float, currency: str) -> tuple[int, bool]:
    """A float in major units as minor units, and whether it was rounded: 12.989999771118164 is 12.99 in 32 bits.

    Raises:
        MoneyError: It is out of range, or farther from a whole minor unit than the error of a float.
    """
    digits = fraction_digits(currency)
    exact = Decimal(repr(value))
    if not exact.is_finite() or not 0 <= exact.scaleb(digits) <= MAX_MINOR:
        return to_minor(exact, currency), False
    minor = int(exact.scaleb(digits).to_integral_value())
    nearest = Decimal(minor).scaleb(-digits)
    if nearest == exact:
        return minor, False
    if abs(nearest - exact) <= _error_of_double(exact, digits) or _is_single_of(value, minor, digits):
        return minor, True
    return to_minor(exact, currency), False


def _error_of_double(value: Decimal, digits: int) -> Decimal:
    return min(_DOUBLE_ERROR * max(Decimal(1), value), Decimal(1).scaleb(-digits - 3))


def _is_single_of(value: float, minor: int, digits: int) -> bool:
    """Whether a float is one amount in 32 bits, and no neighbour's."""
    return [one for one in (minor - 1, minor, minor + 1) if _single(one / 10**digits) == value] == [minor]


def _single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def _spelled(text: str, mark: DecimalMark, currency: str | None) -> str:
    """A number as people write it, in plain digits."""
    found = _SPELLED.fullmatch(text)
    if found is None:
        raise NumberError(_no_number(text, mark))
    before, minus, between, body, after = (part.strip() for part in found.groups())
    signs = [sign for sign in (before, between, after) if sign]
    if len(signs) > 1 or (signs and currency is None) or "-" in after:
        raise NumberError(_no_number(text, mark))
    if signs and currency is not None and signs[0].casefold() not in _signs(currency):
        raise NumberError(f"has the sign {signs[0]!r}, and the row is in {currency}; remedy: a currency column")
    return minus + str(_parsed(text, body, mark))


def _parsed(text: str, body: str, mark: DecimalMark) -> Decimal:
    """A number without signs: its groups are of one kind, and of three digits (or of two before those, as in India)."""
    group = "," if mark is DecimalMark.POINT else "."
    whole, point, fraction = body.partition(mark.char)
    groups = {" " if char.isspace() else "'" if char == _CURLY else char for char in whole if not char.isdigit()}
    is_ascii = all(char.isascii() for char in body if char.isdigit())
    if len(groups) > 1 or not is_ascii or not (whole or fraction) or (fraction and not fraction.isdigit()):
        raise NumberError(_no_number(text, mark))
    plain = _SPACES.sub(group, whole).replace("'", group).replace(_CURLY, group) or "0"
    from babel.numbers import NumberFormatError, parse_decimal  # not for help texts, nor for plain numbers

    for locale in (mark.locale, "en_IN" if mark is DecimalMark.POINT else mark.locale):
        try:
            found = parse_decimal(plain, locale=locale, strict=True)
        except NumberFormatError:
            continue
        return Decimal(f"{found}{'.' + fraction if point and fraction else ''}")
    raise NumberError(_no_number(text, mark))


@cache
def _signs(currency: str) -> frozenset[str]:
    """Signs that a currency is written with, its code among them."""
    from babel import Locale  # not for help texts, nor for plain numbers

    locales = (*_SIGN_LOCALES, *_MORE_SIGN_LOCALES)
    found = {str(Locale.parse(one).currency_symbols.get(currency, currency)).casefold() for one in locales}
    if currency in _DOLLARS:
        found.add("$")
    return frozenset({currency.casefold(), *found, *(sign.rstrip(".") for sign in found)})


def _ambiguous(text: str) -> str:
    mark = "." if "." in text else ","
    whole, _, rest = text.lstrip("+-").partition(mark)
    return (
        f"may be {whole}.{rest} or {whole}{rest}; remedy: --decimal point if numbers are written as in 1,234.56, "
        "--decimal comma if as in 1.234,56"
    )


def _too_fine(digits: int, currency: str) -> str:
    return (
        f"has more than the {digits} decimals of {currency}; remedy where the point is a decimal mark and "
        "the further ones are zeros: --decimal point"
    )


def _no_number(text: str, mark: DecimalMark | None = None) -> str:
    if mark is not None:
        example = "1,234.56" if mark is DecimalMark.POINT else "1.234,56"
        return f"is not a number with a decimal {mark.value}; allowed: such as {example}"
    if _SCIENTIFIC.fullmatch(text):
        return "is in scientific notation; allowed: plain numbers such as 12.99"
    if any(char.isdigit() for char in text):
        return (
            "is not a plain number; allowed: such as 12.99; remedy for numbers written for people, such as 1,234.56 "
            "or 9,50: --decimal point or --decimal comma"
        )
    return "is not a number; allowed: such as 12.99"
