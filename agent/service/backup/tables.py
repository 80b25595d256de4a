"""Database tables to Parquet files and back.

Tables are read as the database declares them, not as this release does: a backup has its own schema revision, is
restored at that, and then migrated.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from alembic.migration import MigrationContext
from sqlalchemy import Column, Connection, MetaData, Table, func, select, text

_BATCH: Final = 20_000
_ARROW: Final = {int: pa.int64(), str: pa.string(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}
_VERSION: Final = "alembic_version"


def tables_of(connection: Connection) -> dict[str, Table]:
    """All tables by name, but alembic's."""
    metadata = MetaData()
    metadata.reflect(connection)
    return {name: table for name, table in sorted(metadata.tables.items()) if name != _VERSION}


def revision_of(connection: Connection) -> str:
    """Revision of the schema; empty without a schema."""
    return MigrationContext.configure(connection).get_current_revision() or ""


def write_table(connection: Connection, table: Table, path: Path) -> int:
    """Write all rows of a table to a Parquet file; returns their number."""
    schema = pa.schema([pa.field(column.name, _arrow(column)) for column in table.columns])
    found = connection.execution_options(yield_per=_BATCH).execute(select(table))
    rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in found.partitions():
            columns = zip(*batch, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            rows += len(batch)
    return rows


def read_table(connection: Connection, table: Table, handle: IO[bytes]) -> int:
    """Insert all rows of a Parquet file into an empty table; returns their number."""
    names = [column.name for column in table.columns]
    postgresql = connection.dialect.name == "postgresql"
    given = " OVERRIDING SYSTEM VALUE" if postgresql and any(c.identity is not None for c in table.columns) else ""
    quote = connection.dialect.identifier_preparer.quote
    into = ", ".join(quote(name) for name in names)
    statement = text(  # names come from the database
        f"INSERT INTO {quote(table.name)} ({into}){given} VALUES ({', '.join(f':p{n}' for n in range(len(names)))})"  # noqa: S608
    )
    rows = 0
    for batch in pq.ParquetFile(handle).iter_batches(_BATCH, columns=names):
        values = zip(*(batch.column(name).to_pylist() for name in names), strict=True)
        parameters = [{f"p{n}": value for n, value in enumerate(row)} for row in values]
        if parameters:
            connection.execute(statement, parameters)
        rows += len(parameters)
    return rows


def counters_of(connection: Connection, tables: Mapping[str, Table]) -> dict[str, int]:
    """Last row number given by each table that numbers its rows, deleted rows included."""
    if connection.dialect.name == "sqlite":
        known = connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all()
        return {name: int(seq) for name, seq in known if name in tables}
    found = {}
    for name, sequence in _sequences(connection, tables):
        last = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {sequence}"  # noqa: S608 the database's own
        found[name] = int(connection.exec_driver_sql(last).scalar_one())
    return found


def set_counters(connection: Connection, tables: Mapping[str, Table], counters: Mapping[str, int]) -> None:
    """Continue row numbers after the given ones."""
    if connection.dialect.name == "sqlite":
        for name, last in counters.items():
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
            connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), {"name": name, "last": last})
        return
    for name, sequence in _sequences(connection, tables):
        if last := counters.get(name, 0):
            connection.execute(text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last})


def is_empty(connection: Connection, tables: Mapping[str, Table], counts: Callable[[str], bool]) -> bool:
    """Whether all tables are empty; those that `counts` rejects are ignored."""
    return not any(
        connection.execute(select(func.count()).select_from(table)).scalar_one()
        for name, table in tables.items()
        if counts(name)
    )


def _sequences(connection: Connection, tables: Mapping[str, Table]) -> Iterator[tuple[str, str]]:
    for name, table in tables.items():
        for column in table.columns:
            if column.identity is not None:
                found = text("SELECT pg_get_serial_sequence(:name, :column)")
                yield name, connection.execute(found, {"name": name, "column": column.name}).scalar_one()


def _arrow(column: Column[Any]) -> pa.DataType:
    return _ARROW[column.type.python_type]
