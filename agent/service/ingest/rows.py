"""Rows of CSV, Parquet and NDJSON files, one at a time, with the line each came from."""

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
LOOSE: Final = (".ndjson", ".jsonl")  # each row names its own columns
_BATCH: Final = 2_000
_SNIFFED: Final = 64 * 1024
_MAX_CELL: Final = 1_000_000
_MAX_LINE: Final = 8_000_000


@dataclass(frozen=True, slots=True)
class RawRow:
    """One row: where it stood (1 is the first line of the file, or the first row of a Parquet file) and its cells."""

    line: int
    cells: Mapping[str, Any]
    problem: str = ""


def read_rows(path: Path, mapping: Mapping[str, str] | None = None) -> Iterator[RawRow]:
    """Rows with their columns renamed by `mapping` (theirs to ours); a row that cannot be read carries its problem.

    Raises:
        ImportFormatError: The file cannot be read as what its name says.
    """
    if not path.is_file():
        raise ImportFormatError(f"there is no file {path}")
    reader = {
        ".csv": _csv,
        ".tsv": _csv,
        ".parquet": _parquet,
        ".ndjson": _ndjson,
        ".jsonl": _ndjson,
    }.get(path.suffix.lower())
    if reader is None:
        raise ImportFormatError(f"{path.name} ends in {path.suffix!r}; allowed: {', '.join(SUFFIXES)}")
    renamed = dict(mapping or {})
    for row in reader(path):
        clash = next((ours for theirs, ours in renamed.items() if theirs in row.cells and ours in row.cells), None)
        if clash is not None:
            raise ImportFormatError(f"{path.name} has a column {clash} already; remedy: rename another column to it")
        yield RawRow(row.line, {renamed.get(name, name): cell for name, cell in row.cells.items()}, row.problem)


def expected_rows(path: Path) -> int:
    """About how many rows a file has, for a progress bar: as Parquet says, else by the length of its first lines.

    1 where it cannot be told; `read_rows` says why.
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
    with path.open(newline="", encoding="utf-8-sig", errors="surrogateescape") as handle:  # bad bytes spoil a row only
        sample = handle.read(_SNIFFED)
        handle.seek(0)
        reader = csv.reader(handle, delimiter=_delimiter(sample), strict=True)
        header = _header(path, reader)
        while True:
            line = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield RawRow(line, {}, f"is no CSV row: {error}")
                continue
            if cells is None:
                return
            if cells:
                yield RawRow(line, dict(zip(header, cells, strict=False)), _csv_problem(cells, header))


def _csv_problem(cells: list[str], header: list[str]) -> str:
    if len(cells) != len(header):
        return f"{len(cells)} cells, the header has {len(header)}"
    return "" if "".join(cells).isascii() or all(map(_is_unicode, cells)) else "is not UTF-8"


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _delimiter(sample: str) -> str:
    """The separator that the header has most of."""
    header = sample.partition("\n")[0]
    return max(",;\t", key=header.count)


def _header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise ImportFormatError(f"{path.name}: its first line must name the columns, but {error}") from None
    if not any(header):
        raise ImportFormatError(f"{path.name} is empty; its first line must name the columns")
    if not all(map(_is_unicode, header)):
        raise ImportFormatError(f"{path.name} is not UTF-8; remedy: save it as UTF-8")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ImportFormatError(f"{path.name} names columns twice: {', '.join(twice)}")
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
                raise ImportFormatError(f"{path.name}: line {line} is longer than {_MAX_LINE:,} bytes")
            try:
                value = json.loads(raw.decode("utf-8-sig"))
            except (UnicodeDecodeError, ValueError, RecursionError) as error:
                yield RawRow(line, {}, f"not JSON: {str(error)[:120]}")
                continue
            if isinstance(value, dict):
                yield RawRow(line, value)
            else:
                yield RawRow(line, {}, "not a JSON object")
