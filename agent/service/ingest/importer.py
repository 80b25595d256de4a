"""Import of a file: valid rows are stored in batches, bad ones are listed in a report."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord, ShopperRecord
from agent.service.ingest.cells import PREFIXES
from agent.service.ingest.errors import CellError, ImportFormatError
from agent.service.ingest.parsing import (
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
from agent.service.ingest.readers import FREE_COLUMNS, RawRow, read_rows
from agent.store.rows import chunks

_SHOWN: Final = 1_000
_BATCH: Final = 2_000


class ImportKind(StrEnum):
    """Kind of records in a file."""

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
    """Options for reading a file.

    Attributes:
        currency: Of rows that name none.
        mapping: Column names of the file to ours.
    """

    currency: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, currency: str | None, columns: Sequence[str]) -> "ImportOptions":
        """Parse `theirs=ours` options.

        Raises:
            ImportFormatError: An option is not of that form.
        """
        pairs = [column.partition("=") for column in columns]
        bad = next((column for column, pair in zip(columns, pairs, strict=True) if not all(pair)), None)
        if bad is not None:
            raise ImportFormatError(f"--column is {bad!r}; allowed: theirs=ours, such as sku=product_id")
        return cls(currency, {theirs: ours for theirs, _, ours in pairs})


@dataclass(frozen=True, slots=True)
class ImportTargets:
    """Functions that store valid rows; `reference_of` returns a product's list price in minor units."""

    products: Callable[[Sequence[ProductRecord]], None]
    events: Callable[[Sequence[EventRecord]], object]
    shoppers: Callable[[Sequence[ShopperRecord]], None]
    outcomes: Callable[[Sequence[OutcomeRecord]], None]
    reference_of: ReferenceOf


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
        ignored_columns: Columns of the first row without a meaning here, perhaps misspelt ones.
    """

    kind: ImportKind
    read: int = 0
    imported: int = 0
    bad: int = 0
    ignored_columns: tuple[str, ...] = ()
    problems: list[RowProblem] = field(default_factory=list)

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
    report = ImportReport(kind)
    _check_mapping(kind, options)
    for batch in chunks(_checked(path, options, report), _BATCH):
        good = list(_parsed(batch, options, targets.reference_of, report))
        _store(kind, good, targets)
        report.imported += len(good)
        if on_rows is not None:
            on_rows(report.read)
    return report


def _check_mapping(kind: ImportKind, options: ImportOptions) -> None:
    """Check that columns are mapped to known ones; products take any, as attributes."""
    unknown = [ours for ours in options.mapping.values() if not _is_known(kind, ours)]
    if unknown:
        raise ImportFormatError(
            f"--column maps to {', '.join(unknown)}; allowed: {', '.join(sorted(COLUMNS[kind]))}, profile.X, context.X"
        )


def _checked(path: Path, options: ImportOptions, report: ImportReport) -> Iterator[RawRow]:
    """Rows, once the first readable one has the required columns."""
    first = True
    for row in read_rows(path, options.mapping):
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


def _parsed(
    rows: Sequence[RawRow], options: ImportOptions, reference_of: ReferenceOf, report: ImportReport
) -> Iterator[Any]:
    """Yield the records of valid rows and report the others."""
    for row in rows:
        report.read += 1
        if row.problem:
            report.refuse(RowProblem(row.line, "", "", row.problem))
            continue
        try:
            if report.kind is ImportKind.PRODUCTS:
                yield parse_product(row, options.currency)
            elif report.kind is ImportKind.EVENTS:
                yield parse_event(row, options.currency)
            else:
                yield parse_outcome(row, options.currency, reference_of)
        except CellError as error:
            report.refuse(RowProblem(row.line, error.column, error.value, error.reason))


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
