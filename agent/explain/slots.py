"""Slots of a question, found by rules: amounts, percents, changes, counts, ids, a category, a span of time."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from agent.domain.money import MAX_MINOR, fraction_digits
from agent.explain import english_numbers, han_numbers
from agent.explain.periods import find_period
from agent.explain.questions import Slots

_NUMBER: Final = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|(?<!\d)\.\d+)"
_UNITS: Final = r"([A-Z]{3}(?![A-Za-z])|dollars?\b|bucks?\b|euros?\b|pounds?\b|yuan\b|美元|欧元|英镑|日元|元|块钱?)"
_CENTS: Final = r"(cents?\b|美分|分钱|毛钱?|角|分(?![之钟店析享]))"
_UUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_MONEY: Final = re.compile(
    rf"([$€£¥])\s?{_NUMBER}|{_NUMBER}\s?{_CENTS}|{_NUMBER}\s?{_UNITS}"
    rf"|(?<![A-Za-z0-9_.#-]){_NUMBER}(?![A-Za-z0-9_-]|\s?[件个位号天周月次]|\s(?:units?|pieces?|items?|left|pallets?|boxes|days|weeks|months)\b)"
)
_PERCENT: Final = re.compile(rf"{_NUMBER}\s?(?:%|percent\b|per\s?cent\b|pct\b)", re.IGNORECASE)
_PLAIN: Final = re.compile(rf"(?<![A-Za-z0-9_.#$€£¥-]){_NUMBER}(?![A-Za-z0-9_-])")
_PERSON: Final = r"shopper|customer|household|buyer|user|quote|顾客|客户|用户|买家|报价"
_ID: Final = r"(?=[A-Za-z0-9_.:-]*\d)[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?"
_OTHER: Final = re.compile(
    rf"(?:{_PERSON})s?\s*(?:id|no\.?|number|编号|号)?\s*[:#]?\s*[\"'“「]?({_ID})|({_ID})\s?号?\s?的?(?:顾客|客户|用户|买家)",
    re.IGNORECASE,
)
_DOWN: Final = re.compile(
    r"cheap|\blow(?!est)|\bless\b|under|drop|\bfall|\bfell|\bdown|\bcut|\boff\b|discount|markdown|reduc|shave|knock|(?<!最)低|便宜|降|(?<!多)少|跌|减|折|优惠|让利",
    re.IGNORECASE,
)
_UP: Final = re.compile(
    r"expensive|\bdear|higher|pricier|\bmore\b|raise|rais|increas|\brise|\brose|\bup\b|\badd|premium|\bon top|above"
    r"|extra|(?<!最)高|贵|涨|升|加价|提价|更多|多收",
    re.IGNORECASE,
)
_BASE: Final = re.compile(
    r"(?:instead of|rather than|\bthan|\bfrom|\bnot|currently|\bnow(?: at)?|从|由|而?不是|原价|现价|现在的?)"
    r"\s*(?:the\s|of\s|at\s|是\s?)?$",
    re.IGNORECASE,
)
_BY: Final = re.compile(
    r"(?:\bby|\badd|\bplus|\bminus|\bless|knock|shave|\btake|便宜|下?降(?:价|低)?|下调|减|少收?|低|贵|涨(?:价)?|上调|加(?:价)?|多收|提价|提高|高)"
    r"了?(?:\s(?:another|a further|about))?\s*$",
    re.IGNORECASE,
)
_MORE: Final = re.compile(
    r"^\s*(?:cheaper|lower|less|off\b|more\b|higher|dearer|pricier|extra|on top|discount|increase|"
    r"reduction|markdown|(?:further )?(?:up|down)\b"
    r"|below (?:that|this|the quote)|above (?:that|this|the quote))",
    re.IGNORECASE,
)
_FACTORS: Final = (
    (re.compile(r"doubl|twice|two times|翻倍|翻一番|两倍", re.IGNORECASE), 2.0),
    (re.compile(r"tripl|three times|三倍", re.IGNORECASE), 3.0),
    (re.compile(r"\bhalf|\bhalv|一半|减半", re.IGNORECASE), 0.5),
    (
        re.compile(
            r"sold out|out of stock|no stock|zero stock|r[ua]n(?:ning)? out|last one|缺货|断货|售罄|没有库存|卖完|卖光",
            re.IGNORECASE,
        ),
        0.0,
    ),
)
_DOLLARS: Final = frozenset(["USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "BRL", "ARS", "CLP", "COP"])
_MEANS: Final = {
    "$": _DOLLARS,
    "dollar": _DOLLARS,
    "buck": _DOLLARS,
    "€": frozenset(("EUR",)),
    "euro": frozenset(("EUR",)),
    "欧元": frozenset(("EUR",)),
    "£": frozenset(("GBP",)),
    "pound": frozenset(("GBP",)),
    "英镑": frozenset(("GBP",)),
    "¥": frozenset(("CNY", "JPY")),
    "yuan": frozenset(("CNY",)),
    "美元": frozenset(("USD",)),
    "日元": frozenset(("JPY",)),
}
"""Currencies that a sign or word may mean; 元, 块 and cents mean those of the quote."""


@dataclass(frozen=True, slots=True)
class _Amount:
    """An amount of money in the text; `sure` where it has a unit or digits behind the point."""

    minor: int
    start: int
    end: int
    sure: bool
    currency: str | None = None


def find_slots(text: str, currency: str, categories: Iterable[str] = (), now: datetime | None = None) -> Slots:
    """Find the slots of a question; amounts are taken to be in `currency`, spans of time end at `now`."""
    plain = unicodedata.normalize("NFKC", text)
    period = None if now is None else find_period(plain, now)
    rest = plain if period is None else period.rest
    share, rest = _share(english_numbers.in_digits(rest))
    rest = han_numbers.in_digits(rest)
    other = _UUID.search(rest) or _OTHER.search(rest)
    identifier = None if other is None else next((one for one in other.groups() if one), other.group())
    if other is not None:
        rest = rest.replace(identifier or other.group(), " ")
    amounts = _chosen(list(_amounts(rest, currency)), rest)
    first = amounts[0] if amounts else None
    changes = first is not None and _is_change(first, rest)
    number = _PLAIN.search(rest)
    count = None if number is None else Decimal(number.group(1).replace(",", ""))
    return Slots(
        amount_minor=None if first is None or changes else first.minor,
        change_minor=None if first is None or not changes else first.minor * _sign(rest, first.start, first.end),
        change_pct=share,
        count=int(count) if count is not None and count == int(count) and count <= 10**9 else None,
        factor=next((factor for pattern, factor in _FACTORS if pattern.search(plain)), None) if share is None else None,
        other=identifier,
        lower=_lower(plain, share),
        category=_category(plain, categories),
        period=None if period is None else period.period,
        bare_amount=first is not None and not first.sure,
        several_amounts=len({one.minor for one in amounts}) > 1,
        other_currency=next((one.currency for one in amounts if one.currency is not None), None),
    )


def _lower(text: str, share: float | None) -> bool | None:
    if share is not None:
        return share < 0
    return True if _DOWN.search(text) else False if _UP.search(text) else None


def _share(text: str) -> tuple[float | None, str]:
    """The signed change in percent that a text names, and the text without shares."""
    found = [(_value(one.group(1)), *one.span()) for one in _PERCENT.finditer(text)]
    found += [(one.value, one.start, one.end) for one in han_numbers.find_shares(text)]
    if not found:
        return None, text
    value, start, end = min(found, key=lambda one: one[1])
    change = float(value) if value < 0 else float(value) * _sign(text, start, end)
    for _, from_, to in sorted(found, key=lambda one: -one[1]):
        text = f"{text[:from_]} {text[to:]}"
    return change, text


def _sign(text: str, start: int, end: int) -> int:
    """Direction of a change: that of the nearest word for one, up where there is none."""
    near = [
        (max(match.start() - end, start - match.end(), 0), sign)
        for pattern, sign in ((_DOWN, -1), (_UP, 1))
        for match in pattern.finditer(text)
    ]
    return min(near, default=(0, 1))[1]


def _amounts(text: str, currency: str) -> Iterator[_Amount]:
    digits = fraction_digits(currency)
    for match in _MONEY.finditer(text):
        symbol, behind_symbol, of_cents, cents, named, unit, bare = match.groups()
        number = behind_symbol or of_cents or named or bare
        minor = _minor(_value(number), digits if not cents else digits - 1 if cents[0] in "毛角" else digits - 2)
        if minor is not None:
            foreign = _foreign(symbol or unit, currency)
            sure = bare is None or "." in bare
            yield _Amount(minor, match.start(), match.end(), sure, foreign)


def _foreign(told: str | None, currency: str) -> str | None:
    """The currency that a sign or word names, where it cannot be that of the quote."""
    if told is None or told[0] in "元块":
        return None
    if re.fullmatch(r"[A-Z]{3}", told):
        return None if told == currency else told
    means = _MEANS.get(told) or _MEANS.get(told.lower().removesuffix("s"), frozenset((currency,)))
    return None if currency in means else min(means)


def _chosen(found: list[_Amount], text: str) -> list[_Amount]:
    """The amounts that the question asks about, rather than compares with; those with a unit before bare numbers."""
    sure = [one for one in found if one.sure] or found
    return [one for one in sure if not _BASE.search(text[: one.start])] or sure


def _is_change(amount: _Amount, text: str) -> bool:
    """Whether an amount is a difference: by 0.20, 5 cents cheaper, 便宜5美分."""
    if _MORE.search(text[amount.end :]):
        return True
    return amount.sure and _BY.search(text[: amount.start]) is not None


def _minor(amount: Decimal, digits: int) -> int | None:
    minor = round(amount.scaleb(digits))
    return minor if 0 < minor <= MAX_MINOR else None


def _value(number: str) -> Decimal:
    return Decimal(number.replace(",", ""))


def _category(text: str, categories: Iterable[str]) -> str | None:
    """The longest known category in the question, as whole words, singular or plural."""
    lower = text.lower()
    found = [name for name in categories if name and _holds(lower, name.lower())]
    return max(found, key=len, default=None)


def _holds(text: str, name: str) -> bool:
    stem = name[:-1] if name.endswith("s") and len(name) > 3 else name
    if any("一" <= char <= "鿿" for char in name):
        return name in text
    return re.search(rf"(?<!\w){re.escape(stem)}(?:s|es)?(?!\w)", text) is not None
