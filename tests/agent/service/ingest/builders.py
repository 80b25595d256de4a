"""Files of a test and what an import makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord, ShopperRecord
from agent.service.ingest import ImportKind, ImportOptions, ImportReport, ImportTargets, ReadingOptions, import_file

NOW: Final = datetime(2026, 12, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class Read:
    """Records that an import stored, and its report."""

    report: ImportReport
    products: list[ProductRecord] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    outcomes: list[OutcomeRecord] = field(default_factory=list)

    @property
    def prices(self) -> dict[str, int | None]:
        """List prices by product, the last of each."""
        return {product.product_id: product.list_minor for product in self.products}

    @property
    def reasons(self) -> dict[int, str]:
        """Reasons of bad rows by line."""
        return {problem.line: problem.reason for problem in self.report.problems}


def import_path(
    kind: ImportKind, path: Path, stored: Mapping[str, ProductRecord] | None = None, **options: Any
) -> Read:
    """Import a file over some stored products."""
    read = Read(ImportReport(kind))
    known = dict(stored or {})

    def keep_events(events: Sequence[EventRecord]) -> Sequence[EventRecord]:
        read.events.extend(events)
        return events

    def of_no_interest(_records: Sequence[ShopperRecord]) -> None:
        return None

    def none_known(_ids: Sequence[str]) -> set[str]:
        return set()

    targets = ImportTargets(
        products=read.products.extend,
        events=keep_events,
        shoppers=of_no_interest,
        outcomes=read.outcomes.extend,
        known_events=none_known,
        known_outcomes=none_known,
        outcomes_by_line=lambda: iter(()),
        product_of=lambda product_id: known.get(product_id),
        now=NOW,
    )
    read.report = import_file(kind, path, targets, ImportOptions(ReadingOptions(**options)))
    return read


def import_text(
    folder: Path, kind: ImportKind, content: str | bytes, stored: Mapping[str, ProductRecord] | None = None, **more: Any
) -> Read:
    """Import a file with this content; `name` among the options is the file's, by default a CSV's."""
    path = folder / more.pop("name", "rows.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return import_path(kind, path, stored, **more)
