"""Weeks: the grain at which product facts become known (Monday 00:00 UTC, counted from 1970-01-05)."""

from datetime import UTC, datetime
from typing import Final

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S
WEEK_S: Final = 7 * DAY_S
_FIRST_MONDAY_S: Final = 4 * DAY_S  # 1970-01-05


def week_of(at_s: float) -> int:
    """Number of the week that holds a time in Unix seconds."""
    return int((at_s - _FIRST_MONDAY_S) // WEEK_S)


def week_start(week: int) -> datetime:
    """The Monday that a week number begins with."""
    return datetime.fromtimestamp(_FIRST_MONDAY_S + week * WEEK_S, tz=UTC)
