"""Conversion between records and rows: a record's fields are columns of the same names."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import Field, fields
from itertools import islice
from operator import attrgetter
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from sqlalchemy import Column, Row, Table

IN_LIMIT: Final = 1_000  # values in one IN list, far below the databases' limits on parameters


class _Record(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]


R = TypeVar("R", bound=_Record)
T = TypeVar("T")


class RecordTable(Generic[R]):
    """Converts records of one dataclass to parameters of a table, and rows to records."""

    def __init__(self, record_type: type[R], table: Table) -> None:
        """The table needs a column for every field, and may have more."""
        names = [field.name for field in fields(record_type)]
        self.columns: Sequence[Column[Any]] = [table.c[name] for name in names]
        self._record_type = record_type
        self._names = names
        self._values = attrgetter(*names)

    def parameters(self, records: Iterable[R]) -> list[dict[str, Any]]:
        """One set of parameters a record."""
        return [dict(zip(self._names, self._values(record), strict=True)) for record in records]

    def record(self, row: Row[Any] | Sequence[Any], start: int = 0) -> R:
        """The record whose fields begin at column `start` of the row."""
        return self._record_type(*row[start:])


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def stored_forms(id: str) -> list[str]:
    """Forms of an id in sealed rows: releases before the normal form kept characters as they were composed."""
    return sorted({id, unicodedata.normalize("NFD", id)})
