"""A growing HNSW graph over unit vectors: rows are appended, retired rows are masked, both at once visible.

HNSW (Malkov & Yashunin 2018) cannot delete, so a replaced row stays in the graph and is filtered from answers; when
over a quarter are retired the owner rebuilds. Selective filters break a graph walk's recall, so few allowed rows are
searched exactly instead.
"""

from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Mask = NDArray[np.bool_]

EXACT_ROWS: Final = 4_000
_LINKS: Final = 16
_EF_CONSTRUCTION: Final = 64
_EF_SEARCH: Final = 64


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows `(n, k)`, -1 where fewer were found, and their inner products `(n, k)`."""

    rows: NDArray[np.int64]
    similarity: NDArray[np.float32]


class Graph:
    """Vectors by row number."""

    def __init__(self, dim: int, index: Any = None) -> None:
        """Start empty, or from a FAISS index that was read from a snapshot."""
        self._index = index if index is not None else _new_index(dim)
        self.dim = dim
        self._lock = RLock()

    def __len__(self) -> int:
        """Rows, retired ones included."""
        return int(self._index.ntotal)

    def add(self, vectors: Vectors) -> None:
        """Append rows; a search that begins after this returns finds them."""
        with self._lock:
            self._index.add(np.ascontiguousarray(vectors, np.float32))

    def vectors(self, rows: NDArray[np.int64]) -> Vectors:
        """The vectors of rows `(n, dim)`."""
        with self._lock:
            return np.asarray(self._index.reconstruct_batch(rows), np.float32)

    def search(self, queries: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """Nearest rows by inner product, among `allowed` `(rows,)` when given."""
        n_rows = len(self)
        if n_rows == 0 or k <= 0:
            return _nothing(len(queries), k)
        with self._lock:
            if allowed is None:
                parameters = faiss.SearchParametersHNSW(efSearch=max(_EF_SEARCH, 2 * k))
            else:
                mask = allowed[:n_rows]
                chosen = np.flatnonzero(mask)
                if len(chosen) <= EXACT_ROWS:
                    return self._exact(queries, k, chosen)
                bits = np.packbits(mask, bitorder="little")
                selector = faiss.IDSelectorBitmap(bits)
                parameters = faiss.SearchParametersHNSW(efSearch=max(_EF_SEARCH, 4 * k), sel=selector)
            similarity, rows = self._index.search(np.ascontiguousarray(queries), k, params=parameters)
        return Hits(rows, similarity)

    def write(self, path: Path) -> None:
        """Write in FAISS's format."""
        with self._lock:
            faiss.write_index(self._index, str(path))

    def _exact(self, queries: Vectors, k: int, chosen: NDArray[np.int64]) -> Hits:
        hits = _nothing(len(queries), k)
        if not len(chosen):
            return hits
        scores = queries @ self._index.reconstruct_batch(chosen).T
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        width = order.shape[1]
        hits.rows[:, :width] = chosen[order]
        hits.similarity[:, :width] = np.take_along_axis(scores, order, 1)
        return hits


def read_graph(path: Path) -> Graph:
    """Read a graph; the caller has checked the file's digest."""
    index = faiss.read_index(str(path))
    return Graph(int(index.d), index)


def _new_index(dim: int) -> Any:
    index = faiss.IndexHNSWFlat(dim, _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _EF_CONSTRUCTION
    return index


def _nothing(n: int, k: int) -> Hits:
    return Hits(np.full((n, max(k, 0)), -1, np.int64), np.full((n, max(k, 0)), -1.0, np.float32))
