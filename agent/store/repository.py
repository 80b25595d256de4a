"""Base of the repositories: the database, and reading a query page by page."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, literal, tuple_

from agent.store.engine import Database


class Repository:
    """Base of all repositories."""

    def __init__(self, database: Database) -> None:
        """Use a database whose schema is up to date."""
        self._db = database

    def _paged(
        self, query: Select[Any], keys: Sequence[Column[Any]], batch: int, start: Sequence[object] = ()
    ) -> Iterator[Row[Any]]:
        """Rows ordered by `keys`, beyond the values `start`; the keys are unique together and selected by the query.

        Each batch is a short read of its own, so that a slow or abandoned reader blocks nothing.
        """
        ordered = query.order_by(*keys).limit(batch)
        while True:
            page = ordered.where(_beyond(keys, start)) if start else ordered
            with self._db.read() as connection:
                rows = connection.execute(page).all()
            yield from rows
            if len(rows) < batch:
                return
            start = [rows[-1]._mapping[key] for key in keys]


def _beyond(keys: Sequence[Column[Any]], start: Sequence[object]) -> ColumnElement[bool]:
    bounds = [literal(value, key.type) for key, value in zip(keys, start, strict=True)]
    return keys[0] > bounds[0] if len(keys) == 1 else tuple_(*keys) > tuple_(*bounds)
