from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.explain.periods import find_period, recent

NOW = datetime(2026, 12, 1, 10, 30, tzinfo=UTC)  # a Tuesday


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("yesterday", "2026-11-30", "2026-11-30"),
        ("how was today", "2026-12-01", "2026-12-01"),
        ("the day before yesterday", "2026-11-29", "2026-11-29"),
        ("last week", "2026-11-24", "2026-12-01"),
        ("this week", "2026-11-30", "2026-12-01"),
        ("since Monday", "2026-11-30", "2026-12-01"),
        ("on Friday", "2026-11-27", "2026-11-27"),
        ("over the past 3 days", "2026-11-28", "2026-12-01"),
        ("last 2 weeks", "2026-11-17", "2026-12-01"),
        ("in November", "2026-11-01", "2026-11-30"),
        ("since October", "2026-10-01", "2026-12-01"),
        ("in December 2025", "2025-12-01", "2025-12-31"),
        ("last month", "2026-11-01", "2026-11-30"),
        ("this month", "2026-12-01", "2026-12-01"),
        ("on 2026-11-28", "2026-11-28", "2026-11-28"),
        ("since 2026-11-01", "2026-11-01", "2026-12-01"),
        ("between 2026-11-01 and 2026-11-05", "2026-11-01", "2026-11-05"),
        ("from 3 November to 9 November", "2026-11-03", "2026-11-09"),
        ("on 24 December", "2025-12-24", "2025-12-24"),
        ("November 28th", "2026-11-28", "2026-11-28"),
        ("昨天", "2026-11-30", "2026-11-30"),
        ("前天卖得怎么样", "2026-11-29", "2026-11-29"),
        ("从周一开始", "2026-11-30", "2026-12-01"),
        ("周五以来", "2026-11-27", "2026-12-01"),
        ("上周五", "2026-11-27", "2026-11-27"),
        ("最近三天", "2026-11-28", "2026-12-01"),
        ("最近两周", "2026-11-17", "2026-12-01"),
        ("11月28日", "2026-11-28", "2026-11-28"),
        ("11月份", "2026-11-01", "2026-11-30"),
        ("2025年12月", "2025-12-01", "2025-12-31"),
        ("上个月", "2026-11-01", "2026-11-30"),
    ],
)
def test_a_span_of_time_is_read(text: str, first: str, last: str) -> None:
    found = find_period(text, NOW)
    assert found is not None
    assert (found.period.first_day, found.period.last_day) == (date.fromisoformat(first), date.fromisoformat(last))
    assert found.period.until <= NOW


@pytest.mark.parametrize("text", ["Why this price?", "it may move", "on 2026-02-30", "for 3 days", "为什么"])
def test_without_days_there_is_no_span(text: str) -> None:
    assert find_period(text, NOW) is None


@given(day=st.dates(date(2020, 1, 1), date(2026, 12, 1)))
def test_any_day_is_read_alone_and_leaves_the_other_words(day: date) -> None:
    found = find_period(f"bananas on {day.isoformat()} please", NOW)
    assert found is not None
    assert (found.period.first_day, found.period.last_day) == (day, day)
    assert found.rest.split() == ["bananas", "please"]


def test_the_usual_span_ends_now() -> None:
    assert recent(NOW, 7).since == NOW - timedelta(days=7)
