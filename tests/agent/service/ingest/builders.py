"""Files of a test and what an import makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord, ShopperRecord
from agent.service.ingest import ImportKind, ImportOptions, ImportReport, ImportTargets, ReadingOptions, import_file

NOW: Final = datetime(2026, 12, 1, tzinfo=UTC)


def nothing_stored(_product_id: str) -> ProductRecord | None:
    """An empty catalogue."""
    return None


def dropped(_records: Sequence[ShopperRecord]) -> None:
    """A target that keeps nothing."""


@dataclass(slots=True)
class Read:
    """Records that an import stored, and its report."""

    report: ImportReport
    products: list[ProductRecord] = field(default_factory=list)
    events: list[EventRecord] = field(default_factory=list)
    outcomes: list[OutcomeRecord] = field(default_factory=list)
    completed: list[OutcomeRecord] = field(default_factory=list)

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
    """Import a file over some stored products; suspicious rows too, unless the options say otherwise."""
    read = Read(ImportReport(kind))
    accept = options.pop("accept_suspicious", True)

    def keep_events(events: Sequence[EventRecord]) -> Sequence[EventRecord]:
        read.events.extend(events)
        return events

    targets = ImportTargets(
        products=read.products.extend,
        events=keep_events,
        shoppers=dropped,
        outcomes=read.outcomes.extend,
        completed=read.completed.extend,
        known_events=lambda _ids: set(),
        known_outcomes=lambda _ids: set(),
        outcomes_by_line=lambda: iter(()),
        product_of=dict(stored or {}).get,
        now=NOW,
    )
    read.report = import_file(kind, path, targets, ImportOptions(ReadingOptions(**options), accept_suspicious=accept))
    return read


def import_text(
    folder: Path, kind: ImportKind, content: str | bytes, stored: Mapping[str, ProductRecord] | None = None, **more: Any
) -> Read:
    """Import a file with this content; `name` among the options is the file's, by default a CSV's."""
    path = folder / more.pop("name", "rows.csv")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return import_path(kind, path, stored, **more)
