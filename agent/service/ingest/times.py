"""Times as files write them."""

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from agent.domain.fields import EARLIEST, LATEST
from agent.service.ingest.reading import EPOCHS, Note, Reading

_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d([Tt ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?\s?([Zz]|[+-]\d\d(:?\d\d)?)?)?", re.ASCII
)
_DIGITS: Final = re.compile(r"-?\d{1,15}(\.0*)?", re.ASCII)
_EXAMPLE: Final = "2026-01-31T12:00:00Z"


class TimeError(ValueError):
    """A cell is no time; the message says what is allowed and the remedy."""


def read_time(value: Any, reading: Reading) -> datetime:
    """The time of a cell, with its zone.

    A time without zone is one of `--timezone`; a bare date is its midnight there. A local time that a change of clocks
    has twice is the earlier one, which is noted.

    Raises:
        TimeError: It is no time in the expected form, has no zone, never was there, or is outside 1990-2100.
    """
    at = _typed(value, reading) if not isinstance(value, str) else _written(value.strip(), reading.options.date_format)
    if at.tzinfo is None:
        zone = reading.options.timezone
        if zone is None:
            raise TimeError(f"has no time zone; allowed: such as {_EXAMPLE}; remedy: --timezone, such as Europe/Berlin")
        at = _local(at, zone, reading)
    if not EARLIEST <= at <= LATEST:
        raise TimeError(f"is out of range; allowed: {EARLIEST:%Y} to {LATEST:%Y}")
    return at


def _typed(value: Any, reading: Reading) -> datetime:
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time())
    if isinstance(value, int | float) and not isinstance(value, bool):
        if reading.options.date_format not in EPOCHS:
            options = " or ".join(f"--date-format {one}" for one in EPOCHS)
            raise TimeError(f"is a number; allowed: such as {_EXAMPLE}; remedy for times since 1970: {options}")
        return _since_1970(float(value), reading.options.date_format)
    raise TimeError(f"is not a time; allowed: RFC 3339 such as {_EXAMPLE}")


def _written(text: str, date_format: str) -> datetime:
    if date_format in EPOCHS:
        if not _DIGITS.fullmatch(text):
            raise TimeError(f"is not {date_format.replace('-', ' ')}; allowed: digits")
        return _since_1970(float(text), date_format)
    if date_format:
        try:
            return datetime.strptime(text, date_format)
        except ValueError:
            raise TimeError(f"is not of the form {date_format!r} that --date-format gives") from None
    if _TIME.fullmatch(text):
        try:
            return datetime.fromisoformat(text.upper().replace(" +", "+").replace(" -", "-").replace(" Z", "Z"))
        except ValueError:
            pass
    raise TimeError(
        f"is not a time; allowed: RFC 3339 such as {_EXAMPLE}; remedy for other forms: --date-format, such as "
        "'%m/%d/%Y' or '%d.%m.%Y %H:%M'"
    )


def _since_1970(number: float, unit: str) -> datetime:
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number / EPOCHS[unit])
    except OverflowError:
        raise TimeError(f"is out of range; allowed: {EARLIEST:%Y} to {LATEST:%Y}") from None


def _local(at: datetime, zone: ZoneInfo, reading: Reading) -> datetime:
    earlier, later = at.replace(tzinfo=zone, fold=0), at.replace(tzinfo=zone, fold=1)
    if earlier.utcoffset() != later.utcoffset():
        if earlier.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != at:
            raise TimeError(f"never was in {zone.key}, where clocks were set forward over it; allowed: a time that was")
        reading.notes.add(Note.TWICE, at.isoformat(sep=" "))
    return earlier.astimezone(UTC)
