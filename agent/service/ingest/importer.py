"""Import of a file: rows are read in batches; bad ones are listed in a report, the others go to their kind's intake."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.domain.plausibility import currency_refusal, future_refusal
from agent.domain.records import OutcomeRecord, ProductRecord
from agent.service.ingest.cells import PREFIXES
from agent.service.ingest.errors import CellError, ImportFormatError
from agent.service.ingest.intake import EventIntake, ImportTargets, OutcomeIntake, ParsedRow, ProductIntake
from agent.service.ingest.parsing import (
    EVENT_COLUMNS,
    NEEDED,
    OUTCOME_COLUMNS,
    PRODUCT_COLUMNS,
    ParsedEvent,
    parse_event,
    parse_outcome,
    parse_product,
)
from agent.service.ingest.readers import FREE_COLUMNS, RawRow, read_rows
from agent.service.ingest.reading import Reading, ReadingOptions
from agent.service.ingest.report import ImportKind, ImportReport, RowProblem
from agent.store.rows import chunks

_BATCH: Final = 2_000

COLUMNS: Final = {
    ImportKind.PRODUCTS: PRODUCT_COLUMNS,
    ImportKind.EVENTS: EVENT_COLUMNS,
    ImportKind.OUTCOMES: OUTCOME_COLUMNS,
}


_PARSERS: Final[Mapping[ImportKind, Callable[[RawRow, Reading], Any]]] = {
    ImportKind.PRODUCTS: parse_product,
    ImportKind.EVENTS: parse_event,
    ImportKind.OUTCOMES: parse_outcome,
}
_INTAKES: Final[Mapping[ImportKind, Any]] = {
    ImportKind.PRODUCTS: ProductIntake,
    ImportKind.EVENTS: EventIntake,
    ImportKind.OUTCOMES: OutcomeIntake,
}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options for reading a file.

    Attributes:
        reading: How its rows are written.
        accept_suspicious: Whether rows that are probably wrong are imported too.
    """

    reading: ReadingOptions = field(default_factory=ReadingOptions)
    accept_suspicious: bool = False


def import_file(
    kind: ImportKind,
    path: Path,
    targets: ImportTargets,
    options: ImportOptions,
    on_rows: Callable[[int], None] | None = None,
) -> ImportReport:
    """Import a file; `on_rows` is called with the number of rows read after each batch.

    Raises:
        ImportFormatError: The file cannot be read, or a required column is missing.
        StoreError: The store failed; batches before that are stored.
    """
    reading = Reading(options.reading, targets.product_of)
    report = ImportReport(kind, notes=reading.notes)
    _check_mapping(kind, options)
    intake: Any = _INTAKES[kind](targets, report, accept=options.accept_suspicious)
    for batch in chunks(_checked(path, options, report), _BATCH):
        intake.take(list(_parsed(batch, reading, targets.now, report)))
        if on_rows is not None:
            on_rows(report.read)
    return report


def _check_mapping(kind: ImportKind, options: ImportOptions) -> None:
    """Check that columns are mapped to known ones; products take any, as attributes."""
    unknown = [ours for ours in options.reading.mapping.values() if not _is_known(kind, ours)]
    if unknown:
        raise ImportFormatError(
            f"--column maps to {', '.join(unknown)}; allowed: {', '.join(sorted(COLUMNS[kind]))}, profile.X, context.X"
        )


def _checked(path: Path, options: ImportOptions, report: ImportReport) -> Iterator[RawRow]:
    """Rows, once the first readable one has the required columns."""
    first = True
    for row in read_rows(path, options.reading.mapping):
        if first and not row.problem:
            first = False
            _check_columns(path, row, report)
        yield row


def _check_columns(path: Path, row: RawRow, report: ImportReport) -> None:
    """Check for the required columns; NDJSON is exempt, as each of its rows may have other fields."""
    if path.suffix.lower() in FREE_COLUMNS:
        return
    missing = [column for column in NEEDED[report.kind] if column not in row.cells]
    if missing:
        known = ", ".join(sorted(COLUMNS[report.kind]))
        raise ImportFormatError(
            f"{path.name} has no column {', '.join(missing)}; allowed: {known}; "
            "remedy: add it, or rename one with --column theirs=ours"
        )
    report.ignored_columns = tuple(column for column in row.cells if not _is_known(report.kind, column))


def _is_known(kind: ImportKind, column: str) -> bool:
    return kind is ImportKind.PRODUCTS or column in COLUMNS[kind] or column.startswith(PREFIXES)


def _parsed(rows: Sequence[RawRow], reading: Reading, now: datetime, report: ImportReport) -> Iterator[ParsedRow[Any]]:
    """Yield valid rows with their records, and report the others."""
    parse = _PARSERS[report.kind]
    for row in rows:
        report.read += 1
        if row.problem:
            report.refuse(RowProblem(row.line, "", "", row.problem))
            continue
        try:
            record = parse(row, reading)
            _check(record, reading, now)
        except CellError as error:
            report.refuse(RowProblem(row.line, error.column, error.value, error.reason))
        else:
            yield ParsedRow(row, record)


def _check(record: ProductRecord | ParsedEvent | OutcomeRecord, reading: Reading, now: datetime) -> None:
    """Check what a row says against its product's currency and the clock.

    Raises:
        CellError: The prices are in another currency than the product's, or the time is in the future.
    """
    if isinstance(record, ProductRecord):
        return
    happened = record.event if isinstance(record, ParsedEvent) else record
    product = reading.product_of(happened.product_id) if happened.product_id is not None else None
    if (reason := currency_refusal(product, happened.currency)) is not None:
        raise CellError("currency", happened.currency, reason)
    if (reason := future_refusal(happened.at, now)) is not None:
        raise CellError("at", happened.at.isoformat(), reason)
