"""Numbers in texts: digits, words and Chinese numerals, with their units."""

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final


class Carries(StrEnum):
    """Unit that a number carries; the value is its placeholder in a masked text."""

    MONEY = "⟦M⟧"
    PERCENT = "⟦P⟧"
    DATE = "⟦D⟧"
    PLAIN = "⟦N⟧"


@dataclass(frozen=True, slots=True)
class Mention:
    """One number of a text. `value` is in major units or percent; `places` are its digits behind the point."""

    start: int
    end: int
    carries: Carries
    value: Decimal
    places: int
    currencies: frozenset[str] = frozenset()
    date: str = ""


_DIGITS: Final = r"(?:(?<![A-Za-z0-9_-])[-−])?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?"
_HAN: Final = r"[零〇一二两三四五六七八九十百千万点]+"
_SYMBOLS: Final = {
    "$": {"USD"},
    "€": {"EUR"},
    "£": {"GBP"},
    "¥": {"CNY", "JPY"},
    "dollar": {"USD"},
    "buck": {"USD"},
    "euro": {"EUR"},
    "pound": {"GBP"},
    "yuan": {"CNY"},
    "美元": {"USD"},
    "欧元": {"EUR"},
    "日元": {"JPY"},
    "元": {"CNY"},
    "块": {"CNY"},
    "美分": {"USD"},
    "cent": {"USD"},
}
_SMALL: Final = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS: Final = "twenty thirty forty fifty sixty seventy eighty ninety"
_WORDS: Final = {word: value for value, word in enumerate(_SMALL.split(" "))} | {
    word: 10 * value for value, word in enumerate(_TENS.split(" "), start=2)
}
_WORD: Final = "|".join(sorted(_WORDS, key=len, reverse=True))
_ENGLISH: Final = rf"(?:{_WORD})(?:[- ](?:{_WORD}))?(?: hundred)?"
_NUMBER: Final = re.compile(
    rf"(?P<date>\d{{4}}-\d\d-\d\d)"
    rf"|(?P<symbol>[$€£¥]|(?<![A-Za-z])(?-i:[A-Z]{{3}}))\s?(?P<after>{_DIGITS})"
    rf"|(?P<digits>{_DIGITS})(?:\s?(?P<unit>%|per ?cent\b|percentage points?\b|(?-i:[A-Z]{{3}}(?![A-Za-z]))|dollars?\b"
    rf"|bucks?\b|euros?\b|pounds?\b|yuan\b|cents?\b|美分|美元|欧元|日元|元|块|成(?![交本])[一二三四五六七八九半]?|折))?"
    rf"|百分之(?P<percent>{_HAN}|{_DIGITS})|(?P<whole>{_HAN}|\\d+)分之(?P<share>{_HAN}|\\d+)|(?P<halved>半价|对折)"
    rf"|(?P<han>{_HAN})(?P<hanunit>美元|欧元|日元|元|块|成(?![交本])[一二三四五六七八九半]?|折(?!扣)|个(?:报价|候选|因素|限制)|周|天)"
    rf"|(?<![-\w])(?P<english>{_ENGLISH})(?![-\w])(?P<wordunit>\s?%| per ?cent\b| dollars?\b| cents?\b)?",
    re.IGNORECASE,
)
_HAN_DIGITS: Final = {char: value for value, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_HAN_STEPS: Final = {"十": 10, "百": 100, "千": 1_000, "万": 10_000}


def mentions(text: str) -> list[Mention]:
    """Every number of a text, in order; a bare English `one` is a pronoun and counts only with a unit."""
    return [found for match in _NUMBER.finditer(text) if (found := _mention(match)) is not None]


def _mention(match: re.Match[str]) -> Mention | None:
    start, end = match.span()
    part = match.groupdict()
    if part["date"]:
        return Mention(start, end, Carries.DATE, Decimal(0), 0, date=part["date"])
    if part["percent"]:
        return _read(start, end, part["percent"], "%")
    if part["halved"]:
        return Mention(start, end, Carries.PERCENT, Decimal(50), 0)
    if part["share"]:
        whole, share = (Decimal(one) if one.isdigit() else _han(one) for one in (part["whole"], part["share"]))
        return Mention(start, end, Carries.PERCENT, 100 * share / (whole or 1), 0)
    if part["han"]:
        return _read(start, end, part["han"], part["hanunit"])
    if part["english"]:
        unit = (part["wordunit"] or "").strip()
        if part["english"].lower() == "one" and not unit:
            return None
        return _read(start, end, str(_english(part["english"])), unit)
    if part["after"]:
        return _read(start, end, part["after"], part["symbol"])
    return _read(start, end, part["digits"], part["unit"] or "")


def _read(start: int, end: int, digits: str, unit: str) -> Mention:
    written = digits.replace(",", "").replace("−", "-")
    value = Decimal(written) if written.lstrip("-")[0].isdigit() else _han(digits)
    places = max(0, -int(value.as_tuple().exponent))
    lower = unit.lower()
    if lower == "%" or lower.startswith("per"):
        return Mention(start, end, Carries.PERCENT, value, places)
    if unit.startswith("成"):  # tenths, and a digit or a half behind them
        rest = Decimal(5) if unit.endswith("半") else _han(unit[1:])
        return Mention(start, end, Carries.PERCENT, value * 10 + rest, 0)
    if unit == "折":  # eight tenths of the price: a fifth off
        return Mention(start, end, Carries.PERCENT, 100 - value * (10 if value < 10 else 1), 0)
    if lower.startswith("cent") or unit == "美分":
        return Mention(start, end, Carries.MONEY, value.scaleb(-2), places + 2, frozenset({"USD"}))
    currencies = _currencies(unit)
    carries = Carries.MONEY if currencies else Carries.PLAIN
    return Mention(start, end, carries, value, places, currencies)


def _currencies(unit: str) -> frozenset[str]:
    known = _SYMBOLS.get(unit) or _SYMBOLS.get(unit.lower().removesuffix("s"))
    if known:
        return frozenset(known)
    return frozenset({unit.upper()}) if re.fullmatch(r"[A-Za-z]{3}", unit) else frozenset()


def _english(text: str) -> int:
    words = re.split(r"[- ]", text.lower())
    total = sum(_WORDS[word] for word in words if word in _WORDS)
    return total * 100 if "hundred" in words else total


def _han(text: str) -> Decimal:
    whole, _, fraction = text.partition("点")
    total = section = 0
    for char in whole:
        if char == "万":
            total, section = (total + section) * _HAN_STEPS[char], 0
        elif char in _HAN_STEPS:
            total += (section or 1) * _HAN_STEPS[char]
            section = 0
        else:
            section = section * 10 + _HAN_DIGITS[char]
    digits = "".join(str(_HAN_DIGITS[char]) for char in fraction if char in _HAN_DIGITS)
    return Decimal(f"{total + section}.{digits}") if digits else Decimal(total + section)
