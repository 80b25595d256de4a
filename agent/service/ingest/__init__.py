"""Import of products, events and outcomes from files, and the demo store."""

from agent.service.ingest.columns import RowKind
from agent.service.ingest.errors import CellError, ImportFormatError
from agent.service.ingest.importer import import_file
from agent.service.ingest.intake import ImportOptions, ImportTargets
from agent.service.ingest.raw_rows import RawRow
from agent.service.ingest.readers import expected_rows
from agent.service.ingest.reading import Note, Notes, Reading, ReadingOptions
from agent.service.ingest.report import ImportKind, ImportReport, RowProblem
from agent.service.ingest.store_choice import WrongStoreError, check_takes_own_data
from agent.service.ingest.tables import Table, read_table

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
    "Reading",
    "ReadingOptions",
    "RowKind",
    "RowProblem",
    "Table",
    "WrongStoreError",
    "check_takes_own_data",
    "expected_rows",
    "import_file",
    "read_table",
]
