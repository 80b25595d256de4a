"""Rows of CSV, Parquet and NDJSON files under the file's own column names, read one at a time with line numbers."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from agent.service.ingest.csv_records import GZIP, SAMPLE, open_bytes, records
from agent.service.ingest.errors import ImportFormatError

if TYPE_CHECKING:
    import pyarrow

SUFFIXES: Final = (".csv", ".tsv", ".parquet", ".ndjson", ".jsonl")
_PACKED: Final = (".csv", ".tsv", ".ndjson", ".jsonl")
_FREE: Final = (".ndjson", ".jsonl")
_BATCH: Final = 2_000
_MOST_KEPT: Final = 10_000  # sets of names
_PACKING: Final = 5  # usual ratio of text to its packed form
_MAX_LINE: Final = 8_000_000
_REMEDIES: Final = {".xlsx": "save the sheet as CSV", ".xls": "save the sheet as CSV", ".zip": "unpack it"}


class FileRow(NamedTuple):
    """One row; `line` counts lines of the file from 1, rows of a Parquet file. `problem` says why it is unreadable.

    Rows with the same columns share `names`.
    """

    line: int
    names: tuple[str, ...]
    values: Sequence[Any]
    problem: str = ""


class File(NamedTuple):
    """A file that is open for reading.

    Attributes:
        free: Whether each row names its own columns; else `names` are those of all.
    """

    names: tuple[str, ...]
    rows: Iterator[FileRow]
    free: bool = False


def open_file(path: Path) -> File:
    """Open a file by its suffix.

    Raises:
        ImportFormatError: The file is missing, or not in the format of its suffix; also while its rows are read.
    """
    if not path.is_file():
        raise ImportFormatError(f"no such file: {path}; remedy: check the path")
    suffix = suffix_of(path)
    readers: dict[str, Callable[[Path], File]] = {
        ".csv": _csv,
        ".tsv": _csv,
        ".parquet": _parquet,
        ".ndjson": _ndjson,
        ".jsonl": _ndjson,
    }
    if suffix not in readers:
        packed = f", and {', '.join(f'{one}{GZIP}' for one in _PACKED)}"
        remedy = _REMEDIES.get(path.suffix.lower(), "")
        raise ImportFormatError(
            f"the suffix of {path.name} is {path.suffix!r}; allowed: {', '.join(SUFFIXES)}{packed}"
            + (f"; remedy: {remedy}" if remedy else "")
        )
    return readers[suffix](path)


def suffix_of(path: Path) -> str:
    """The suffix that names the format; that before .gz where text is packed."""
    last = path.suffix.lower()
    inner = Path(path.stem).suffix.lower()
    return inner if last == GZIP and inner in _PACKED else last


def expected_rows(path: Path) -> int:
    """Estimate the number of rows for a progress bar, from Parquet metadata or the length of the first lines.

    Returns 1 for an unreadable file, on which `open_file` raises.
    """
    from pyarrow import ArrowException, parquet  # loads slowly: not for help texts

    try:
        if path.suffix.lower() == ".parquet":
            return max(1, int(parquet.ParquetFile(path).metadata.num_rows))
        with open_bytes(path) as handle:
            sample = handle.read(SAMPLE)
        size = path.stat().st_size * (_PACKING if path.suffix.lower() == GZIP and len(sample) == SAMPLE else 1)
        return max(1, round(sample.count(b"\n") * max(size, len(sample)) / max(1, len(sample))))
    except (OSError, EOFError, ArrowException):
        return 1


def _csv(path: Path) -> File:
    found = records(path)
    header = next(found, None)
    if header is not None and header.problem:
        raise ImportFormatError(
            f"the first line of {path.name} must name the columns, but it {header.problem.partition(';')[0]}"
        )
    names = tuple(name.strip() for name in header.cells) if header is not None else ()
    if not any(names):
        raise ImportFormatError(f"{path.name} has no header; remedy: name the columns in its first line")
    if not all(map(_is_unicode, names)):
        raise ImportFormatError(f"{path.name} is not UTF-8; remedy: save it as UTF-8")
    _check_names(path, names)

    def rows() -> Iterator[FileRow]:
        width = len(names)
        for line, cells, problem in found:
            if problem or len(cells) != width or not "".join(cells).isascii():
                yield FileRow(line, names, cells, problem or _problem(cells, width))
            else:
                yield FileRow(line, names, cells)

    return File(names, rows())


def _problem(cells: list[str], width: int) -> str:
    if len(cells) != width:
        return f"has {len(cells)} cells; allowed: {width}, as in the header"
    return "" if all(map(_is_unicode, cells)) else "is not UTF-8; remedy: save the file as UTF-8"


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def _check_names(path: Path, names: Sequence[str]) -> None:
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise ImportFormatError(
            f"{path.name} has several columns named {', '.join(twice)}; remedy: rename or drop all but one of each"
        )


def _parquet(path: Path) -> File:
    from pyarrow import ArrowException, parquet  # loads slowly: not for help texts

    try:
        file = parquet.ParquetFile(path)
        names = tuple(file.schema_arrow.names)
    except (ArrowException, OSError) as error:
        raise _no_parquet(path, error) from None
    _check_names(path, names)

    def rows() -> Iterator[FileRow]:
        line = 0
        try:
            with file:
                for batch in file.iter_batches(batch_size=_BATCH):
                    for values in zip(*map(_values, batch.columns), strict=True):
                        line += 1
                        yield FileRow(line, names, values)
        except (ArrowException, OSError, UnicodeError) as error:
            raise _no_parquet(path, error) from None

    return File(names, rows())


def _values(column: "pyarrow.Array") -> list[Any]:
    """Cells as Python objects; times to the microsecond, as Python has no finer ones."""
    import pyarrow

    kind = column.type
    if pyarrow.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(pyarrow.timestamp("us", kind.tz), safe=False)
    return list(column.to_pylist())


def _no_parquet(path: Path, error: Exception) -> ImportFormatError:
    return ImportFormatError(f"{path.name} cannot be read as Parquet: {str(error)[:200]}")


def _ndjson(path: Path) -> File:
    def rows() -> Iterator[FileRow]:
        kept: dict[tuple[str, ...], tuple[str, ...]] = {}
        try:
            with open_bytes(path) as handle:
                for line, raw in enumerate(_lines(path, handle), 1):
                    if raw.strip():
                        yield _object(line, raw, kept)
        except EOFError as error:
            raise ImportFormatError(f"{path.name} cannot be unpacked: {error}") from None

    return File((), rows(), free=True)


def _lines(path: Path, handle: IO[bytes]) -> Iterator[bytes]:
    for line, raw in enumerate(iter(partial(handle.readline, _MAX_LINE), b""), 1):
        if len(raw) == _MAX_LINE:
            raise ImportFormatError(f"line {line} of {path.name} is too long; allowed: {_MAX_LINE:,} bytes")
        yield raw


def _object(line: int, raw: bytes, kept: dict[tuple[str, ...], tuple[str, ...]]) -> FileRow:
    """The row of one line; `kept` holds the names of earlier rows, so that equal ones are the same object."""
    try:
        value = _DECODER.decode(raw.decode("utf-8-sig").strip())
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        return FileRow(line, (), (), f"is not JSON: {str(error)[:120]}")
    if not isinstance(value, _Pairs):
        return FileRow(line, (), (), "is not a JSON object")
    if value.twice:
        return FileRow(line, (), (), f"has the key {value.twice!r} twice; allowed: once")
    names = tuple(value)
    if len(kept) < _MOST_KEPT:
        names = kept.setdefault(names, names)
    return FileRow(line, names, tuple(value.values()))


class _Pairs(dict[str, Any]):
    """A JSON object; `twice` is a key that it or an object inside it has more than once."""

    __slots__ = ("twice",)

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice = ""
        if len(self) < len(pairs):
            names = [name for name, _ in pairs]
            self.twice = next(name for name in names if names.count(name) > 1)
        else:
            self.twice = next((one.twice for one in self.values() if isinstance(one, _Pairs) and one.twice), "")


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_Pairs)
