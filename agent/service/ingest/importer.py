"""Import of a file: valid rows are stored in batches, bad ones are listed in a report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord, ShopperRecord
from agent.service.ingest.columns import RowKind
from agent.service.ingest.errors import CellError
from agent.service.ingest.parsing import (
    ParsedEvent,
    parse_event,
    parse_outcome,
    parse_product,
)
from agent.service.ingest.raw_rows import RawRow
from agent.service.ingest.reading import Notes, ProductOf, Reading, ReadingOptions
from agent.service.ingest.tables import read_table
from agent.store.rows import chunks

_SHOWN: Final = 1_000
_BATCH: Final = 2_000


class ImportKind(StrEnum):
    """Kind of records in a file."""

    PRODUCTS = "products"
    EVENTS = "events"
    OUTCOMES = "outcomes"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options for reading a file.

    Attributes:
        reading: How its rows are written.
    """

    reading: ReadingOptions = field(default_factory=ReadingOptions)


@dataclass(frozen=True, slots=True)
class ImportTargets:
    """Functions that store valid rows; `product_of` returns a stored product."""

    products: Callable[[Sequence[ProductRecord]], None]
    events: Callable[[Sequence[EventRecord]], object]
    shoppers: Callable[[Sequence[ShopperRecord]], None]
    outcomes: Callable[[Sequence[OutcomeRecord]], None]
    product_of: ProductOf


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A bad row: its line, the bad column and value, and the reason."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(slots=True)
class ImportReport:
    """Result of an import; all bad rows are counted, the first thousand listed.

    Attributes:
        notes: Findings about rows that were read all the same.
    """

    kind: ImportKind
    read: int = 0
    imported: int = 0
    bad: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)

    def refuse(self, problem: RowProblem) -> None:
        """Count a bad row, and list it among the first thousand."""
        self.bad += 1
        if len(self.problems) < _SHOWN:
            self.problems.append(problem)


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
    reading = Reading(options.reading, targets.product_of, datetime.now(UTC))
    report = ImportReport(kind, notes=reading.notes)
    table = read_table(path, RowKind(kind.value), reading)
    for batch in chunks(table.rows, _BATCH):
        good = list(_parsed(batch, reading, report))
        _store(kind, good, targets)
        report.imported += len(good)
        if on_rows is not None:
            on_rows(report.read)
    return report


def _parsed(rows: Sequence[RawRow], reading: Reading, report: ImportReport) -> Iterator[Any]:
    """Yield the records of valid rows and report the others."""
    for row in rows:
        report.read += 1
        if row.problem:
            report.refuse(RowProblem(row.line, "", "", row.problem))
            continue
        try:
            if report.kind is ImportKind.PRODUCTS:
                yield parse_product(row, reading)
            elif report.kind is ImportKind.EVENTS:
                yield parse_event(row, reading)
            else:
                yield parse_outcome(row, reading)
        except CellError as error:
            report.refuse(RowProblem(row.line, row.written(error.column), error.value, error.reason))


def _store(kind: ImportKind, good: Sequence[Any], targets: ImportTargets) -> None:
    if not good:
        return
    if kind is ImportKind.PRODUCTS:
        targets.products(good)
    elif kind is ImportKind.OUTCOMES:
        outcomes: Sequence[OutcomeRecord] = good
        described = [(o.shopper_id, o.profile) for o in outcomes if o.shopper_id is not None and o.profile]
        _store_shoppers({shopper_id: ShopperRecord(shopper_id, profile) for shopper_id, profile in described}, targets)
        targets.outcomes(outcomes)
    else:
        parsed: Sequence[ParsedEvent] = good
        _store_shoppers({item.shopper.shopper_id: item.shopper for item in parsed if item.shopper is not None}, targets)
        targets.events([item.event for item in parsed])


def _store_shoppers(shoppers: Mapping[str, ShopperRecord], targets: ImportTargets) -> None:
    if shoppers:
        targets.shoppers(list(shoppers.values()))
