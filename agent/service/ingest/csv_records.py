"""Records of CSV files as spreadsheets and scripts write them: encoding, delimiter, quotes that never close."""

import csv
import gzip
from collections import deque
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final, NamedTuple, cast

from agent.service.ingest.errors import ImportFormatError

SAMPLE: Final = 64 * 1024
GZIP: Final = ".gz"
_MAX_CELL: Final = 1_000_000
_DELIMITERS: Final = ",;\t|"
_SAMPLED_ROWS: Final = 50
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


class Record(NamedTuple):
    """Cells of one record; `line` is its first line, counted from 1. `problem` says why it is unreadable."""

    line: int
    cells: list[str]
    problem: str = ""


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, unpacked where its name ends in .gz."""
    return cast("IO[bytes]", gzip.GzipFile(path)) if path.suffix.lower() == GZIP else path.open("rb")


def records(path: Path) -> Iterator[Record]:
    """Records of a file, the header first.

    Raises:
        ImportFormatError: The file is not text, or not packed as its name says.
    """
    csv.field_size_limit(_MAX_CELL)
    try:
        with open_bytes(path) as handle:
            encoding = _encoding(path, handle)
            # Invalid bytes of UTF-8 make one row bad, not the file.
            errors = "surrogateescape" if encoding == "utf-8-sig" else "strict"
            with TextIOWrapper(handle, encoding, errors, newline="") as text:
                yield from _records(text)
    except (gzip.BadGzipFile, EOFError) as error:
        raise ImportFormatError(f"{path.name} cannot be unpacked: {error}") from None
    except UnicodeError as error:
        raise ImportFormatError(f"{path.name} is not text: {error}; remedy: save it as UTF-8") from None


def _encoding(path: Path, handle: IO[bytes]) -> str:
    """UTF-16 where the file says so, as Excel's "Unicode text" does; else UTF-8."""
    start = handle.read(SAMPLE)
    handle.seek(0)
    if start.startswith(_UTF_16):
        return "utf-16"
    if start.count(0) * 4 > len(start):
        raise ImportFormatError(f"{path.name} is not UTF-8 text; remedy: save it as CSV in UTF-8")
    return "utf-8-sig"


def _records(text: TextIOWrapper) -> Iterator[Record]:
    ahead = list(islice(text, _SAMPLED_ROWS))
    named = _named_delimiter(ahead[0]) if ahead else None
    lines = _Lines(chain(ahead[1:] if named else ahead, text), first=2 if named else 1)
    delimiter = named or delimiter_of(ahead)
    width = 0
    while True:
        lines.start()
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        for cells in _whole(reader, lines, width):
            width = width or len(cells.cells)
            yield cells
        if lines.ended:
            return


def _whole(reader: Iterator[list[str]], lines: "_Lines", width: int) -> Iterator[Record]:
    """Records up to one that cannot be read, of which one line is dropped and the rest read again by a new reader."""
    for cells in _or_problem(reader):
        taken = len(lines.taken)
        is_broken = isinstance(cells, str) or (taken > 1 and bool(width) and len(cells) != width)
        if is_broken:
            what = cells if isinstance(cells, str) else f"has {len(cells)} cells"
            yield Record(lines.line, [], _broken(lines.taken, what))
            lines.give_back()
            return
        if cells and not isinstance(cells, str):
            yield Record(lines.line, cells)
            width = width or len(cells)
        lines.start()


def _or_problem(reader: Iterator[list[str]]) -> Iterator[list[str] | str]:
    """Rows of a reader, and at the end the problem that stopped it, if any."""
    try:
        yield from reader
    except csv.Error as error:
        yield str(error)


def _broken(taken: Sequence[str], what: str) -> str:
    if len(taken) > 1 or "end of data" in what:
        return f"opens a quote that does not close in the row ({what}); remedy: double quotes inside a cell, close it"
    return f"is not a CSV row: {what}"


class _Lines:
    """Lines of a file, those of the record that is being read kept, so that all but its first can be read again."""

    def __init__(self, lines: Iterator[str], first: int) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self.taken: list[str] = []
        self.line = first
        self.ended = False

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines, None)
        if line is None:
            self.ended = True
            raise StopIteration
        self.taken.append(line)
        return line

    def start(self) -> None:
        """Begin a record after the lines that were taken."""
        self.line += len(self.taken)
        self.taken.clear()

    def give_back(self) -> None:
        """Let all lines of the record but its first be read again."""
        if len(self.taken) > 1:
            self._again.extendleft(reversed(self.taken[1:]))
            self.ended = False
        del self.taken[1:]


def delimiter_of(lines: Sequence[str]) -> str:
    """The delimiter under which most rows have the width of the header, the widest of several; quotes are heeded."""

    def fit(delimiter: str) -> tuple[float, int]:
        rows = [row for row in _or_problem(csv.reader(lines, delimiter=delimiter)) if row and not isinstance(row, str)]
        width = len(rows[0]) if rows else 0
        if width < 2:
            return 0.0, 0
        return sum(len(row) == width for row in rows) / len(rows), width

    return max(_DELIMITERS, key=fit)


def _named_delimiter(line: str) -> str | None:
    """The delimiter that a line `sep=;` of Excel names; None for any other line."""
    text = line.rstrip("\r\n").strip('"')
    return text[4:] if len(text) == 5 and text.casefold().startswith("sep=") else None
