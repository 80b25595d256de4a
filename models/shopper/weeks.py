"""Week numbers: weeks start on Monday 00:00 UTC and are counted from 1970-01-05."""

from datetime import UTC, datetime
from typing import Final

HOUR_S: Final = 3600.0
DAY_S: Final = 24 * HOUR_S
WEEK_S: Final = 7 * DAY_S
_FIRST_MONDAY_S: Final = 4 * DAY_S  # 1970-01-05


def week_of(at_s: float) -> int:
    """Return the number of the week that contains a time in Unix seconds."""
    return int((at_s - _FIRST_MONDAY_S) // WEEK_S)


def week_start(week: int) -> datetime:
    """Return the start of a week: its Monday, 00:00 UTC."""
    return datetime.fromtimestamp(_FIRST_MONDAY_S + week * WEEK_S, tz=UTC)
