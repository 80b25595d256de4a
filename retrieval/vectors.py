"""Thread-safe vector index by string id with replacement and deletion, on an HNSW graph.

HNSW does not support deletion: replaced and removed rows are masked, and once they exceed a quarter of all rows the
graph is rebuilt (compacted) without them, concurrently with readers and writers.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Final

import numpy as np
from numpy.typing import NDArray

from retrieval.dynamic_array import DynamicArray
from retrieval.errors import SnapshotError
from retrieval.hnsw import HnswGraph, Mask, Rows, Vectors, checked, checked_units, read_graph
from retrieval.locks import ReadWriteLock

Column = NDArray[np.int64]
Columns = Mapping[str, Column]
Where = Callable[[Columns], Mask]

MAX_DELETED_SHARE: Final = 0.25
MIN_DELETED: Final = 64
_COPIED_ROWS: Final = 20_000
SYNCHRONOUS_ROWS: Final = 5_000  # up to here compaction takes well under a second and runs without a thread


@dataclass(frozen=True, slots=True)
class Match:
    """An id found, with the cosine similarity of its vector."""

    id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class ColumnHits:
    """Results of a search as arrays `(n, k)`, best first.

    Attributes:
        similarity: Cosine similarity; 0 where fewer than `k` were found.
        found: Whether a row was found.
        columns: Columns of the rows found; 0 elsewhere.
        rows: Numbers of the rows found, -1 elsewhere.
        ids: Id of each row of the index, None for those removed.
    """

    similarity: NDArray[np.float64]
    found: Mask
    columns: Columns
    rows: Rows
    ids: Sequence[str | None]


class _Table:
    """Rows of one graph; `ids` of deleted rows are None."""

    def __init__(self, graph: HnswGraph, ids: list[str | None], columns: Columns) -> None:
        self.graph = graph
        self.ids = ids
        self.row_of = {id: row for row, id in enumerate(ids) if id is not None}
        self._alive = DynamicArray(np.fromiter((id is not None for id in ids), bool, len(ids)))
        self._columns = {name: DynamicArray(column) for name, column in columns.items()}

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
    """HNSW index with string ids, integer columns for filters, and deletion."""

    def __init__(self, dim: int, columns: Collection[str] = ()) -> None:
        """Start empty; every row has one integer for each of `columns`."""
        self.dim = dim
        empty = {name: np.empty(0, np.int64) for name in columns}
        self._table = _Table(HnswGraph(dim), [], empty)
        self._changes = 0
        self._rebuilds = 0
        self._lock = ReadWriteLock()
        self._compacting = Lock()

    def __len__(self) -> int:
        """Number of searchable ids."""
        return len(self._table.row_of)

    def __contains__(self, id: str) -> bool:
        """Whether an id is searchable."""
        return id in self._table.row_of

    @property
    def changes(self) -> int:
        """Number of writes since the index was created or loaded."""
        return self._changes

    @property
    def rebuilds(self) -> int:
        """Number of times that the graph was rebuilt; a rebuilt graph may find others of nearly equal similarity."""
        return self._rebuilds

    @property
    def deleted(self) -> int:
        """Number of masked rows."""
        return len(self._table.ids) - len(self._table.row_of)

    def add(self, ids: Sequence[str], vectors: Vectors, columns: Columns | None = None) -> None:
        """Add or replace ids; searches that start after this returns find them.

        Args:
            ids: Ids; of a repeated id the last row is used.
            vectors: Unit vectors `(n, dim)`.
            columns: `(n,)` each.

        Raises:
            RetrievalError: The vectors have a wrong shape, are not finite or not of unit length.
        """
        vectors = checked_units(vectors, self.dim, len(ids))
        last = {id: row for row, id in enumerate(ids)}
        kept = np.fromiter(last.values(), np.int64, len(last))
        fresh = {name: np.asarray(column, np.int64)[kept] for name, column in (columns or {}).items()}
        with self._lock.writing():
            table = self._table
            self._mask_rows([table.row_of.pop(id) for id in last if id in table.row_of])
            table.append(last, vectors[kept], fresh)
            self._changes += 1
        self._compact_if_needed()

    def remove(self, ids: Collection[str], *, wipe: bool = False) -> int:
        """Remove ids and return how many were known; `wipe` also overwrites their vectors with zeros."""
        with self._lock.writing():
            rows = [self._table.row_of.pop(id) for id in set(ids) if id in self._table.row_of]
            self._mask_rows(rows)
            if wipe:
                self._table.graph.wipe(np.asarray(rows, np.int64))
            self._changes += 1
        self._compact_if_needed()
        return len(rows)

    def vectors(self, ids: Sequence[str]) -> list[NDArray[np.float32] | None]:
        """Vectors `(dim,)` of ids, None for unknown ones."""
        with self._lock.reading():
            rows = [self._table.row_of.get(id) for id in ids]
            known = self._table.graph.vectors(np.asarray([row for row in rows if row is not None], np.int64))
        found = iter(known)
        return [None if row is None else next(found) for row in rows]

    def search(self, queries: Vectors, k: int, where: Where | Collection[str] | None = None) -> list[list[Match]]:
        """Find the `k` nearest ids of each query, best first.

        Args:
            queries: Unit vectors `(n, dim)`.
            k: Largest number of results per query.
            where: Allowed ids, or a condition on the columns.

        Raises:
            RetrievalError: The queries have a wrong shape or are not finite.
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

    def search_columns(self, queries: Vectors, k: int, where: Where | None = None) -> ColumnHits:
        """Search as `search`, but return arrays with the columns of the rows found."""
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
        columns = {name: taken.get(name, 0 * hits.rows) for name in table.columns}
        return ColumnHits(similarity, found, columns, hits.rows, table.ids)

    def compact(self) -> None:
        """Rebuild the graph without masked rows; returns at once if another thread is doing so."""
        if not self._compacting.acquire(blocking=False):
            return
        try:
            self._rebuild()
        finally:
            self._compacting.release()

    def write(self, path: Path) -> list[str | None]:
        """Write the graph to a file; returns the id of each row, None for deleted rows."""
        with self._lock.reading():
            self._table.graph.write(path)
            return list(self._table.ids)

    def restore(self, path: Path, ids: Sequence[str | None], columns: Columns) -> None:
        """Load a graph that `write` wrote, with the `ids` it returned and `columns` `(rows,)` each.

        Raises:
            SnapshotError: Number or dimension of the vectors differ from what is expected.
        """
        graph = read_graph(path)
        if graph.dim != self.dim or len(graph) != len(ids):
            raise SnapshotError(
                f"{path} has {len(graph)} vectors of {graph.dim} dimensions; expected: {len(ids)} of {self.dim}; "
                "remedy: pricesmith prepare"
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

    def _mask_rows(self, rows: Sequence[int]) -> None:
        self._table.alive[rows] = False
        for row in rows:
            self._table.ids[row] = None

    def _compact_if_needed(self) -> None:
        rows = len(self._table.ids)
        if self.deleted < MIN_DELETED or self.deleted <= MAX_DELETED_SHARE * rows or self._compacting.locked():
            return
        if rows <= SYNCHRONOUS_ROWS:
            self.compact()
        else:
            Thread(target=self.compact, name="retrieval-compaction", daemon=True).start()

    def _rebuild(self) -> None:
        with self._lock.reading():
            old = self._table
            end = len(old.ids)
            rows = np.flatnonzero(old.alive)
        graph = HnswGraph(self.dim)
        for some in np.array_split(rows, range(_COPIED_ROWS, len(rows), _COPIED_ROWS)):
            with self._lock.reading():
                vectors = old.graph.vectors(some)
            graph.add(vectors)  # takes most of the time, hence without the lock
        with self._lock.writing():
            late = end + np.flatnonzero(old.alive[end:])
            graph.add(old.graph.vectors(late))
            graph.wipe(np.flatnonzero(~old.alive[rows]))  # removed during the rebuild
            self._table = _compacted(old, graph, np.concatenate([rows, late]))
            self._rebuilds += 1


def _compacted(old: _Table, graph: HnswGraph, rows: Rows) -> _Table:
    """Build the table of a new graph that contains `rows` of the old one."""
    ids = [old.ids[row] for row in rows.tolist()]
    columns = {name: column[rows] for name, column in old.columns.items()}
    return _Table(graph, ids, columns)


def _at(ids: Sequence[str | None], row: int) -> str | None:
    return ids[row] if row >= 0 else None
