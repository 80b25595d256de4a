"""Import of products, events and outcomes from files, and the demo store."""

from agent.service.ingest.errors import CellError, ImportFormatError
from agent.service.ingest.importer import (
    ImportKind,
    ImportOptions,
    ImportReport,
    ImportTargets,
    RowProblem,
    import_file,
)
from agent.service.ingest.readers import RawRow, expected_rows, read_rows
from agent.service.ingest.reading import Note, Notes, ReadingOptions

__all__ = [
    "CellError",
    "ImportFormatError",
    "ImportKind",
    "ImportOptions",
    "ImportReport",
    "ImportTargets",
    "Note",
    "Notes",
    "RawRow",
    "ReadingOptions",
    "RowProblem",
    "expected_rows",
    "import_file",
    "read_rows",
]
