"""An import from file to sinks: good rows land in batches, bad ones are listed."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord, ShopperRecord
from agent.service.ingest.cells import PREFIXES
from agent.service.ingest.errors import CellError, ImportFormatError
from agent.service.ingest.records import (
    EVENT_COLUMNS,
    NEEDED,
    OUTCOME_COLUMNS,
    PRODUCT_COLUMNS,
    ParsedEvent,
    ReferenceOf,
    parse_event,
    parse_outcome,
    parse_product,
)
from agent.service.ingest.rows import LOOSE, RawRow, read_rows
from agent.store.rows import chunks

_SHOWN: Final = 1_000
_BATCH: Final = 2_000


class ImportKind(StrEnum):
    """What a file holds."""

    PRODUCTS = "products"
    EVENTS = "events"
    OUTCOMES = "outcomes"


COLUMNS: Final = {
    ImportKind.PRODUCTS: PRODUCT_COLUMNS,
    ImportKind.EVENTS: EVENT_COLUMNS,
    ImportKind.OUTCOMES: OUTCOME_COLUMNS,
}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a file is read.

    Attributes:
        currency: Of rows that name none.
        mapping: Their column to ours.
    """

    currency: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, currency: str | None, columns: Sequence[str]) -> "ImportOptions":
        """From `theirs=ours` words.

        Raises:
            ImportFormatError: A word is not of that form.
        """
        pairs = [column.partition("=") for column in columns]
        bad = next((column for column, pair in zip(columns, pairs, strict=True) if not all(pair)), None)
        if bad is not None:
            raise ImportFormatError(f"--column {bad!r} is not of the form theirs=ours, such as sku=product_id")
        return cls(currency, {theirs: ours for theirs, _, ours in pairs})


@dataclass(frozen=True, slots=True)
class ImportTargets:
    """Where good rows go, and what outcomes need to know of products."""

    products: Callable[[Sequence[ProductRecord]], None]
    events: Callable[[Sequence[EventRecord]], None]
    shoppers: Callable[[Sequence[ShopperRecord]], None]
    outcomes: Callable[[Sequence[OutcomeRecord]], None]
    reference_of: ReferenceOf


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A bad row: its line, its bad column, what stood there, and why it is bad."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(slots=True)
class ImportReport:
    """What became of a file; the first thousand problems are kept, all are counted.

    Attributes:
        ignored_columns: Columns of the first row that mean nothing here, a misspelt one perhaps.
    """

    kind: ImportKind
    read: int = 0
    imported: int = 0
    bad: int = 0
    ignored_columns: tuple[str, ...] = ()
    problems: list[RowProblem] = field(default_factory=list)

    def refuse(self, problem: RowProblem) -> None:
        """Count a bad row."""
        self.bad += 1
        if len(self.problems) < _SHOWN:
            self.problems.append(problem)


def import_file(
    kind: ImportKind,
    path: Path,
    sinks: ImportTargets,
    options: ImportOptions,
    on_rows: Callable[[int], None] | None = None,
) -> ImportReport:
    """Import a file.

    Raises:
        ImportFormatError: The file cannot be read, or a needed column is missing.
        StoreError: The store failed; what was counted as imported has landed.
    """
    report = ImportReport(kind)
    _check_mapping(kind, options)
    for batch in chunks(_checked(path, options, report), _BATCH):
        good = list(_good(kind, batch, (sinks, options), report))
        _land(kind, good, sinks)
        report.imported += len(good)
        if on_rows is not None:
            on_rows(report.read)
    return report


def _check_mapping(kind: ImportKind, options: ImportOptions) -> None:
    """Products take any column, as an attribute."""
    unknown = [ours for ours in options.mapping.values() if not _is_known(kind, ours)]
    if unknown:
        raise ImportFormatError(
            f"--column maps to {', '.join(unknown)}, which {kind} do not have; "
            f"allowed: {', '.join(sorted(COLUMNS[kind]))}, profile.X, context.X"
        )


def _checked(path: Path, options: ImportOptions, report: ImportReport) -> Iterator[RawRow]:
    """Rows, after the first that could be read was seen to have the columns that are needed."""
    first = True
    for row in read_rows(path, options.mapping):
        if first and not row.problem:
            first = False
            _check_columns(path, row, report)
        yield row


def _check_columns(path: Path, row: RawRow, report: ImportReport) -> None:
    """Rows of NDJSON may each have fields of their own, so that nothing is concluded from one."""
    if path.suffix.lower() in LOOSE:
        return
    missing = [column for column in NEEDED[report.kind] if column not in row.cells]
    if missing:
        raise ImportFormatError(
            f"{path.name} has no column {', '.join(missing)}; allowed: {', '.join(sorted(COLUMNS[report.kind]))}; "
            "remedy: rename columns with --column theirs=ours"
        )
    report.ignored_columns = tuple(column for column in row.cells if not _is_known(report.kind, column))


def _is_known(kind: ImportKind, column: str) -> bool:
    return kind is ImportKind.PRODUCTS or column in COLUMNS[kind] or column.startswith(PREFIXES)


def _good(
    kind: ImportKind, rows: Sequence[RawRow], given: tuple[ImportTargets, ImportOptions], report: ImportReport
) -> Iterator[Any]:
    sinks, options = given
    for row in rows:
        report.read += 1
        if row.problem:
            report.refuse(RowProblem(row.line, "", "", row.problem))
            continue
        try:
            if kind is ImportKind.PRODUCTS:
                yield parse_product(row, options.currency)
            elif kind is ImportKind.EVENTS:
                yield parse_event(row, options.currency)
            else:
                yield parse_outcome(row, options.currency, sinks.reference_of)
        except CellError as error:
            report.refuse(RowProblem(row.line, error.column, error.value, error.reason))


def _land(kind: ImportKind, good: Sequence[Any], sinks: ImportTargets) -> None:
    if not good:
        return
    if kind is ImportKind.PRODUCTS:
        sinks.products(good)
    elif kind is ImportKind.OUTCOMES:
        outcomes: Sequence[OutcomeRecord] = good
        told = [(o.shopper_id, o.profile) for o in outcomes if o.shopper_id is not None and o.profile]
        _describe({shopper_id: ShopperRecord(shopper_id, profile) for shopper_id, profile in told}, sinks)
        sinks.outcomes(outcomes)
    else:
        parsed: Sequence[ParsedEvent] = good
        _describe({item.shopper.shopper_id: item.shopper for item in parsed if item.shopper is not None}, sinks)
        sinks.events([item.event for item in parsed])


def _describe(shoppers: Mapping[str, ShopperRecord], sinks: ImportTargets) -> None:
    if shoppers:
        sinks.shoppers(list(shoppers.values()))
