"""Vectors by string id that can be added, replaced, removed and searched at any time, from any thread.

HNSW cannot delete: a replaced or removed row is masked until over a quarter of the rows are dead; then the graph is
built anew beside the old one, while readers and writers go on, and takes its place.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.dynamic_array import Growing
from retrieval.errors import SnapshotError
from retrieval.hnsw import Graph, Mask, Rows, Vectors, checked, checked_units, read_graph
from retrieval.locks import ReadWriteLock

Column = NDArray[np.int64]
Columns = Mapping[str, Column]
Where = Callable[[Columns], Mask]

DEAD_SHARE: Final = 0.25
DEAD_LEAST: Final = 64
QUICK_ROWS: Final = 5_000  # builds in well under a second, not worth a thread


@dataclass(frozen=True, slots=True)
class Match:
    """An id found, and the cosine similarity of its vector."""

    id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class FoundColumns:
    """What a search found, as arrays `(n, k)`, best first.

    Attributes:
        similarity: Cosine; 0 where fewer than `k` were found.
        found: Whether there is a row.
        columns: Of the rows found; 0 elsewhere.
    """

    similarity: NDArray[np.float64]
    found: Mask
    columns: Columns


class _Table:
    """Rows of one graph. `ids` of dead rows are None."""

    def __init__(self, graph: Graph, ids: list[str | None], columns: Columns) -> None:
        self.graph = graph
        self.ids = ids
        self.row_of = {id: row for row, id in enumerate(ids) if id is not None}
        self._alive = Growing(np.fromiter((id is not None for id in ids), bool, len(ids)))
        self._columns = {name: Growing(column) for name, column in columns.items()}

    @property
    def alive(self) -> Mask:
        return self._alive.values

    @property
    def columns(self) -> Columns:
        return {name: column.values for name, column in self._columns.items()}

    def append(self, ids: Collection[str], vectors: Vectors, columns: Columns) -> None:
        self.graph.add(vectors)
        self.row_of.update(zip(ids, range(len(self.ids), len(self.ids) + len(ids)), strict=True))
        self.ids.extend(ids)
        self._alive.extend(np.ones(len(ids), bool))
        for name, column in self._columns.items():
            column.extend(columns[name])


class VectorIndex:
    """An HNSW index with ids, integer columns to filter on, and deletion."""

    def __init__(self, dim: int, columns: Collection[str] = ()) -> None:
        """Start empty; every row carries one integer for each of `columns`."""
        self.dim = dim
        empty = {name: np.empty(0, np.int64) for name in columns}
        self._table = _Table(Graph(dim), [], empty)
        self._changes = 0
        self._lock = ReadWriteLock()
        self._compacting = Lock()

    def __len__(self) -> int:
        """How many ids can be found."""
        return len(self._table.row_of)

    def __contains__(self, id: str) -> bool:
        """Whether an id can be found."""
        return id in self._table.row_of

    @property
    def changes(self) -> int:
        """How often something was written since the index was made or loaded."""
        return self._changes

    @property
    def dead(self) -> int:
        """Rows that are masked."""
        return len(self._table.ids) - len(self._table.row_of)

    def add(self, ids: Sequence[str], vectors: Vectors, columns: Columns | None = None) -> None:
        """Add or replace ids; searches that begin after this returns find them.

        Args:
            ids: Where one repeats, its last row counts.
            vectors: `(n, dim)`, of unit length.
            columns: `(n,)` each.

        Raises:
            RetrievalError: Vectors of the wrong shape, not finite or not of unit length.
        """
        vectors = checked_units(vectors, self.dim, len(ids))
        last = {id: row for row, id in enumerate(ids)}
        kept = np.fromiter(last.values(), np.int64, len(last))
        fresh = {name: np.asarray(column, np.int64)[kept] for name, column in (columns or {}).items()}
        with self._lock.writing():
            table = self._table
            self._bury([table.row_of.pop(id) for id in last if id in table.row_of])
            table.append(last, vectors[kept], fresh)
            self._changes += 1
        self._compact_if_due()

    def remove(self, ids: Collection[str], *, wipe: bool = False) -> int:
        """Make ids unfindable, unknown ones passed over; `wipe` also overwrites their vectors. Returns how many."""
        with self._lock.writing():
            rows = [self._table.row_of.pop(id) for id in set(ids) if id in self._table.row_of]
            self._bury(rows)
            if wipe:
                self._table.graph.wipe(np.asarray(rows, np.int64))
            self._changes += 1
        self._compact_if_due()
        return len(rows)

    def vectors(self, ids: Sequence[str]) -> list[NDArray[np.float32] | None]:
        """The vectors `(dim,)` of ids, None for unknown ones."""
        with self._lock.reading():
            rows = [self._table.row_of.get(id) for id in ids]
            known = self._table.graph.vectors(np.asarray([row for row in rows if row is not None], np.int64))
        found = iter(known)
        return [None if row is None else next(found) for row in rows]

    def search(self, queries: Vectors, k: int, where: Where | Collection[str] | None = None) -> list[list[Match]]:
        """The `k` nearest ids of each query `(n, dim)`, best first.

        Args:
            queries: Unit vectors.
            k: At most so many of each.
            where: Ids to choose from, or a condition on the columns.

        Raises:
            RetrievalError: Queries of the wrong shape or not finite.
        """
        queries = checked(queries, self.dim)
        if k <= 0 or not len(queries):
            return [[] for _ in queries]
        with self._lock.reading():
            table = self._table
            hits = table.graph.search(queries, k, self._allowed(where))
            ids = table.ids
            return [
                [
                    Match(id, min(1.0, score))
                    for row, score in zip(rows, scores, strict=True)
                    if (id := _at(ids, row)) is not None
                ]
                for rows, scores in zip(hits.rows.tolist(), hits.similarity.tolist(), strict=True)
            ]

    def search_columns(self, queries: Vectors, k: int, where: Where | None = None) -> FoundColumns:
        """As `search`, but the columns of what was found instead of ids."""
        queries = checked(queries, self.dim)
        with self._lock.reading():
            table = self._table
            hits = table.graph.search(queries, k, self._allowed(where))
            found = hits.rows >= 0
            found[found] = table.alive[hits.rows[found]]
            taken = {
                name: np.where(found, column[hits.rows], 0) for name, column in table.columns.items() if len(column)
            }
        similarity = np.where(found, np.minimum(1.0, hits.similarity.astype(np.float64)), 0.0)
        return FoundColumns(similarity, found, {name: taken.get(name, 0 * hits.rows) for name in table.columns})

    def compact(self) -> None:
        """Build the graph anew without dead rows; returns at once when another thread is at it."""
        if not self._compacting.acquire(blocking=False):
            return
        try:
            self._rebuild()
        finally:
            self._compacting.release()

    def write(self, path: Path) -> list[str | None]:
        """Write the graph to a file; returns the id of each of its rows, None for dead ones."""
        with self._lock.reading():
            self._table.graph.write(path)
            return list(self._table.ids)

    def restore(self, path: Path, ids: Sequence[str | None], columns: Columns) -> None:
        """Take over a graph that `write` wrote; `columns` `(rows,)` each. Raises SnapshotError when they disagree."""
        graph = read_graph(path)
        if graph.dim != self.dim or len(graph) != len(ids):
            raise SnapshotError(
                f"{path} holds {len(graph)} vectors of {graph.dim} dimensions, its rows say {len(ids)} of {self.dim}; "
                "remedy: rebuild it"
            )
        kept = {name: np.asarray(columns[name], np.int64) for name in self._table.columns}
        table = _Table(graph, list(ids), kept)
        with self._lock.writing():
            self._table = table

    def _allowed(self, where: Where | Collection[str] | None) -> Mask | None:
        table = self._table
        if where is None:
            return None if len(table.row_of) == len(table.ids) else table.alive
        if callable(where):
            return np.asarray(where(table.columns) & table.alive, bool)
        mask = np.zeros(len(table.ids), bool)
        mask[[table.row_of[id] for id in where if id in table.row_of]] = True
        return mask

    def _bury(self, rows: Sequence[int]) -> None:
        self._table.alive[rows] = False
        for row in rows:
            self._table.ids[row] = None

    def _compact_if_due(self) -> None:
        rows = len(self._table.ids)
        if self.dead < DEAD_LEAST or self.dead <= DEAD_SHARE * rows or self._compacting.locked():
            return
        if rows <= QUICK_ROWS:
            self.compact()
        else:
            Thread(target=self.compact, name="retrieval-compaction", daemon=True).start()

    def _rebuild(self) -> None:
        with self._lock.reading():
            old = self._table
            end = len(old.ids)
            rows = np.flatnonzero(old.alive)
            vectors = old.graph.vectors(rows)
        graph = Graph(self.dim)
        graph.add(vectors)  # seconds to half a minute, without a lock
        with self._lock.writing():
            late = end + np.flatnonzero(old.alive[end:])
            graph.add(old.graph.vectors(late))
            graph.wipe(np.flatnonzero(~old.alive[rows]))  # removed meanwhile
            self._table = _chosen(old, graph, np.concatenate([rows, late]))


def _chosen(old: _Table, graph: Graph, rows: Rows) -> _Table:
    """The rows of a table over a new graph that holds just them."""
    ids = [old.ids[row] for row in rows.tolist()]
    columns = {name: column[rows] for name, column in old.columns.items()}
    return _Table(graph, ids, columns)


def _at(ids: Sequence[str | None], row: int) -> str | None:
    return ids[row] if row >= 0 else None
