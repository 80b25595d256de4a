"""Rows of a file under our column names."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

from agent.service.ingest.columns import RowKind
from agent.service.ingest.errors import ImportFormatError
from agent.service.ingest.headers import GROUPS, Headers
from agent.service.ingest.near_misses import spelled
from agent.service.ingest.raw_rows import RawRow
from agent.service.ingest.readers import File, FileRow, open_file
from agent.service.ingest.reading import Reading
from agent.service.ingest.shop_exports import converted, recognise

_SEEN_FIRST: Final = 1_000  # rows with columns of their own, from which those of the file are known


class Table(NamedTuple):
    """A file's column names (of its first rows, where each has its own), those of ours among them, and its rows."""

    names: tuple[str, ...]
    ours: frozenset[str]
    rows: Iterator[RawRow]


def read_table(path: Path, kind: RowKind, reading: Reading) -> Table:
    """Open a file and find our columns in it; what is not used is noted.

    Raises:
        ImportFormatError: The file is missing, not in the format of its suffix, or its columns do not fit the options
            or the kind; also while its rows are read.
    """
    file = _flat(open_file(path))
    names, rows = file.names, file.rows
    if file.free:
        first = list(islice(rows, _SEEN_FIRST))
        names, rows = tuple(dict.fromkeys(chain.from_iterable(row.names for row in first))), chain(first, rows)
    options = reading.options
    if options.shop is not None:
        if kind is not RowKind.PRODUCTS:
            raise ImportFormatError(f"--from reads products; remedy: leave it out for {kind}")
        names, rows = converted(options.shop, path.name, (names, rows), reading)
    elif kind is RowKind.PRODUCTS and not options.mapping and (shop := recognise(names)) is not None:
        raise ImportFormatError(f"{path.name} looks like a product export of {shop}; remedy: --from {shop}")
    headers = Headers(kind, options, reading.notes, file.free)
    ours = headers.check(path.name, names)
    return Table(names, ours, _rows(rows, headers, tuple(options.constants.values())))


def _rows(rows: Iterator[FileRow], headers: Headers, constants: tuple[str, ...]) -> Iterator[RawRow]:
    names: tuple[str, ...] | None = None
    layout = headers.layout(())
    unnamed: set[int] = set()
    for line, theirs, values, problem in rows:
        if theirs is not names and not problem:
            try:
                layout = headers.layout(theirs)
            except ImportFormatError as error:
                names, problem = None, str(error)
            else:
                names = theirs
                unnamed = {position for position, name in enumerate(theirs) if not name.strip()}
        if problem:
            yield RawRow(line, {}, layout, theirs, values, problem)
            continue
        for position in [one for one in unnamed if str(values[one] or "").strip()]:
            unnamed.discard(position)
            headers.notes.ignore(f"column {position + 1}", "has no name")
        cells = layout.cells((*values, *constants) if constants else values)
        yield RawRow(line, cells, layout, theirs, values)


def _flat(file: File) -> File:
    """The file with objects in cells `profile`, `context` and `attributes` as columns `profile.X` and so on."""

    def rows() -> Iterator[FileRow]:
        last: tuple[str, ...] | None = None
        nested: list[int] = []
        for row in file.rows:
            if row.names is not last:
                last, nested = row.names, [at for at, name in enumerate(row.names) if spelled(name) in GROUPS]
            yield _spread(row, nested) if any(isinstance(row.values[at], dict) for at in nested) else row

    may_nest = file.free or any(spelled(name) in GROUPS for name in file.names)
    return file._replace(rows=rows()) if may_nest else file


def _spread(row: FileRow, nested: Sequence[int]) -> FileRow:
    names, values = list(row.names), list(row.values)
    for at in reversed(nested):
        value = values[at]
        if isinstance(value, dict):
            cells = list(_cells(spelled(row.names[at]), value))
            names[at : at + 1] = [name for name, _ in cells]
            values[at : at + 1] = [cell for _, cell in cells]
    twice = next((name for name in names if names.count(name) > 1), None)
    problem = f"has {twice!r} twice; allowed: once" if twice is not None else row.problem
    return FileRow(row.line, tuple(names), values, problem)


def _cells(group: str, value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and values of an object's cells; the one object within an object is `context.promotion`."""
    for name, cell in value.items():
        if isinstance(cell, dict) and f"{group}.{name}" == "context.promotion":
            yield from ((f"{group}.{name}.{inner}", one) for inner, one in cell.items())
        else:
            yield f"{group}.{name}", cell
