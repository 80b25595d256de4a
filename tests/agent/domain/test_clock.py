from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.clock import FixedClock, StoreClock, SystemClock

_TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
_HISTORY_END = datetime(2017, 12, 31, 20, tzinfo=UTC)
_PREPARED_AT = datetime(2026, 3, 1, 9, tzinfo=UTC)
_DEMO = StoreClock(_HISTORY_END, _PREPARED_AT)
_clocks = st.tuples(_TIMES, _TIMES).map(lambda pair: StoreClock(min(pair), max(pair)))


@given(_clocks, _TIMES, _TIMES)
def test_behaviour_time_is_monotone(clock: StoreClock, one: datetime, other: datetime) -> None:
    earlier, later = sorted((one, other))

    assert clock.behaviour_time(earlier) <= clock.behaviour_time(later)


@given(_clocks, _TIMES)
def test_history_times_are_unchanged_and_later_times_follow_them(clock: StoreClock, at: datetime) -> None:
    assert clock.history_end is not None
    mapped = clock.behaviour_time(at)

    assert mapped == at if at <= clock.history_end else clock.history_end <= mapped <= at


@given(_TIMES)
def test_without_demo_data_time_is_untouched(at: datetime) -> None:
    assert StoreClock().behaviour_time(at) == at


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (_HISTORY_END - timedelta(days=3), _HISTORY_END - timedelta(days=3)),
        (_HISTORY_END + timedelta(days=3), _HISTORY_END),
        (_PREPARED_AT, _HISTORY_END),
        (_PREPARED_AT + timedelta(hours=1), _HISTORY_END + timedelta(hours=1)),
    ],
    ids=["in history", "between", "at preparation", "an hour after"],
)
def test_time_since_preparation_is_time_since_the_history_ended(at: datetime, expected: datetime) -> None:
    assert _DEMO.behaviour_time(at) == expected


@pytest.mark.parametrize("clock", [_DEMO, StoreClock()], ids=["demo", "own data"])
def test_a_store_clock_survives_in_meta(clock: StoreClock) -> None:
    assert StoreClock.from_meta(clock.to_meta().get) == clock


@pytest.mark.parametrize(
    ("history_end", "prepared_at", "message"),
    [
        (_HISTORY_END, None, "both or neither"),
        (None, _PREPARED_AT, "both or neither"),
        (_PREPARED_AT, _HISTORY_END, "at or after"),
    ],
    ids=["no preparation", "no history", "reversed"],
)
def test_times_that_do_not_fit_are_refused(
    history_end: datetime | None, prepared_at: datetime | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        StoreClock(history_end, prepared_at)


def test_the_system_clock_is_aware_and_in_utc() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()

    assert before <= now <= datetime.now(UTC)
    assert now.tzinfo is UTC


def test_a_fixed_clock_shows_its_time_until_set() -> None:
    clock = FixedClock(_PREPARED_AT)
    assert (clock.now(), clock.now()) == (_PREPARED_AT, _PREPARED_AT)

    clock.at += timedelta(seconds=5)
    assert clock.now() == _PREPARED_AT + timedelta(seconds=5)
