"""Products by similarity of their descriptions, with filters on what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import RLock
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import ipc

from retrieval.graph import Graph, Mask, Vectors, read_graph
from retrieval.snapshot import Manifest, read_manifest, save_snapshot

_GRAPH: Final = "products.faiss"
_ROWS: Final = "products.arrow"
_REBUILD_SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """What a search returns and filters on; `price_minor` is the list price."""

    id: str
    title: str
    category: str
    brand: str
    currency: str
    price_minor: int | None


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Conditions that all must hold; None asks nothing."""

    category: str | None = None
    brand: str | None = None
    currency: str | None = None
    max_price_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A product found, and its cosine similarity."""

    entry: ProductEntry
    similarity: float


class ProductIndex:
    """Many readers, one writer."""

    def __init__(self, dim: int, made_with: str) -> None:
        """Start empty for unit vectors of one encoder version."""
        self.dim = dim
        self.made_with = made_with
        self._graph = Graph(dim)
        self._entries: list[ProductEntry | None] = []  # by row; None when retired
        self._rows: dict[str, int] = {}
        self._currencies: set[str] = set()
        self._changes = 0
        self._alive: Mask | None = None  # cache of "not retired", dropped at every write
        self._lock = RLock()

    def __len__(self) -> int:
        """How many products can be found."""
        return len(self._rows)

    @property
    def version(self) -> str:
        """Changes with every write; recorded in decisions."""
        return f"{self.made_with}/{len(self._rows)}.{self._changes}"

    @property
    def only_currency(self) -> str | None:
        """The one currency of all products ever held, None when there are several."""
        return next(iter(self._currencies)) if len(self._currencies) == 1 else None

    def upsert(self, entries: Sequence[ProductEntry], vectors: Vectors) -> None:
        """Add or replace products; `vectors` `(n, dim)` are unit length."""
        with self._lock:
            for entry in entries:
                self._retire(entry.id)
            start = len(self._entries)
            self._graph.add(vectors)
            for row, entry in enumerate(entries, start):
                self._entries.append(entry)
                self._rows[entry.id] = row
                self._currencies.add(entry.currency)
            self._changed()
            if len(self._entries) - len(self._rows) > _REBUILD_SHARE * len(self._entries):
                self._rebuild()

    def remove(self, ids: Sequence[str]) -> None:
        """Make products unfindable; unknown ids are passed over."""
        with self._lock:
            for product_id in ids:
                self._retire(product_id)
            self._changed()

    def vector(self, product_id: str) -> NDArray[np.float32] | None:
        """A product's vector `(dim,)`, None when it is unknown."""
        with self._lock:
            row = self._rows.get(product_id)
            return None if row is None else self._graph.vectors(np.asarray([row]))[0]

    def similar(
        self, vectors: Vectors, k: int, condition: ProductFilter | None = None, exclude: Sequence[str | None] = ()
    ) -> list[list[Neighbour]]:
        """The `k` nearest products of each vector; `exclude` names one product per vector that is not wanted."""
        with self._lock:
            allowed = self._mask(condition)
            hits = self._graph.search(vectors, k + 1 if exclude else k, allowed)
            entries = self._entries
            found = []
            for query, (rows, scores) in enumerate(zip(hits.rows, hits.similarity, strict=True)):
                unwanted = exclude[query] if exclude else None
                row_found: list[Neighbour] = []
                for row, score in zip(rows.tolist(), scores.tolist(), strict=True):
                    entry = entries[row] if row >= 0 else None
                    if entry is not None and entry.id != unwanted:
                        row_found.append(Neighbour(entry, min(1.0, score)))
                found.append(row_found[:k])
            return found

    def save(self, folder: Path) -> Manifest:
        """Write a snapshot."""
        with self._lock:
            live = [row for row, entry in enumerate(self._entries) if entry is not None]
            if len(live) < len(self._entries):
                self._rebuild()
            table = pa.Table.from_pylist(
                [{name: getattr(entry, name) for name in ProductEntry.__slots__} for entry in self._entries],
                schema=_SCHEMA,
            )
            manifest = Manifest(version=self.version, made_with=self.made_with, dim=self.dim, count=len(table))

            def write(target: Path) -> None:
                self._graph.write(target / _GRAPH)
                with ipc.new_file(str(target / _ROWS), _SCHEMA) as sink:
                    sink.write_table(table)

            return save_snapshot(folder, manifest, write)

    @classmethod
    def load(cls, folder: Path, made_with: str) -> "ProductIndex":
        """Read a snapshot.

        Raises:
            SnapshotError: It cannot be trusted, or was made with another encoder.
        """
        manifest = read_manifest(folder, made_with)
        index = cls(manifest.dim, made_with)
        index._graph = read_graph(folder / _GRAPH)
        with pa.memory_map(str(folder / _ROWS)) as source:
            entries = [ProductEntry(**row) for row in ipc.open_file(source).read_all().to_pylist()]
        index._entries = list(entries)
        index._currencies = {entry.currency for entry in entries}
        index._rows = {entry.id: row for row, entry in enumerate(entries)}
        return index

    def _changed(self) -> None:
        self._changes += 1
        self._alive = None

    def _retire(self, product_id: str) -> None:
        row = self._rows.pop(product_id, None)
        if row is not None:
            self._entries[row] = None

    def _mask(self, condition: ProductFilter | None) -> Mask | None:
        if condition is None and len(self._rows) == len(self._entries):
            return None
        if condition is None:
            if self._alive is None:
                self._alive = np.fromiter((entry is not None for entry in self._entries), bool)
            return self._alive
        return np.fromiter((entry is not None and _meets(entry, condition) for entry in self._entries), bool)

    def _rebuild(self) -> None:
        rows = np.asarray([row for row, entry in enumerate(self._entries) if entry is not None], np.int64)
        graph = Graph(self.dim)
        if len(rows):
            graph.add(self._graph.vectors(rows))
        self._graph = graph
        self._entries = [self._entries[row] for row in rows]
        self._rows = {entry.id: row for row, entry in enumerate(self._entries) if entry is not None}


_SCHEMA: Final = pa.schema(
    [
        ("id", pa.string()),
        ("title", pa.string()),
        ("category", pa.string()),
        ("brand", pa.string()),
        ("currency", pa.string()),
        ("price_minor", pa.int64()),
    ]
)


def _meets(entry: ProductEntry, condition: ProductFilter) -> bool:
    return (
        (condition.category is None or entry.category == condition.category)
        and (condition.brand is None or entry.brand == condition.brand)
        and (condition.currency is None or entry.currency == condition.currency)
        and (
            condition.max_price_minor is None
            or (entry.price_minor is not None and entry.price_minor <= condition.max_price_minor)
        )
    )
