"""Rows of a snapshot as Arrow IPC, one record per graph row, null for deleted rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import ipc

from retrieval.errors import SnapshotError

ALIVE = "alive"


class Record(Protocol):
    """Slotted dataclass whose fields are the columns of its schema."""

    __slots__: tuple[str, ...]


def write_rows(path: Path, records: Sequence[Record | None], schema: pa.Schema) -> None:
    """Write records; None stands for a deleted row."""
    columns: dict[str, list[Any]] = {
        name: [None if record is None else getattr(record, name) for record in records] for name in schema.names
    }
    full = schema.append(pa.field(ALIVE, pa.bool_()))
    table = pa.table({**columns, ALIVE: [record is not None for record in records]}, schema=full)
    with ipc.new_file(str(path), full) as sink:
        sink.write_table(table)


def read_rows(path: Path, schema: pa.Schema) -> list[Mapping[str, Any] | None]:
    """Read the columns of each row, None for deleted rows.

    Raises:
        SnapshotError: The file has other columns than `schema`.
    """
    with pa.memory_map(str(path)) as source:
        table = ipc.open_file(source).read_all()
    if table.schema.names != [*schema.names, ALIVE]:
        raise SnapshotError(
            f"{path} has columns {table.schema.names}; allowed: {[*schema.names, ALIVE]}; remedy: pricesmith prepare"
        )
    alive = table.column(ALIVE).to_pylist()
    return [row if lives else None for row, lives in zip(table.select(schema.names).to_pylist(), alive, strict=True)]
