"""Rows of CSV, Parquet and NDJSON files, read one at a time with their line numbers."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as parquet
from pyarrow import ArrowException

from agent.service.ingest.errors import ImportFormatError

SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".ndjson", ".jsonl")
FREE_COLUMNS: Final = (".ndjson", ".jsonl")  # each row names its own columns
_BATCH: Final = 2_000
_SNIFFED: Final = 64 * 1024
_MAX_CELL: Final = 1_000_000
_MAX_LINE: Final = 8_000_000


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row; `line` counts lines of the file from 1, rows of a Parquet file. `problem` says why it is unreadable."""

    line: int
    cells: Mapping[str, Any]
    problem: str = ""


def read_rows(path: Path, mapping: Mapping[str, str] | None = None) -> Iterator[RawRow]:
    """Read rows, with columns renamed by `mapping` (theirs to ours); an unreadable row has a `problem`.

    Raises:
        ImportFormatError: The file is missing, or not in the format of its suffix.
    """
    if not path.is_file():
        raise ImportFormatError(f"no such file: {path}; remedy: check the path")
    reader = {
        ".csv": _csv,
        ".tsv": _csv,
        ".parquet": _parquet,
        ".ndjson": _ndjson,
        ".jsonl": _ndjson,
    }.get(path.suffix.lower())
    if reader is None:
        raise ImportFormatError(f"the suffix of {path.name} is {path.suffix!r}; allowed: {', '.join(SUFFIXES)}")
    renamed = dict(mapping or {})
    for row in reader(path):
        clash = next((ours for theirs, ours in renamed.items() if theirs in row.cells and ours in row.cells), None)
        if clash is not None:
            raise ImportFormatError(f"{path.name} has a column {clash} already; remedy: map no other column to it")
        yield RawRow(row.line, {renamed.get(name, name): cell for name, cell in row.cells.items()}, row.problem)


def expected_rows(path: Path) -> int:
    """Estimate the number of rows for a progress bar, from Parquet metadata or the length of the first lines.

    Returns 1 for an unreadable file, on which `read_rows` raises.
    """
    try:
        if path.suffix.lower() == ".parquet":
            return max(1, int(parquet.ParquetFile(path).metadata.num_rows))
        with path.open("rb") as handle:
            sample = handle.read(_SNIFFED)
        return max(1, round(sample.count(b"\n") * path.stat().st_size / max(1, len(sample))))
    except (OSError, ArrowException):
        return 1


def _csv(path: Path) -> Iterator[RawRow]:
    csv.field_size_limit(_MAX_CELL)
    with path.open(
        newline="", encoding="utf-8-sig", errors="surrogateescape"
    ) as handle:  # invalid bytes make one row bad, not the file
        sample = handle.read(_SNIFFED)
        handle.seek(0)
        reader = csv.reader(handle, delimiter=_delimiter(sample), strict=True)
        header = _header(path, reader)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield RawRow(line, {}, f"is not a CSV row: {error}")
                continue
            if cells is None:
                return
            if cells:
                yield RawRow(line, dict(zip(header, cells, strict=False)), _csv_problem(cells, header))


def _csv_problem(cells: list[str], header: list[str]) -> str:
    if len(cells) != len(header):
        return f"has {len(cells)} cells; allowed: {len(header)}, as in the header"
    return (
        ""
        if "".join(cells).isascii() or all(map(_is_unicode, cells))
        else "is not UTF-8; remedy: save the file as UTF-8"
    )


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _delimiter(sample: str) -> str:
    """The most frequent separator in the header."""
    header = sample.partition("\n")[0]
    return max(",;\t", key=header.count)


def _header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise ImportFormatError(
            f"the first line of {path.name} must name the columns, but it cannot be read: {error}"
        ) from None
    if not any(header):
        raise ImportFormatError(f"{path.name} has no header; remedy: name the columns in its first line")
    if not all(map(_is_unicode, header)):
        raise ImportFormatError(f"{path.name} is not UTF-8; remedy: save it as UTF-8")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ImportFormatError(
            f"{path.name} has several columns named {', '.join(twice)}; remedy: rename or drop all but one of each"
        )
    return header


def _parquet(path: Path) -> Iterator[RawRow]:
    try:
        with parquet.ParquetFile(path) as file:
            line = 0
            for batch in file.iter_batches(batch_size=_BATCH):
                for cells in batch.to_pylist():
                    line += 1
                    yield RawRow(line, cells)
    except (ArrowException, OSError) as error:
        raise ImportFormatError(f"{path.name} cannot be read as Parquet: {str(error)[:200]}") from None


def _ndjson(path: Path) -> Iterator[RawRow]:
    with path.open("rb") as handle:
        for line, raw in enumerate(iter(partial(handle.readline, _MAX_LINE), b""), 1):
            if not raw.strip():
                continue
            if len(raw) == _MAX_LINE:
                raise ImportFormatError(f"line {line} of {path.name} is too long; allowed: {_MAX_LINE:,} bytes")
            try:
                value = json.loads(raw.decode("utf-8-sig"))
            except (UnicodeDecodeError, ValueError, RecursionError) as error:
                yield RawRow(line, {}, f"is not JSON: {str(error)[:120]}")
                continue
            if isinstance(value, dict):
                yield RawRow(line, value)
            else:
                yield RawRow(line, {}, "is not a JSON object")
