"""Times are read with their zone, or one that an option gives."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.service.ingest.errors import ImportFormatError
from agent.service.ingest.reading import Note, Reading, ReadingOptions, read_timezone
from agent.service.ingest.times import TimeError, read_time
from tests.agent.service.ingest.builders import nothing_stored

BERLIN = ZoneInfo("Europe/Berlin")


def reading(**options: Any) -> Reading:
    return Reading(ReadingOptions(**options), nothing_stored, datetime.now(UTC))


@pytest.mark.parametrize(
    ("value", "options", "utc"),
    [
        ("2026-01-31T12:00:00Z", {}, "2026-01-31T12:00:00"),
        ("2026-01-31 12:00:00+01:00", {}, "2026-01-31T11:00:00"),
        ("2026-01-31t12:00:00.123456789z", {}, "2026-01-31T12:00:00.123456"),
        ("2026-01-31 12:00:00", {"timezone": BERLIN}, "2026-01-31T11:00:00"),
        ("2026-07-31", {"timezone": BERLIN}, "2026-07-30T22:00:00"),
        (date(2026, 7, 31), {"timezone": BERLIN}, "2026-07-30T22:00:00"),
        (datetime(2026, 7, 31, 12), {"timezone": BERLIN}, "2026-07-31T10:00:00"),
        ("01/31/2026", {"timezone": BERLIN, "date_format": "%m/%d/%Y"}, "2026-01-30T23:00:00"),
        ("31.01.2026 12:00 +0200", {"date_format": "%d.%m.%Y %H:%M %z"}, "2026-01-31T10:00:00"),
        (1769860800, {"date_format": "epoch-seconds"}, "2026-01-31T12:00:00"),
        ("1769860800500", {"date_format": "epoch-milliseconds"}, "2026-01-31T12:00:00.500"),
    ],
)
def test_a_time_is_read(value: Any, options: dict[str, Any], utc: str) -> None:
    assert read_time(value, reading(**options)) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "options", "told"),
    [
        ("2026-01-31T12:00:00", {}, "--timezone"),
        ("2026-01-31", {}, "--timezone"),
        (datetime(2026, 1, 31), {}, "--timezone"),
        ("01/31/2026", {}, "--date-format"),
        ("31.01.2026", {"timezone": BERLIN}, "--date-format"),
        ("2026-01-31T12:00:00Z", {"date_format": "%m/%d/%Y"}, "--date-format"),
        (1769860800, {}, "epoch-seconds"),
        ("1769860800", {}, "not a time"),
        ("20260131", {"timezone": BERLIN}, "not a time"),
        ("soon", {"date_format": "epoch-seconds"}, "digits"),
        ("2026-03-29T02:30:00", {"timezone": BERLIN}, "never was"),
        ("1989-01-01T00:00:00Z", {}, "1990"),
        (True, {}, "not a time"),
        (b"2026", {}, "not a time"),
        (10**14, {"date_format": "epoch-seconds"}, "out of range"),
    ],
)
def test_what_is_not_surely_a_time_is_refused_with_the_remedy(value: Any, options: dict[str, Any], told: str) -> None:
    with pytest.raises(TimeError, match=told):
        read_time(value, reading(**options))


def test_a_local_time_that_comes_twice_is_the_earlier_and_noted() -> None:
    asked = reading(timezone=BERLIN)
    assert read_time("2026-10-25 02:30:00", asked) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert asked.notes.counts == {Note.TWICE: 1}


@given(
    st.datetimes(datetime(1991, 1, 1), datetime(2099, 1, 1)),
    st.sampled_from(("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC")),
)
def test_a_local_time_is_shown_again_by_its_zone_or_refused(at: datetime, zone: str) -> None:
    try:
        found = read_time(at.isoformat(), reading(timezone=ZoneInfo(zone)))
    except TimeError:
        return
    assert found.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) == at


def test_options_that_name_nothing_are_refused() -> None:
    with pytest.raises(ImportFormatError, match="Europe/Berlin"):
        read_timezone("Berlin")
    with pytest.raises(ImportFormatError, match="epoch-seconds"):
        ReadingOptions(date_format="mm/dd/yyyy")
    with pytest.raises(ImportFormatError, match="--currency"):
        ReadingOptions(currency="EURO")
