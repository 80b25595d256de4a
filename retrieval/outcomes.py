"""Outcome memory: nearest-neighbour index of past outcomes, by the shopper's items and the product.

Each query has a time and finds only outcomes strictly before it. At capacity the oldest outcomes are evicted. Keys of
an erased shopper are overwritten with zeros.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.errors import RetrievalError
from retrieval.hnsw import Vectors
from retrieval.rows import read_rows, write_rows
from retrieval.snapshot import Manifest, open_snapshot, save_snapshot
from retrieval.vectors import Columns, VectorIndex, Where

_GRAPH: Final = "outcomes.faiss"
_ROWS: Final = "outcomes.arrow"
_AT: Final = "at_us"
_BOUGHT: Final = "bought"
_REALS: Final = ("weight", "price_ratio")  # stored in integer columns as the bits of a float64
_SLACK: Final = 0.02  # excess over capacity before eviction, so that not every outcome triggers a sort
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


@dataclass(frozen=True, slots=True)
class MemoryRow:
    """One outcome; `price_ratio` is the price offered over the reference, `weight` the inverse sampling rate."""

    outcome_id: str
    product_id: str
    shopper_id: str
    at_us: int
    price_ratio: float
    bought: bool
    weight: float


@dataclass(frozen=True, slots=True)
class SimilarOutcomes:
    """Outcomes found for a batch of keys, `(n, k)` each; missing ones have weight and similarity 0.

    Attributes:
        count: Number of outcomes found, `(n,)`.
    """

    bought: NDArray[np.float64]
    weight: NDArray[np.float64]
    similarity: NDArray[np.float64]
    price_ratio: NDArray[np.float64]
    count: NDArray[np.int64]

    def keeping(self, row: int, places: Sequence[int]) -> "SimilarOutcomes":
        """These outcomes with only those at some places of one row, moved to its front."""
        arrays = {name: getattr(self, name).copy() for name in ("bought", "weight", "similarity", "price_ratio")}
        for array in arrays.values():
            array[row] = np.append(array[row, list(places)], np.zeros(array.shape[1] - len(places)))
        count = self.count.copy()
        count[row] = len(places)
        return SimilarOutcomes(**arrays, count=count)


class OutcomeMemory:
    """Thread-safe index of outcomes; an outcome is searchable once `add` returns.

    `watermark` is the store's sequence number of the last outcome added; after a load, later ones are replayed.
    """

    def __init__(self, dim: int, made_with: str, capacity: int = 300_000) -> None:
        """Start empty, for keys of evaluator version `made_with` and up to `capacity` outcomes, the newest."""
        self.dim = dim
        self.made_with = made_with
        self.watermark = 0
        self._kept = 0  # watermark of the snapshot
        self._capacity = capacity
        self._index = VectorIndex(dim, (_AT, _BOUGHT, *_REALS))
        self._rows: dict[str, MemoryRow] = {}
        self._latest_us = -1
        self._writing = Lock()

    def __len__(self) -> int:
        """Number of searchable outcomes."""
        return len(self._index)

    @property
    def capacity(self) -> int:
        """Largest number of outcomes kept."""
        return self._capacity

    @property
    def unsaved(self) -> bool:
        """Whether outcomes were added since the snapshot."""
        return self.watermark > self._kept

    @property
    def version(self) -> str:
        """Version string that changes with every write; recorded in decisions."""
        return f"{self.made_with}/{len(self._index)}.{self._index.changes}"

    @property
    def state(self) -> str:
        """Version, and how often the graph was rebuilt: what a search finds depends on both."""
        return f"{self.version}.{self._index.rebuilds}"

    def latest_of(self, before_us: int) -> int:
        """The latest time that is equivalent to a query's: all after the newest outcome are."""
        return min(before_us, self._latest_us + 1)

    def add(self, rows: Sequence[MemoryRow], keys: Vectors, watermark: int) -> None:
        """Add outcomes, replacing those with a known id.

        Args:
            rows: Outcomes.
            keys: Unit vectors `(n, dim)`.
            watermark: Store sequence number of the last outcome.

        Raises:
            RetrievalError: The keys have a wrong shape, are not finite or not of unit length.
        """
        columns = _columns(rows)
        with self._writing:
            self._latest_us = max(self._latest_us, int(columns[_AT].max(initial=-1)))  # before they can be found
            self._index.add([row.outcome_id for row in rows], keys, columns)
            self._rows.update({row.outcome_id: row for row in rows})
            self.watermark = max(self.watermark, watermark)
            if len(self._rows) > self._capacity * (1 + _SLACK):
                self._evict_oldest()

    def neighbours(
        self, keys: Vectors, k: int, before_us: Sequence[int]
    ) -> tuple[SimilarOutcomes, list[list[MemoryRow]]]:
        """Find the `k` nearest outcomes of each key, strictly before its time (microseconds), best first.

        Returns them as arrays and as rows. Outcomes removed since the search are in neither.
        """
        named: list[tuple[Sequence[int], Sequence[str | None]]] = [((), ())] * len(keys)
        found = self._search(keys, k, before_us, named)
        outcomes: list[list[MemoryRow]] = []
        for query, (rows, ids) in enumerate(named):
            kept = [self._rows.get(ids[row] or "") if row >= 0 else None for row in rows]
            places = [place for place, one in enumerate(kept) if one is not None]
            if len(places) < found.count[query] or (places and places[-1] >= len(places)):
                found = found.keeping(query, places)
            outcomes.append([one for one in kept if one is not None])
        return found, outcomes

    def alike(self, keys: Vectors, k: int, before_us: Sequence[int]) -> SimilarOutcomes:
        """Find the arrays of `neighbours` alone."""
        return self._search(keys, k, before_us)

    def _search(
        self,
        keys: Vectors,
        k: int,
        before_us: Sequence[int],
        named: list[tuple[Sequence[int], Sequence[str | None]]] | None = None,
    ) -> SimilarOutcomes:
        """Search as `neighbours`; `named` gets the index rows found by each query, and the ids of all index rows."""
        shape = (len(keys), k)
        arrays = {name: np.zeros(shape) for name in ("bought", "similarity", *_REALS)}
        count = np.zeros(len(keys), np.int64)
        for queries, where in self._by_moment(keys, before_us):
            hits = self._index.search_columns(keys[queries], k, where)
            count[queries] = hits.found.sum(axis=1)
            arrays["similarity"][queries] = hits.similarity
            arrays["bought"][queries] = hits.columns[_BOUGHT]
            for name in _REALS:
                arrays[name][queries] = hits.columns[name].view(np.float64)
            if named is not None:
                for query, rows in zip(queries.tolist(), hits.rows.tolist(), strict=True):
                    named[query] = rows, hits.ids
        return SimilarOutcomes(**arrays, count=count)

    def shopper_ids(self) -> set[str]:
        """Ids of all shoppers named by an outcome."""
        with self._writing:
            return {row.shopper_id for row in self._rows.values() if row.shopper_id}

    def outcome_ids(self) -> list[str]:
        """Ids of all outcomes."""
        with self._writing:
            return list(self._rows)

    def remove(self, outcome_ids: Sequence[str]) -> None:
        """Remove outcomes and overwrite their keys; unknown ids are ignored."""
        with self._writing:
            self._remove([one for one in outcome_ids if one in self._rows], wipe=True)

    def erase_shopper(self, shopper_id: str) -> int:
        """Remove a shopper's outcomes and overwrite their keys; returns their number.

        Existing snapshots keep them until the next `save`.
        """
        with self._writing:
            ids = [row.outcome_id for row in self._rows.values() if row.shopper_id == shopper_id]
            self._remove(ids, wipe=True)
            return len(ids)

    def forget_names(self, before_us: int) -> int:
        """Remove the shopper ids of outcomes before a time; returns their number. Keys and outcomes stay."""
        with self._writing:
            old = [row for row in self._rows.values() if row.at_us < before_us and row.shopper_id]
            self._rows.update({row.outcome_id: replace(row, shopper_id="") for row in old})
            return len(old)

    def save(self, folder: Path) -> Manifest:
        """Write a snapshot and make it the folder's current one; concurrent reads go on."""
        made = save_snapshot(folder, self._write)
        self._kept = made.watermark
        return made

    @classmethod
    def load(cls, folder: Path, made_with: str, capacity: int = 300_000) -> "OutcomeMemory":
        """Load the folder's current snapshot.

        Raises:
            SnapshotError: The snapshot is missing or damaged, or was made with another evaluator version.
        """
        snapshot = open_snapshot(folder, made_with)
        memory = cls(snapshot.manifest.dim, made_with, capacity)
        rows = [None if row is None else MemoryRow(**row) for row in read_rows(snapshot.path / _ROWS, _SCHEMA)]
        blank = MemoryRow("", "", "", -1, 1.0, False, 0.0)
        columns = _columns([row or blank for row in rows])
        ids = [None if row is None else row.outcome_id for row in rows]
        memory._index.restore(snapshot.path / _GRAPH, ids, columns)
        memory._rows = {row.outcome_id: row for row in rows if row is not None}
        memory._latest_us = int(columns[_AT].max(initial=-1))
        memory.watermark = memory._kept = snapshot.manifest.watermark
        return memory

    def _write(self, target: Path) -> Manifest:
        with self._writing:
            ids = self._index.write(target / _GRAPH)
            rows = [None if id is None else self._rows[id] for id in ids]
            version, watermark = self.version, self.watermark
        write_rows(target / _ROWS, rows, _SCHEMA)
        count = sum(row is not None for row in rows)
        return Manifest(version=version, made_with=self.made_with, dim=self.dim, count=count, watermark=watermark)

    def _by_moment(self, keys: Vectors, before_us: Sequence[int]) -> Iterator[tuple[NDArray[np.intp], Where | None]]:
        """Group queries by time; yields their indices and the filter on earlier outcomes."""
        if len(before_us) != len(keys):
            raise RetrievalError(f"before_us has {len(before_us)} times; allowed: one for each of {len(keys)} keys")
        moments = np.minimum(np.asarray(before_us, np.int64), self._latest_us + 1)  # all later times are equivalent
        for moment in np.unique(moments).tolist():
            yield np.flatnonzero(moments == moment), None if moment > self._latest_us else _before(moment)

    def _evict_oldest(self) -> None:
        rows = list(self._rows.values())
        moments = np.asarray([row.at_us for row in rows], np.int64)
        oldest = np.argsort(moments, kind="stable")[: len(rows) - self._capacity]
        self._remove([rows[index].outcome_id for index in oldest.tolist()], wipe=False)

    def _remove(self, ids: Sequence[str], *, wipe: bool) -> None:
        self._index.remove(ids, wipe=wipe)
        for outcome_id in ids:
            self._rows.pop(outcome_id, None)


def _columns(rows: Sequence[MemoryRow]) -> Columns:
    reals = {name: np.asarray([getattr(row, name) for row in rows], np.float64).view(np.int64) for name in _REALS}
    moments = np.asarray([row.at_us for row in rows], np.int64)
    return {_AT: moments, _BOUGHT: np.asarray([row.bought for row in rows], np.int64), **reals}


def _before(moment_us: int) -> Where:
    return lambda columns: columns[_AT] < moment_us
