"""Between records and rows: a record's fields are columns of the same names."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import Field, fields
from itertools import islice
from operator import attrgetter
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from sqlalchemy import Column, ColumnElement, Row, Select, Table, literal, tuple_

from agent.store.engine import Database

IN_LIMIT: Final = 1_000  # values in one IN list, far below each database's limit on parameters


class _Record(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


R = TypeVar("R", bound=_Record)
T = TypeVar("T")


class Repository:
    """What each part of the store stands on."""

    def __init__(self, database: Database) -> None:
        """Use `database`, whose schema is up to date."""
        self._db = database

    def _paged(
        self, query: Select[Any], keys: Sequence[Column[Any]], batch: int, start: Sequence[object] = ()
    ) -> Iterator[Row[Any]]:
        """Rows by `keys`, those beyond `start` only. The keys are unique together and among the columns selected.

        Each batch is its own short read: a slow or abandoned reader holds nothing.
        """
        ordered = query.order_by(*keys).limit(batch)
        while True:
            page = ordered.where(_beyond(keys, start)) if start else ordered
            with self._db.read() as connection:
                rows = connection.execute(page).all()
            yield from rows
            if len(rows) < batch:
                return
            start = [rows[-1]._mapping[key] for key in keys]


class RecordTable(Generic[R]):
    """Turns records of one frozen dataclass into parameters of a table, and rows back into records."""

    def __init__(self, record_type: type[R], table: Table) -> None:
        """Every field must have a column; further columns (`seq`) are the table's own."""
        names = [field.name for field in fields(record_type)]
        self.columns: Sequence[Column[Any]] = [table.c[name] for name in names]
        self._record_type = record_type
        self._names = names
        self._values = attrgetter(*names)

    def parameters(self, records: Iterable[R]) -> list[dict[str, Any]]:
        """One parameter set a record."""
        return [dict(zip(self._names, self._values(record), strict=True)) for record in records]

    def record(self, row: Row[Any], start: int = 0) -> R:
        """The record whose fields begin at column `start` of the row."""
        return self._record_type(*row[start:])


def _beyond(keys: Sequence[Column[Any]], start: Sequence[object]) -> ColumnElement[bool]:
    bounds = [literal(value, key.type) for key, value in zip(keys, start, strict=True)]
    return keys[0] > bounds[0] if len(keys) == 1 else tuple_(*keys) > tuple_(*bounds)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
