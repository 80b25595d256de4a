"""Rows of CSV, Parquet and NDJSON files, one at a time, with the line each came from."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as parquet
from pyarrow import ArrowInvalid

from agent.importing.errors import ImportFormatError

SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".ndjson", ".jsonl")
_BATCH: Final = 2_000
_SNIFFED: Final = 64 * 1024
_MAX_CELL: Final = 1_000_000


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
        yield RawRow(row.line, {renamed.get(name, name): cell for name, cell in row.cells.items()}, row.problem)


def _csv(path: Path) -> Iterator[RawRow]:
    csv.field_size_limit(_MAX_CELL)
    with path.open(newline="", encoding="utf-8-sig") as handle:
        try:
            sample = handle.read(_SNIFFED)
            handle.seek(0)
            reader = csv.reader(handle, delimiter=_delimiter(sample), strict=True)
            header = [name.strip() for name in next(reader, [])]
            _check_header(path, header)
            line = reader.line_num + 1
            for cells in reader:
                start, line = line, reader.line_num + 1
                if not cells:
                    continue
                if len(cells) != len(header):
                    problem = f"{len(cells)} cells, the header has {len(header)}"
                    yield RawRow(start, dict(zip(header, cells, strict=False)), problem)
                    continue
                yield RawRow(start, dict(zip(header, cells, strict=True)))
        except UnicodeDecodeError as error:
            raise ImportFormatError(f"{path.name} is not UTF-8: byte {error.start} cannot be read") from None
        except csv.Error as error:
            raise ImportFormatError(f"{path.name}: {error}") from None


def _delimiter(sample: str) -> str:
    """The separator that the header has most of."""
    header = sample.partition("\n")[0]
    return max(",;\t", key=header.count)


def _check_header(path: Path, header: list[str]) -> None:
    if not header or not any(header):
        raise ImportFormatError(f"{path.name} is empty; its first line must name the columns")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise ImportFormatError(f"{path.name} names columns twice: {', '.join(twice)}")


def _parquet(path: Path) -> Iterator[RawRow]:
    try:
        with parquet.ParquetFile(path) as file:
            line = 0
            for batch in file.iter_batches(batch_size=_BATCH):
                for cells in batch.to_pylist():
                    line += 1
                    yield RawRow(line, cells)
    except ArrowInvalid as error:
        raise ImportFormatError(f"{path.name} is no Parquet file: {str(error)[:200]}") from None


def _ndjson(path: Path) -> Iterator[RawRow]:
    with path.open("rb") as handle:
        for line, raw in enumerate(handle, 1):
            if not raw.strip():
                continue
            try:
                value = json.loads(raw.decode("utf-8-sig"))
            except (UnicodeDecodeError, ValueError, RecursionError) as error:
                yield RawRow(line, {}, f"not JSON: {str(error)[:120]}")
                continue
            if isinstance(value, dict):
                yield RawRow(line, value)
            else:
                yield RawRow(line, {}, "not a JSON object")
