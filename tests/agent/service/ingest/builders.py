"""Files of a test and what an import makes of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.domain.records import EventRecord, OutcomeRecord, ProductRecord, ShopperRecord
from agent.service.ingest import ImportKind, ImportOptions, ImportReport, ImportTargets, ReadingOptions, import_file


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
    targets = ImportTargets(
        read.products.extend, read.events.extend, dropped, read.outcomes.extend, dict(stored or {}).get
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
