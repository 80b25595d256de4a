"""Import of products, events and outcomes from files, and the demo store."""

from agent.service.ingest.errors import CellError, ImportFormatError
from agent.service.ingest.importer import ImportOptions, import_file
from agent.service.ingest.intake import ImportTargets
from agent.service.ingest.readers import RawRow, expected_rows, read_rows
from agent.service.ingest.reading import Note, Notes, ReadingOptions
from agent.service.ingest.report import ImportKind, ImportReport, RowProblem

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
