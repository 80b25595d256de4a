import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from agent.store import InvalidRecord, Store
from agent.store.column_types import JsonObject, UtcMicros
from tests.agent.store.builders import event, outcome, product

_ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
_TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=_ZONES)


@given(_TIMES)
def test_times_survive_to_the_microsecond(at: datetime) -> None:
    column, dialect = UtcMicros(), sqlite.dialect()

    read = column.process_result_value(column.process_bind_param(at, dialect), dialect)

    assert read == at
    assert read.tzinfo is UTC


@given(_TIMES, _TIMES)
def test_stored_times_keep_their_order(one: datetime, other: datetime) -> None:
    column, dialect = UtcMicros(), sqlite.dialect()
    first, second = (column.process_bind_param(at, dialect) for at in (one, other))

    assert first is not None
    assert second is not None
    assert (first < second) == (one < other)


@given(st.dictionaries(st.text(), st.text() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False)))
def test_attributes_survive_and_lie_in_the_column_as_ascii(attributes: dict[str, str | float | bool]) -> None:
    column, dialect = JsonObject(), sqlite.dialect()
    text = column.process_bind_param(attributes, dialect)

    assert text is not None
    assert text.isascii()
    assert "\x00" not in text
    assert column.process_result_value(text, dialect) == attributes


def test_a_time_without_zone_is_refused_and_nothing_stored(store: Store) -> None:
    with pytest.raises(InvalidRecord, match="no time zone"):
        store.append_events([event(), event(at=datetime(2026, 1, 1))])

    assert store.shopper_events("s1") == []


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused(store: Store, number: float) -> None:
    with pytest.raises(InvalidRecord, match="finite"):
        store.upsert_products([product(rating=number)])
    with pytest.raises(InvalidRecord):
        store.upsert_products([product(attributes={"size": number})])
    with pytest.raises(InvalidRecord, match="finite"):
        store.record_outcomes([outcome(propensity=number)])

    assert store.product_count() == 0
    assert list(store.outcomes_since(0)) == []


@pytest.mark.parametrize("title", ["\ud800"], ids=["lone surrogate"])
def test_text_that_is_not_unicode_is_refused(store: Store, title: str) -> None:
    with pytest.raises(InvalidRecord):
        store.upsert_products([product(title=title)])


def test_integers_beyond_64_bits_are_refused(store: Store) -> None:
    with pytest.raises(InvalidRecord):
        store.upsert_products([product(list_minor=2**63)])
