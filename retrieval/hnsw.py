"""Append-only HNSW index of unit vectors (Malkov and Yashunin 2018), on FAISS.

A selective filter lowers the recall of HNSW, because only visited rows can be returned. Below a number of allowed rows
the search is therefore exact, and otherwise efSearch grows with the inverse of the share of allowed rows. Recall
depends on the data: among near-duplicate keys, as in the demo store, a query can miss most neighbours. Not thread-safe;
the owner must lock.

Beyond `HALF_ROWS` rows vectors are kept as float16, half as large: inner products of unit vectors then differ by about
a ten-thousandth.
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
HALF_ROWS: Final = 100_000
UNIT_TOLERANCE: Final = 1e-3
_LINKS: Final = 24
_EF_CONSTRUCTION: Final = 64
_EF_SEARCH: Final = 96
_EQUAL: Final = 2.0**-20  # similarities that differ by less are equal
_EF_LIMIT: Final = 1_024


@dataclass(frozen=True, slots=True)
class Hits:
    """Rows found `(n, k)`, -1 where fewer were found, and their inner products `(n, k)`, best first."""

    rows: Rows
    similarity: NDArray[np.float32]


class HnswGraph:
    """Unit vectors by row number."""

    def __init__(self, dim: int, mapped: Any = None) -> None:
        """Start empty, or with a FAISS index that maps its file; the first change copies it into memory."""
        self._index = mapped if mapped is not None else _new_index(dim)
        self._mapped = mapped is not None
        self.dim = dim

    def __len__(self) -> int:
        """Number of rows."""
        return int(self._index.ntotal)

    def add(self, vectors: Vectors) -> None:
        """Append vectors `(n, dim)`."""
        if len(vectors):
            self._own()
            if len(self) + len(vectors) > HALF_ROWS and not self.is_half:
                self._index = _halved(self._index)
            self._index.add(np.ascontiguousarray(vectors, np.float32))

    @property
    def is_half(self) -> bool:
        """Whether vectors are kept as float16."""
        return isinstance(self._index, faiss.IndexHNSWSQ)

    def vectors(self, rows: Rows) -> Vectors:
        """Copy the vectors of rows, `(n, dim)`."""
        return np.asarray(self._matrix()[rows], np.float32)

    def wipe(self, rows: Rows) -> None:
        """Overwrite vectors with zeros; the graph's links through them stay."""
        if len(rows):
            self._own()
            self._matrix()[rows] = 0.0

    def search(self, queries: Vectors, k: int, allowed: Mask | None = None) -> Hits:
        """Find the `k` rows with the largest inner product with each query, among `allowed` `(rows,)` if given."""
        n_rows = len(self)
        n_allowed = n_rows if allowed is None else int(np.count_nonzero(allowed))
        share = n_allowed / max(1, n_rows)
        if n_allowed <= EXACT_ROWS or (share < EXACT_SHARE and n_allowed <= EXACT_SHARE_ROWS):
            return self._exact(queries, k, None if n_allowed == n_rows else allowed)
        parameters = faiss.SearchParametersHNSW(efSearch=min(_EF_LIMIT, int(max(_EF_SEARCH, 2 * k) / share)))
        if n_allowed < n_rows and allowed is not None:
            bits = np.packbits(allowed, bitorder="little")  # must outlive the search, as FAISS keeps a pointer
            parameters.sel = faiss.IDSelectorBitmap(bits)
        similarity, rows = self._index.search(np.ascontiguousarray(queries, np.float32), k, params=parameters)
        return Hits(rows, similarity)

    def write(self, path: Path) -> None:
        """Write the graph in FAISS's format."""
        faiss.write_index(self._index, str(path))

    def _own(self) -> None:
        """Copy a mapped index into memory: FAISS ends the process at a change of one, and its pages are read-only."""
        if self._mapped:
            self._index, self._mapped = faiss.deserialize_index(faiss.serialize_index(self._index)), False

    def _matrix(self) -> NDArray[np.floating[Any]]:
        """View of all vectors, float32 or float16, invalidated by the next `add`."""
        if not len(self):
            return np.empty((0, self.dim), np.float32)
        return _matrix_of(self._index)

    def _exact(self, queries: Vectors, k: int, allowed: Mask | None) -> Hits:
        hits = Hits(np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -1.0, np.float32))
        rows = np.arange(len(self)) if allowed is None else np.flatnonzero(allowed)
        width = min(k, len(rows))
        if not width:
            return hits
        matrix = self._matrix() if allowed is None else self._matrix()[rows]
        scores = queries @ matrix.astype(np.float32, copy=False).T  # (n, rows)
        # The product's last bits depend on the batch: rows that are equal but for them are taken in row order.
        rank = np.arange(len(rows)) / len(rows) - np.rint(scores.astype(np.float64) / _EQUAL)
        top = np.argpartition(rank, width - 1, axis=1)[:, :width]
        top = np.take_along_axis(top, np.argsort(np.take_along_axis(rank, top, 1), axis=1), 1)
        hits.rows[:, :width] = rows[top]
        hits.similarity[:, :width] = np.take_along_axis(scores, top, 1)
        return hits


def read_graph(path: Path) -> HnswGraph:
    """Map a graph's file into memory, which processes share; the caller must have verified its digest.

    The file may be deleted later, but not changed.
    """
    index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    return HnswGraph(int(index.d), index)


def checked(vectors: Vectors, dim: int, n: int | None = None) -> Vectors:
    """Return `vectors` unchanged.

    Raises:
        RetrievalError: They are not `(n, dim)` or not finite.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dim or (n is not None and len(vectors) != n):
        expected = f"({'n' if n is None else n}, {dim})"
        raise RetrievalError(f"vectors have shape {vectors.shape}; allowed: {expected}")
    if not np.isfinite(vectors).all():
        raise RetrievalError("vectors contain NaN or infinity; remedy: check the encoder that computed them")
    return vectors


def checked_units(vectors: Vectors, dim: int, n: int) -> Vectors:
    """Return `vectors` unchanged.

    Raises:
        RetrievalError: They are not `(n, dim)`, not finite or not of unit length.
    """
    lengths = np.linalg.norm(checked(vectors, dim, n), axis=1)
    if n and np.abs(lengths - 1.0).max() > UNIT_TOLERANCE:
        worst = float(lengths[np.abs(lengths - 1.0).argmax()])
        raise RetrievalError(f"a vector has length {worst:.4f}; allowed: 1; remedy: normalise vectors before adding")
    return vectors


def _new_index(dim: int) -> Any:
    index = faiss.IndexHNSWFlat(dim, _LINKS, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = _EF_CONSTRUCTION
    return index


def _halved(index: Any) -> Any:
    """Copy an index of float32 vectors with the same graph and float16 ones."""
    half = faiss.IndexHNSWSQ(index.d, faiss.ScalarQuantizer.QT_fp16, _LINKS, faiss.METRIC_INNER_PRODUCT)
    half.hnsw = index.hnsw
    if index.ntotal:
        half.storage.add(_matrix_of(index))
    half.ntotal = index.ntotal
    return half


def _matrix_of(index: Any) -> NDArray[np.floating[Any]]:
    storage = faiss.downcast_index(index.storage)
    if isinstance(storage, faiss.IndexFlat):
        vectors = faiss.rev_swig_ptr(storage.get_xb(), index.ntotal * index.d)
    else:
        vectors = faiss.rev_swig_ptr(storage.codes.data(), index.ntotal * index.d * 2).view(np.float16)
    return np.asarray(vectors).reshape(index.ntotal, index.d)
