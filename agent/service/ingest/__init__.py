"""Files of products, events and outcomes into the store."""

from agent.service.ingest.errors import CellError, ImportFormatError
from agent.service.ingest.rows import RawRow, expected_rows, read_rows
from agent.service.ingest.run import ImportKind, ImportOptions, ImportReport, RowProblem, Sinks, run_import

__all__ = [
    "CellError",
    "ImportFormatError",
    "ImportKind",
    "ImportOptions",
    "ImportReport",
    "RawRow",
    "RowProblem",
    "Sinks",
    "expected_rows",
    "read_rows",
    "run_import",
]
