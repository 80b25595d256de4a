"""Slots of a question, found by rules: amounts, percents, counts, ids, a category, a span of days."""

import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from agent.domain.money import MAX_MINOR, fraction_digits
from agent.explain.han_numbers import in_digits, read_share, without_shares
from agent.explain.questions import Slots

_NUMBER: Final = r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_UNITS: Final = r"(?:[A-Z]{3}(?![A-Za-z])|dollars?\b|bucks\b|euros?\b|yuan\b|元|块|美元|欧元)"
_UUID: Final = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
_MONEY: Final = re.compile(rf"[$€£¥]\s?{_NUMBER}|{_NUMBER}\s?{_UNITS}")
_CENTS: Final = re.compile(rf"{_NUMBER}\s?(?:cents?\b|美分|分钱)", re.IGNORECASE)
_PERCENT: Final = re.compile(rf"{_NUMBER}\s?(?:%|per\s?cent\b|pct\b)", re.IGNORECASE)
_PLAIN: Final = re.compile(rf"(?<![A-Za-z0-9_.#-]){_NUMBER}(?![A-Za-z0-9_-])")
_OTHER: Final = re.compile(
    r"(?:shopper|customer|household|buyer|user|quote|顾客|客户|用户|买家|报价)s?\s*(?:id|no\.?|number|编号|号)?"
    r"\s*[:#]?\s*[\"'“「]?((?=[A-Za-z0-9_.:-]*\d)[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?)",
    re.IGNORECASE,
)
_DOWN: Final = re.compile(r"cheap|low|less|under|drop|fall|fell|down|cut|undercut|低|便宜|降|少|跌|减", re.IGNORECASE)
_UP: Final = re.compile(
    r"expensive|dear|higher|\bmore\b|raise|rais|increase|rise|rose|\bup\b|高|贵|涨|升|更多", re.IGNORECASE
)
_FACTORS: Final = (
    (re.compile(r"double|twice|two times|翻倍|翻一番|两倍", re.IGNORECASE), 2.0),
    (re.compile(r"triple|three times|三倍", re.IGNORECASE), 3.0),
    (re.compile(r"\bhalf|halve|一半|减半", re.IGNORECASE), 0.5),
    (re.compile(r"sold out|out of stock|no stock|run out|last one|缺货|售罄|没有库存|卖完", re.IGNORECASE), 0.0),
)
_SPANS: Final = (
    (re.compile(r"today|yesterday|24 hours|今天|昨天", re.IGNORECASE), 1),
    (re.compile(r"month|30 days|月", re.IGNORECASE), 30),
    (re.compile(r"quarter|90 days|季度", re.IGNORECASE), 90),
    (re.compile(r"year|年", re.IGNORECASE), 365),
    (re.compile(r"fortnight|two weeks|14 days|两周|两个星期", re.IGNORECASE), 14),
)


def find_slots(text: str, currency: str, categories: Iterable[str] = ()) -> Slots:
    """Find the slots of a question; amounts are taken to be in `currency`."""
    plain = unicodedata.normalize("NFKC", text)
    share = _share(plain)
    rest = in_digits(without_shares(_PERCENT.sub(" ", plain)))
    other = _UUID.search(rest) or _OTHER.search(rest)
    identifier = None if other is None else other.group(0 if other.re is _UUID else 1)
    if other is not None:
        rest = rest.replace(other.group(0), " ")
    amount, bare = _amount(rest, currency), _PLAIN.search(rest)
    number = None if bare is None else Decimal(bare.group(1).replace(",", ""))
    if amount is None and number is not None:
        amount = _minor(number, currency)
    down = bool(_DOWN.search(plain)) or (share is not None and share < 0)
    return Slots(
        amount_minor=amount,
        change_pct=None if share is None else float(abs(share)) * (-1 if down else 1),
        count=int(number) if number is not None and number == int(number) and number <= 10**9 else None,
        factor=next((factor for pattern, factor in _FACTORS if pattern.search(plain)), None),
        other=identifier,
        lower=True if down else False if _UP.search(plain) else None,
        category=_category(plain, categories),
        days=next((days for pattern, days in _SPANS if pattern.search(plain)), 7),
    )


def _share(text: str) -> Decimal | None:
    """A share in percent, negative where the words say that it is taken off."""
    percent = _PERCENT.search(text)
    return read_share(text) if percent is None else _value(percent)


def _amount(text: str, currency: str) -> int | None:
    cents = _CENTS.search(text)
    if cents is not None:
        return round(_value(cents))
    money = _MONEY.search(text)
    return None if money is None else _minor(_value(money), currency)


def _minor(amount: Decimal, currency: str) -> int | None:
    minor = round(amount.scaleb(fraction_digits(currency)))
    return minor if 0 < minor <= MAX_MINOR else None


def _value(match: re.Match[str]) -> Decimal:
    return Decimal(next(group for group in match.groups() if group).replace(",", ""))


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
