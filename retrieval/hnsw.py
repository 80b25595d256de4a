"""An append-only HNSW graph over unit vectors (Malkov & Yashunin 2018), on FAISS.

A graph walk loses recall under a selective filter, because it may only answer with rows it happens to pass. Few
allowed rows are therefore compared exactly, and the walk is widened by the share of rows that a filter leaves.
Recall depends on the data: near-duplicate keys, such as those of the demo store, can hide most neighbours from a
single query. Not safe for a writer beside others; the owner locks.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import faiss
import numpy as np
from numpy.typing import NDArray

from retrieval.errors import RetrievalError

Vectors = NDArray[np.float32]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]

EXACT_ROWS: Final = 4_000
EXACT_SHARE: Final = 0.1
EXACT_SHARE_ROWS: Final = 20_000
UNIT_TOLERANCE: Final = 1e-3
_LINKS: Final = 24
_EF_CONSTRUCTION: Final = 64
_EF_SEARCH: Final = 96
_EF_LIMIT: Final = 1_024


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows `(n, k)`, -1 where fewer were found, and their inner products `(n, k)`, best first."""

    rows: Rows
    similarity: NDArray[np.float32]


class Graph:
    """Vectors by row number."""

    def __init__(self, dim: int, index: Any = None) -> None:
        """Start empty, or from a FAISS index that was read from a snapshot."""
        self._index = index if index is not None else _new_index(dim)
        self.dim = dim

    def __len__(self) -> int:
        """How many rows there are."""
        return int(self._index.ntotal)

    def add(self, vectors: Vectors) -> None:
        """Append rows."""
        self._index.add(np.ascontiguousarray(vectors, np.float32))

    def vectors(self, rows: Rows) -> Vectors:
        """Copies of the vectors of rows `(n, dim)`."""
        return np.asarray(self._matrix()[rows], np.float32)

    def wipe(self, rows: Rows) -> None:
        """Overwrite vectors with zeros; the links that lead through them stay."""
        self._matrix()[rows] = 0.0

    def search(self, queries: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """The `k` rows nearest by inner product, among `allowed` `(rows,)` when given."""
        n_rows = len(self)
        n_allowed = n_rows if allowed is None else int(np.count_nonzero(allowed))
        share = n_allowed / max(1, n_rows)
        if n_allowed <= EXACT_ROWS or (share < EXACT_SHARE and n_allowed <= EXACT_SHARE_ROWS):
            return self._exact(queries, k, None if n_allowed == n_rows else allowed)
        parameters = faiss.SearchParametersHNSW(efSearch=min(_EF_LIMIT, int(max(_EF_SEARCH, 2 * k) / share)))
        if n_allowed < n_rows and allowed is not None:
            bits = np.packbits(allowed, bitorder="little")  # must outlive the search: FAISS keeps a pointer
            parameters.sel = faiss.IDSelectorBitmap(bits)
        similarity, rows = self._index.search(np.ascontiguousarray(queries, np.float32), k, params=parameters)
        return Hits(rows, similarity)

    def write(self, path: Path) -> None:
        """Write in FAISS's format."""
        faiss.write_index(self._index, str(path))

    def _matrix(self) -> Vectors:
        """All vectors, a view that the next `add` invalidates."""
        if not len(self):
            return np.empty((0, self.dim), np.float32)
        storage = faiss.downcast_index(self._index.storage)
        flat = faiss.rev_swig_ptr(storage.get_xb(), len(self) * self.dim)
        return np.asarray(flat).reshape(len(self), self.dim)

    def _exact(self, queries: Vectors, k: int, allowed: Mask | None) -> Hits:
        hits = Hits(np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -1.0, np.float32))
        rows = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
        width = min(k, len(rows))
        if not width:
            return hits
        scores = queries @ (self._matrix() if allowed is None else self._matrix()[rows]).T  # (n, rows)
        top = np.argpartition(-scores, width - 1, axis=1)[:, :width]
        top.sort(axis=1)  # equal similarities come in the order of their rows
        found = np.take_along_axis(scores, top, 1)
        order = np.argsort(-found, axis=1, kind="stable")
        hits.rows[:, :width] = rows[np.take_along_axis(top, order, 1)]
        hits.similarity[:, :width] = np.take_along_axis(found, order, 1)
        return hits


def read_graph(path: Path) -> Graph:
    """Read a graph; the caller has checked the file's digest."""
    index = faiss.read_index(str(path))
    return Graph(int(index.d), index)


def checked(vectors: Vectors, dim: int, n: int | None = None) -> Vectors:
    """Vectors as they came, if they are `(n, dim)` and finite. Raises RetrievalError."""
    if vectors.ndim != 2 or vectors.shape[1] != dim or (n is not None and len(vectors) != n):
        expected = f"({'n' if n is None else n}, {dim})"
        raise RetrievalError(f"vectors have shape {vectors.shape}; allowed: {expected}")
    if not np.isfinite(vectors).all():
        raise RetrievalError("vectors hold NaN or infinity; check the encoder that made them")
    return vectors


def checked_units(vectors: Vectors, dim: int, n: int) -> Vectors:
    """Vectors that are `(n, dim)`, finite and of unit length. Raises RetrievalError."""
    lengths = np.linalg.norm(checked(vectors, dim, n), axis=1)
    if n and np.abs(lengths - 1.0).max() > UNIT_TOLERANCE:
        worst = float(lengths[np.abs(lengths - 1.0).argmax()])
        raise RetrievalError(f"a vector has length {worst:.4f}; allowed: 1, normalise before adding")
    return vectors


def _new_index(dim: int) -> Any:
    index = faiss.IndexHNSWFlat(dim, _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _EF_CONSTRUCTION
    return index
