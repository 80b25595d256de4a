"""Column types: times as integer microseconds, finite floats, enums and JSON objects as text."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import BigInteger, Float, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from agent.domain.records import Attribute
from agent.store.errors import InvalidRecord

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class UtcMicros(TypeDecorator[datetime]):
    """A time as microseconds since 1970 UTC: exact, ordered, and equal on every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Convert to microseconds; times without time zone are refused."""
        return None if value is None else micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Convert to an aware UTC time."""
        return None if value is None else from_micros(value)


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC.

    Raises:
        InvalidRecord: The time has no time zone.
    """
    if at.tzinfo is None:
        raise InvalidRecord(f"the time {at.isoformat()} has no time zone; allowed: times with one, such as UTC")
    return (at - _EPOCH) // _MICROSECOND


def from_micros(value: int) -> datetime:
    """A time from microseconds since 1970 UTC."""
    return _EPOCH + timedelta(microseconds=value)


class FiniteFloat(TypeDecorator[float]):
    """A double that is never NaN nor infinite (SQLite would silently turn NaN into NULL)."""

    impl = Float(53)
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        """Refuse NaN and infinities."""
        if value is not None and not math.isfinite(value):
            raise ValueError(f"the number {value} cannot be stored; allowed: finite numbers")
        return value


class EnumText(TypeDecorator[StrEnum]):
    """A string enum as text: a database enum would need a migration for every new member."""

    impl = Text
    cache_ok = True

    def __init__(self, enum: type[StrEnum]) -> None:
        """Store members of `enum`."""
        super().__init__()
        self.enum = enum
        self._members = {member.value: member for member in enum}  # ten times as fast as calling the enum

    def process_bind_param(self, value: StrEnum | None, dialect: Dialect) -> str | None:
        """Convert to plain text, as drivers treat enum members differently."""
        return None if value is None else value.value

    def process_result_value(self, value: Any, dialect: Dialect) -> StrEnum | None:
        """Convert to the member."""
        return None if value is None else self._members[value]


class JsonObject(TypeDecorator[Mapping[str, Attribute]]):
    """A flat attribute map as JSON text, escaped to ASCII so that every database can store it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Mapping[str, Attribute] | None, dialect: Dialect) -> str | None:
        """Convert to JSON; NaN is refused."""
        if value is None:
            return None
        return json.dumps(dict(value), allow_nan=False, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Mapping[str, Attribute] | None:
        """Convert to a map."""
        if value is None:
            return None
        attributes: dict[str, Attribute] = json.loads(value)
        return attributes
