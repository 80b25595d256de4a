"""Spans of time in questions: yesterday, last week, since Monday, in November, 11月28日. Days are those of UTC."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from agent.explain.han_numbers import read_number
from agent.explain.questions import Period

_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAYS: Final = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_MONTH: Final = "|".join(f"{month}|{month[:3]}" for month in _MONTHS)
_DAY: Final = "|".join(_DAYS)
_HAN_DAYS: Final = "一二三四五六日"
_COUNT: Final = r"\d+|[一二两三四五六七八九十]+"
_SINCE: Final = re.compile(r"(?:\bsince|\bfrom|\bafter|\bstarting|自从?|从)\s*(?:the\s|last\s|on\s)?$", re.IGNORECASE)
_SINCE_BEHIND: Final = re.compile(r"^\s*(?:以来|起|开始|之后|至今|onwards?\b|till now|until now|to now)", re.IGNORECASE)

Days = tuple[date, date]


@dataclass(frozen=True, slots=True)
class FoundPeriod:
    """A span of time, and the text without the words that name it."""

    period: Period
    rest: str


@dataclass(frozen=True, slots=True)
class _Hit:
    """Days that some words name."""

    start: int
    end: int
    first: date
    last: date


def find_period(text: str, now: datetime) -> FoundPeriod | None:
    """Find the span of time that a text names; None where it names none, or days that do not exist."""
    today = now.astimezone(UTC).date()
    hits = _hits(text, today)
    if not hits:
        return None
    first, last = hits[0], hits[-1]
    start, end = first.first, last.last
    before, behind = text[: first.start], text[last.end :]
    since = _SINCE.search(before)
    open_ended = _SINCE_BEHIND.search(behind)
    if len(hits) == 1 and (since or open_ended):
        end = today
    rest = before[: since.start()] if since else before
    for one, after in zip(hits, [*hits[1:], None], strict=True):
        rest += " " + text[one.end : after.start if after else len(text)]
    if end < start:
        return None
    until = min(_midnight(end + timedelta(days=1)), now)
    return FoundPeriod(Period(min(_midnight(start), until), until), _SINCE_BEHIND.sub(" ", rest))


def recent(now: datetime, days: int) -> Period:
    """The last `days` days up to now."""
    return Period(now - timedelta(days=days), now)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _hits(text: str, today: date) -> list[_Hit]:
    """Days that the text names, by place; of overlapping ones the first pattern's."""
    found: list[_Hit] = []
    for pattern, days in _PATTERNS:
        for match in pattern.finditer(text):
            if any(match.start() < one.end and one.start < match.end() for one in found):
                continue
            try:
                first, last = days(match, today)
            except (ValueError, OverflowError):
                continue
            found.append(_Hit(*match.span(), first, last))
    return sorted(found, key=lambda one: one.start)


def _iso(match: re.Match[str], _today: date) -> Days:
    day = date.fromisoformat(match[1])
    return day, day


def _day_of_month(match: re.Match[str], today: date) -> Days:
    part = match.groupdict()
    month = _month_number(part["month"])
    year = int(part["year"]) if part["year"] else None
    day = date(year or today.year, month, int(part["day"]))
    if year is None and day > today:
        day = day.replace(year=today.year - 1)
    return day, day


def _month(match: re.Match[str], today: date) -> Days:
    part = match.groupdict()
    month = _month_number(part["month"])
    year = int(part["year"]) if part["year"] else today.year - (month > today.month)
    return date(year, month, 1), _month_end(year, month)


def _month_number(text: str) -> int:
    if text[0].isdigit():
        return int(text)
    if text[0] in "一二三四五六七八九十":
        return int(read_number(text))
    return next(place for place, name in enumerate(_MONTHS, start=1) if name.startswith(text.lower()[:3]))


def _month_end(year: int, month: int) -> date:
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _weekday(match: re.Match[str], today: date) -> Days:
    text = match["day"]
    wanted = _HAN_DAYS.index("日" if text == "天" else text) if text in f"{_HAN_DAYS}天" else _DAYS.index(text.lower())
    back = (today.weekday() - wanted) % 7
    day = today - timedelta(days=back)
    if (match.groupdict().get("last") or "").startswith("上"):
        day = today - timedelta(days=today.weekday() + 7 - wanted)
    return day, day


def _last_units(match: re.Match[str], today: date) -> Days:
    count = int(read_number(match["count"]))
    unit = match["unit"].lower()
    size = (
        7
        if unit[0] in "w周" or unit.startswith("星") or unit.startswith("礼")
        else 30
        if "月" in unit or unit[0] == "m"
        else 1
    )
    return today - timedelta(days=min(count * size, 3_650)), today


def _ago(days: int) -> Callable[[re.Match[str], date], Days]:
    return lambda _match, today: (today - timedelta(days=days), today - timedelta(days=days))


def _rolling(days: int) -> Callable[[re.Match[str], date], Days]:
    return lambda _match, today: (today - timedelta(days=days), today)


def _this_week(_match: re.Match[str], today: date) -> Days:
    return today - timedelta(days=today.weekday()), today


def _last_weekend(_match: re.Match[str], today: date) -> Days:
    sunday = today - timedelta(days=today.weekday() + 1)
    return sunday - timedelta(days=1), sunday


def _this_month(_match: re.Match[str], today: date) -> Days:
    return today.replace(day=1), today


def _last_month(_match: re.Match[str], today: date) -> Days:
    last = today.replace(day=1) - timedelta(days=1)
    return last.replace(day=1), last


def _this_year(_match: re.Match[str], today: date) -> Days:
    return date(today.year, 1, 1), today


def _last_year(_match: re.Match[str], today: date) -> Days:
    return date(today.year - 1, 1, 1), date(today.year - 1, 12, 31)


def _compiled() -> Iterator[tuple[re.Pattern[str], Callable[[re.Match[str], date], Days]]]:
    year = r"(?:,?\s(?P<year>\d{4}))?"
    for pattern, days in (
        (r"(?:\bon\s)?(?<!\d)(\d{4}-\d\d-\d\d)(?!\d)", _iso),
        (
            rf"\b(?:on\s)?(?:the\s)?(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?(?P<month>{_MONTH})\b{year}",
            _day_of_month,
        ),
        (rf"\b(?:on\s)?(?P<month>{_MONTH})\s(?P<day>\d{{1,2}})(?:st|nd|rd|th)?\b{year}", _day_of_month),
        (r"(?:(?P<year>\d{4})年)?(?P<month>\d{1,2})月(?P<day>\d{1,2})[日号]", _day_of_month),
        (rf"\b(?:(?:in|during|for|of|all)\s|(?<=since\s)|(?<=from\s))(?P<month>{_MONTH})\b{year}", _month),
        (rf"\b(?P<month>{'|'.join(month for month in _MONTHS if month not in ('march', 'may'))})\b{year}", _month),
        (r"(?:(?P<year>\d{4})年)?(?<!\d)(?P<month>\d{1,2}|[一二三四五六七八九十]{1,2})月(?:份|里)?", _month),
        (r"\b(?:the\s)?day before yesterday\b|前天", _ago(2)),
        (r"\byesterday(?:'s)?\b|昨[天日]", _ago(1)),
        (r"\btoday(?:'s)?\b|今[天日]", _ago(0)),
        (rf"\b(?:on\s)?(?:last\s)?(?P<day>{_DAY})\b", _weekday),
        (rf"(?P<last>上(?:个)?)?(?:周|星期|礼拜)(?P<day>[{_HAN_DAYS}天])", _weekday),
        (
            r"(?:\b(?:in|over|for|during|within)\s)?(?:\bthe(?:se)?\s)?(?:\blast|\bpast|\bprevious|\bthese)\s(?P<count>\d+)\s"
            r"(?P<unit>days?|weeks?|months?)\b",
            _last_units,
        ),
        (rf"(?:过去|最近|近|这|前)的?(?P<count>{_COUNT})个?(?P<unit>天|日|周|星期|礼拜|月)(?:内|里|来)?", _last_units),
        (r"\b(?:last\s|past\s|previous\s)?24 hours\b", _rolling(1)),
        (r"\b(?:(?:in|over)\s(?:the\s)?)?(?:last|past|previous)\sweekend\b|上(?:个)?周末", _last_weekend),
        (
            r"\b(?:(?:in|over|during|for)\s(?:the\s)?)?(?:last|past|previous)\sweek(?:'s)?\b|上(?:个)?(?:周|星期|礼拜)|"
            r"(?:过去|最近)一?(?:个星期|周|星期)",
            _rolling(7),
        ),
        (r"\bthis\sweek(?:'s)?\b|[这本](?:个)?(?:周|星期)", _this_week),
        (r"\b(?:last\s|past\s)?fortnight\b", _rolling(14)),
        (r"\bthis\smonth(?:'s)?\b|[这本]个?月|\bthe\smonth\b", _this_month),
        (r"\b(?:(?:in|over|during|for)\s(?:the\s)?)?(?:last|previous)\smonth(?:'s)?\b|上个?月", _last_month),
        (r"\b(?:(?:in|over)\s(?:the\s)?)?past\smonth\b", _rolling(30)),
        (
            r"\b(?:(?:in|over|during|for)\s(?:the\s)?)?(?:last|past|this|previous)\squarter(?:'s)?\b|[上这本]个?季度",
            _rolling(90),
        ),
        (r"\bthis\syear(?:'s)?\b|今年", _this_year),
        (r"\blast\syear(?:'s)?\b|去年", _last_year),
        (r"\b(?:(?:in|over)\s(?:the\s)?)?past\syear\b", _rolling(365)),
    ):
        yield re.compile(pattern, re.IGNORECASE), days


_PATTERNS: Final = tuple(_compiled())
