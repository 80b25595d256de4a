"""Outcome memory: what alike shoppers did when they saw alike products at some price.

Rows are appended in the order the store numbers them and never change; a query asks for a moment in time and gets
nothing from that moment or later. Old rows leave when the capacity is reached.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ipc

from retrieval.errors import RetrievalError
from retrieval.graph import Graph, Mask, Vectors, read_graph
from retrieval.snapshot import Manifest, read_manifest, save_snapshot

_GRAPH: Final = "outcomes.faiss"
_ROWS: Final = "outcomes.arrow"


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One outcome. `price_ratio` is the offered price over the reference; `weight` the inverse sampling rate."""

    outcome_id: str
    product_id: str
    shopper_id: str
    at_us: int
    price_ratio: float
    bought: bool
    weight: float


@dataclass(frozen=True, slots=True)
class Remembered:
    """A row found, and the cosine similarity of its key."""

    row: MemoryRow
    similarity: float


class OutcomeMemory:
    """Many readers, one writer."""

    def __init__(self, dim: int, made_with: str, capacity: int = 300_000) -> None:
        """Start empty for keys of one evaluator version."""
        self.dim = dim
        self.made_with = made_with
        self.watermark = 0
        self._capacity = capacity
        self._graph = Graph(dim)
        self._rows: list[MemoryRow | None] = []
        self._at_us = np.empty(0, np.int64)
        self._n_live = 0
        self._lock = RLock()

    def __len__(self) -> int:
        """How many outcomes can be found."""
        return self._n_live

    def add(self, rows: Sequence[MemoryRow], keys: Vectors, watermark: int) -> None:
        """Remember outcomes; `keys` `(n, dim)` are unit length, `watermark` is the store's number of the last.

        Raises:
            RetrievalError: The keys do not fit the rows or this memory.
        """
        if keys.shape != (len(rows), self.dim):
            raise RetrievalError(f"keys have shape {keys.shape}, expected ({len(rows)}, {self.dim})")
        with self._lock:
            self._graph.add(keys)
            self._rows.extend(rows)
            self._at_us = np.concatenate([self._at_us, np.asarray([row.at_us for row in rows], np.int64)])
            self._n_live += len(rows)
            self.watermark = max(self.watermark, watermark)
            if self._n_live > self._capacity + self._capacity // 4:
                self._keep_newest()

    def neighbours(self, keys: Vectors, k: int, before_us: Sequence[int]) -> list[list[Remembered]]:
        """The `k` nearest outcomes of each key that happened strictly before its moment (microseconds)."""
        with self._lock:
            found: list[list[Remembered]] = [[] for _ in before_us]
            moments = np.asarray(before_us, np.int64)
            latest = self._at_us.max(initial=0)
            recent = moments > latest  # everything is past: the graph needs no time filter
            if recent.any():
                self._read(keys, np.flatnonzero(recent), k, self._live_mask(), found)
            for moment in np.unique(moments[~recent]):
                queries = np.flatnonzero(moments == moment)
                self._read(keys, queries, k, (self._at_us < moment) & self._live(), found)
            return found

    def erase_shopper(self, shopper_id: str) -> int:
        """Forget a shopper's outcomes; returns how many."""
        with self._lock:
            erased = 0
            for index, row in enumerate(self._rows):
                if row is not None and row.shopper_id == shopper_id:
                    self._rows[index] = None
                    erased += 1
            self._n_live -= erased
            return erased

    def save(self, folder: Path) -> Manifest:
        """Write a snapshot, erased rows left out."""
        with self._lock:
            if self._n_live < len(self._rows):
                self._rebuild([index for index, row in enumerate(self._rows) if row is not None])
            table = pa.Table.from_pylist(
                [{name: getattr(row, name) for name in MemoryRow.__slots__} for row in self._rows], schema=_SCHEMA
            )
            manifest = Manifest(
                version=f"{self.made_with}/{len(table)}",
                made_with=self.made_with,
                dim=self.dim,
                count=len(table),
                watermark=self.watermark,
            )

            def write(target: Path) -> None:
                self._graph.write(target / _GRAPH)
                with ipc.new_file(str(target / _ROWS), _SCHEMA) as sink:
                    sink.write_table(table)

            return save_snapshot(folder, manifest, write)

    @classmethod
    def load(cls, folder: Path, made_with: str, capacity: int = 300_000) -> "OutcomeMemory":
        """Read a snapshot.

        Raises:
            SnapshotError: It cannot be trusted, or was made with another evaluator.
        """
        manifest = read_manifest(folder, made_with)
        memory = cls(manifest.dim, made_with, capacity)
        memory._graph = read_graph(folder / _GRAPH)
        with pa.memory_map(str(folder / _ROWS)) as source:
            columns = ipc.open_file(source).read_all().to_pydict()
        memory._rows = [MemoryRow(*values) for values in zip(*(columns[name] for name in MemoryRow.__slots__), strict=True)]
        memory._at_us = np.asarray(columns["at_us"], np.int64)
        memory._n_live = len(memory._rows)
        memory.watermark = manifest.watermark
        return memory

    def _read(
        self, keys: Vectors, queries: NDArray[np.int64], k: int, allowed: Mask | None, found: list[list[Remembered]]
    ) -> None:
        hits = self._graph.search(keys[queries], k, allowed)
        for query, rows, scores in zip(queries.tolist(), hits.rows.tolist(), hits.similarity.tolist(), strict=True):
            for index, score in zip(rows, scores, strict=True):
                row = self._rows[index] if index >= 0 else None
                if row is not None:
                    found[query].append(Remembered(row, min(1.0, score)))

    def _live(self) -> Mask:
        return np.fromiter((row is not None for row in self._rows), bool, len(self._rows))

    def _live_mask(self) -> Mask | None:
        return None if self._n_live == len(self._rows) else self._live()

    def _keep_newest(self) -> None:
        live = [index for index, row in enumerate(self._rows) if row is not None]
        newest = sorted(live, key=lambda index: (self._at_us[index], index))[-self._capacity :]
        self._rebuild(sorted(newest))

    def _rebuild(self, kept: list[int]) -> None:
        graph = Graph(self.dim)
        if kept:
            graph.add(self._graph.vectors(np.asarray(kept, np.int64)))
        self._graph = graph
        self._rows = [self._rows[index] for index in kept]
        self._at_us = self._at_us[kept]
        self._n_live = len(kept)


_SCHEMA: Final = pa.schema(
    [
        ("outcome_id", pa.string()),
        ("product_id", pa.string()),
        ("shopper_id", pa.string()),
        ("at_us", pa.int64()),
        ("price_ratio", pa.float64()),
        ("bought", pa.bool_()),
        ("weight", pa.float64()),
    ]
)
