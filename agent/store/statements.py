"""Statements that the driver takes as text, for what every quote reads and writes.

SQLAlchemy's statement layer costs a quote more than the database does: it opens connections and transactions, and the
driver itself does the rest. A text is written once for both databases with `?` for parameters; it never depends on the
number of rows or keys, so that drivers prepare it once. Times are passed as microseconds and enums as text
(`agent.store.column_types`), errors are the driver's own (`agent.store.engine` translates them).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.engine.interfaces import DBAPICursor

Row = tuple[Any, ...]
"""Values of the columns as the driver reads them."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement in both dialects."""

    sqlite: str
    postgresql: str

    @classmethod
    def of(cls, sql: str) -> "Statement":
        """A statement with `?` for its parameters."""
        return cls(sql, sql.replace("?", "%s"))

    @classmethod
    def inserting(cls, table: Table, names: Sequence[str], more: str = "") -> "Statement":
        """An INSERT of some columns; `more` follows the values."""
        marks = ", ".join("?" * len(names))
        return cls.of(f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks}) {more}")  # noqa: S608 own names

    def run(self, connection: Connection, *values: object) -> None:
        """Execute once, for its effect."""
        cursor = _cursor(connection)
        cursor.execute(_text(self, connection), values)
        cursor.close()

    def rows(self, connection: Connection, *values: object) -> Sequence[Row]:
        """Execute once; all rows."""
        cursor = _cursor(connection)
        cursor.execute(_text(self, connection), values)
        found = cursor.fetchall()
        cursor.close()
        return found

    def first(self, connection: Connection, *values: object) -> Row | None:
        """The only row, or the first; None without any."""
        found = self.rows(connection, *values)
        return found[0] if found else None

    def run_each(self, connection: Connection, rows: Sequence[tuple[object, ...]]) -> None:
        """Execute once for each row of values, in one call of the driver."""
        if len(rows) == 1:
            self.run(connection, *rows[0])
        elif rows:
            cursor = _cursor(connection)
            cursor.executemany(_text(self, connection), rows)
            cursor.close()


@dataclass(frozen=True, slots=True)
class KeyedStatement:
    """A query that joins a list of keys, which is a parameter of the same text however many they are."""

    statement: Statement

    @classmethod
    def of(cls, sql: str, **columns: str) -> "KeyedStatement":
        """A query with `{keys}`, before other parameters, for the keys: a table `k` of `columns` (name and type).

        They are joined by CROSS JOIN and WHERE, which keeps SQLite from reading the other table first.
        """
        members = ", ".join(f"value->>{place} AS {name}" for place, name in enumerate(columns))
        listed = f"(SELECT {members} FROM json_each(?)) AS k"  # noqa: S608 own names
        arrays = ", ".join(f"%s::{kind}[]" for kind in columns.values())
        unnested = f"unnest({arrays}) AS k({', '.join(columns)})"
        return cls(Statement(sql.replace("{keys}", listed), sql.replace("?", "%s").replace("{keys}", unnested)))

    def rows(self, connection: Connection, keys: Sequence[tuple[object, ...]], *values: object) -> Sequence[Row]:
        """Rows of the keys; a key given twice has its rows twice."""
        if not keys:
            return []
        if connection.dialect.name == "sqlite":
            return self.statement.rows(connection, json.dumps(keys, ensure_ascii=False), *values)
        return self.statement.rows(connection, *map(list, zip(*keys, strict=True)), *values)


def _text(statement: Statement, connection: Connection) -> str:
    return statement.sqlite if connection.dialect.name == "sqlite" else statement.postgresql


def _cursor(connection: Connection) -> DBAPICursor:
    """A cursor of the driver, within the transaction of `connection`, which begins where it has none yet."""
    if not connection.in_transaction():
        connection.begin()
    return connection.connection.cursor()
