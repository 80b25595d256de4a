"""Import of a file: rows are read in batches; bad ones are listed in a report, the others go to their kind's intake."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from agent.domain.plausibility import future_refusal
from agent.domain.records import OutcomeRecord, ProductRecord
from agent.service.ingest.columns import RowKind
from agent.service.ingest.errors import CellError
from agent.service.ingest.intake import (
    EventIntake,
    ImportOptions,
    ImportTargets,
    OutcomeIntake,
    ProductIntake,
)
from agent.service.ingest.parsed_rows import ParsedEvent, ParsedRow
from agent.service.ingest.parsing import parse_event, parse_outcome, parse_product
from agent.service.ingest.raw_rows import RawRow
from agent.service.ingest.reading import Reading
from agent.service.ingest.report import ImportKind, ImportReport, RowProblem
from agent.service.ingest.tables import read_table
from agent.store.rows import chunks

BATCH_ROWS: Final = 2_000

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


def import_file(
    kind: ImportKind,
    path: Path,
    targets: ImportTargets,
    options: ImportOptions,
    on_batch: Callable[[ImportReport], None] | None = None,
    batch_rows: int = BATCH_ROWS,
) -> ImportReport:
    """Import a file, a batch of rows in a transaction; `on_batch` is called after each with the report so far.

    Raises:
        ImportFormatError: The file cannot be read, or a required column is missing.
        StoreError: The store failed; batches before that are stored.
    """
    reading = Reading(options.reading, targets.product_of, targets.now)
    report = ImportReport(kind, notes=reading.notes)
    table = read_table(path, RowKind(kind.value), reading)
    intake: Any = _INTAKES[kind](targets, report, options)
    for batch in chunks(table.rows, batch_rows):
        intake.take(list(_parsed(batch, reading, report)))
        if on_batch is not None:
            on_batch(report)
    return report


def _parsed(rows: Sequence[RawRow], reading: Reading, report: ImportReport) -> Iterator[ParsedRow[Any]]:
    """Yield valid rows with their records, and report the others."""
    parse = _PARSERS[report.kind]
    for row in rows:
        report.read += 1
        if row.problem:
            report.refuse(RowProblem(row.line, "", "", row.problem))
            continue
        try:
            record = parse(row, reading)
            _check_time(record, reading.now)
        except CellError as error:
            report.refuse(RowProblem(row.line, row.written(error.column), error.value, error.reason))
        else:
            yield ParsedRow(row, record)


def _check_time(record: ProductRecord | ParsedEvent | OutcomeRecord, now: datetime) -> None:
    """Check when an event or outcome happened against the clock.

    Raises:
        CellError: It is more than a day ahead.
    """
    if isinstance(record, ProductRecord):
        return
    at = record.event.at if isinstance(record, ParsedEvent) else record.at
    if (reason := future_refusal(at, now)) is not None:
        raise CellError("at", at.isoformat(), reason)
