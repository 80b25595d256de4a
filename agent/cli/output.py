"""Output of commands: tables and progress for people, JSON for programs."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from models.progress import Progress

if TYPE_CHECKING:
    from agent.store import StoreKind

_WIDEST: Final = 400
_JUDGED_AFTER_S: Final = 2.0
_A_MINUTE_AND_HALF_S: Final = 90


def print_json(value: Any) -> None:
    """Write one JSON document to standard output."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2, default=str) + "\n")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Write a table to standard output; where that is no terminal, as wide as its cells need.

    Times are shown to the minute.
    """
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*map(_cell, row))
    console = Console()
    if not console.is_terminal:  # no screen: whole cells matter more than width
        wide = console.options.update(width=_WIDEST)
        console.width = max(console.width, console.measure(table, options=wide).maximum)
    console.print(table)


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M %Z}".rstrip()
    return "" if value is None else str(value)


def print_facts(facts: Mapping[str, object]) -> None:
    """Write names and values, one a line."""
    width = max(map(len, facts), default=0)
    for name, value in facts.items():
        sys.stdout.write(f"{name:<{width}}  {value}\n")


def store_fact(kind: "StoreKind", *, json: bool) -> Mapping[str, str]:
    """Kind of the store that a report is about, for its facts: the word for programs, a sentence for people."""
    return {"store": kind.value if json else kind.label}


@contextmanager
def progress_bar(*, quiet: bool) -> Iterator[Progress]:
    """Show progress on standard error with the time left: bars on a terminal, lines elsewhere, nothing when `quiet`."""
    if quiet:
        yield lambda _what, _share: None
        return
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain()
        return
    columns = (
        TextColumn("{task.description:<42}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with ProgressBar(*columns, console=console) as progress:
        tasks: dict[str, Any] = {}

        def tell(what: str, share: float) -> None:
            name = _stage(what)
            if name not in tasks:
                tasks[name] = progress.add_task(what, total=1.0)
            progress.update(tasks[name], description=what, completed=share)

        yield tell


def _plain() -> Progress:
    last = ""
    started: dict[str, tuple[float, float]] = {}

    def tell(what: str, share: float) -> None:
        nonlocal last
        name = _stage(what)
        first_at, first = started.setdefault(name, (monotonic(), share))
        line = f"{what.split(',')[0]} {10 * int(share * 10)} %"
        if line != last:
            left = time_left(monotonic() - first_at, share - first, 1 - share)
            sys.stderr.write(f"{line}{f', about {left} left' if left else ''}\n")
            last = line

    return tell


def _stage(what: str) -> str:
    """Name of the stage that a message of progress is about."""
    return what.split(":")[0].split(",")[0]


def time_left(elapsed_s: float, done: float, rest: float) -> str:
    """Time for the rest at the pace so far, in words; empty while there is too little to judge by, or to wait for.

    `done` and `rest` are shares of the whole.
    """
    if done <= 0 or elapsed_s < _JUDGED_AFTER_S:
        return ""
    left_s = elapsed_s * rest / done
    if left_s < 1:
        return ""
    if left_s < _A_MINUTE_AND_HALF_S:
        return f"{round(left_s)} s"
    minutes = round(left_s / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"
