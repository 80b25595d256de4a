"""Chinese numerals and shares (百分之十, 三分之一, 一成五, 九折) in questions, as numbers.

The checker reads numbers with code of its own (`agent.explain.check.numbers`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

_DIGITS: Final = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_STEPS: Final = {"十": 10, "百": 100, "千": 1_000, "万": 10_000}
_HAN: Final = r"[零〇一二两三四五六七八九十百千万点]+"
_READ: Final = rf"(?:{_HAN}|\d+(?:\.\d+)?)"
_SHARE: Final = re.compile(rf"({_READ})分之({_READ})")
_TENTHS: Final = re.compile(rf"({_READ})成([一二三四五六七八九半])?(?![交本功为员立长熟])")
_OFF: Final = re.compile(rf"({_READ}|对)折(?!扣)|半价")
_COUNTED: Final = re.compile(rf"{_HAN}(?=\s?(?:元|块|美元|欧元|分钱|毛|角|美分|件|瓶|盒|箱|袋|台|份))")
_TENTH_OF_YUAN: Final = re.compile(rf"({_HAN}|\d+)块([一二三四五六七八九])(?![十百千万])")


def read_number(text: str) -> Decimal:
    """A numeral, in digits or in characters; characters without steps stand in their places: 八五 is 85."""
    if text[0].isdecimal():
        return Decimal(text)
    whole, _, fraction = text.partition("点")
    total = section = 0
    for char in whole:
        if char == "万":
            total, section = (total + section) * _STEPS[char], 0
        elif char in _STEPS:
            total, section = total + (section or 1) * _STEPS[char], 0
        else:
            section = section * 10 + _DIGITS[char]
    places = "".join(str(_DIGITS[char]) for char in fraction if char in _DIGITS)
    return Decimal(f"{total + section}.{places or 0}").normalize()


def in_digits(text: str) -> str:
    """The text with numerals that count money or things written in digits: 三块五 is 3.5块."""
    text = _TENTH_OF_YUAN.sub(lambda match: f"{read_number(match[1]):f}.{read_number(match[2])}块", text)
    return _COUNTED.sub(lambda match: f"{read_number(match.group()):f}", text)


@dataclass(frozen=True, slots=True)
class Share:
    """A share in percent and its place; less than nothing where it names a reduced price (九折: -10)."""

    value: Decimal
    start: int
    end: int


def find_shares(text: str) -> Iterator[Share]:
    """Find the shares that a text names."""
    for found in _SHARE.finditer(text):
        whole = read_number(found.group(1))
        if whole:
            yield Share(100 * read_number(found.group(2)) / whole, *found.span())
    for found in _TENTHS.finditer(text):
        half = found.group(2)
        rest = Decimal(0) if half is None else Decimal(5) if half == "半" else read_number(half)
        yield Share(10 * read_number(found.group(1)) + rest, *found.span())
    for found in _OFF.finditer(text):
        yield Share(_left(found.group(1)) - 100, *found.span())


def _left(told: str | None) -> Decimal:
    """Share of the price that a discount leaves, percent: 九折, 90折 are 90, 八五折, 8.5折 85, 对折, 半价 50."""
    if told is None or told == "对":
        return Decimal(50)
    value = read_number(told)
    return value * 10 if value <= 10 else value
