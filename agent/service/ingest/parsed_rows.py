"""Valid rows as records, beside the form in which they were read."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from agent.domain.records import EventRecord, ShopperRecord
from agent.service.ingest.raw_rows import RawRow

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ParsedEvent:
    """An event, and the shopper's profile where the row has one."""

    event: EventRecord
    shopper: ShopperRecord | None


@dataclass(frozen=True, slots=True)
class ParsedRow(Generic[T]):
    """A valid row as read and as a record."""

    raw: RawRow
    record: T
