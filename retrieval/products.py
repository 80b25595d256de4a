"""Product index: nearest neighbours by description, with filters on category, brand, currency and price."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from retrieval.errors import RetrievalError
from retrieval.hnsw import Mask, Vectors
from retrieval.rows import read_rows, write_rows
from retrieval.snapshot import Manifest, open_snapshot, save_snapshot
from retrieval.vectors import Columns, VectorIndex

_GRAPH: Final = "products.faiss"
_ROWS: Final = "products.arrow"
_COLUMNS: Final = ("category", "brand", "currency", "price_minor")
_NO_PRICE: Final = -1
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


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """Product data that a search returns and filters on; `price_minor` is the list price."""

    id: str
    title: str
    category: str
    brand: str
    currency: str
    price_minor: int | None


@dataclass(frozen=True, slots=True)
class ProductFilter:
    """Conditions that must all hold; None is no condition. A product without a price meets no price condition."""

    category: str | None = None
    brand: str | None = None
    currency: str | None = None
    min_price_minor: int | None = None
    max_price_minor: int | None = None


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A product found, with its cosine similarity."""

    entry: ProductEntry
    similarity: float


class ProductIndex:
    """Thread-safe index of products; a product is searchable once `upsert` returns."""

    def __init__(self, dim: int, made_with: str) -> None:
        """Start empty, for `dim`-dimensional unit vectors of encoder version `made_with`."""
        self.dim = dim
        self.made_with = made_with
        self.watermark = 0
        """Last store revision included; set by the writer, kept in snapshots."""
        self._index = VectorIndex(dim, _COLUMNS)
        self._entries: dict[str, ProductEntry] = {}
        self._currencies: set[str] = set()
        self._writing = Lock()
        self._saved = self._state

    def __len__(self) -> int:
        """Number of searchable products."""
        return len(self._index)

    def __contains__(self, product_id: str | None) -> bool:
        """Whether a product is searchable."""
        return product_id in self._entries

    def entry(self, product_id: str) -> ProductEntry | None:
        """The entry of a product, None if unknown."""
        return self._entries.get(product_id)

    @property
    def version(self) -> str:
        """Version string that changes with every write; recorded in decisions."""
        return f"{self.made_with}/{len(self._index)}.{self._index.changes}"

    @property
    def unsaved(self) -> bool:
        """Whether the index changed since its last snapshot, or since it was empty."""
        return self._state != self._saved

    @property
    def _state(self) -> tuple[str, int]:
        return self.version, self.watermark

    @property
    def only_currency(self) -> str | None:
        """Currency shared by all products ever added; None if there are several."""
        return next(iter(self._currencies)) if len(self._currencies) == 1 else None

    def upsert(self, entries: Sequence[ProductEntry], vectors: Vectors) -> None:
        """Add or replace products with unit vectors `(n, dim)`.

        Raises:
            RetrievalError: The vectors have a wrong shape, are not finite or not of unit length.
        """
        with self._writing:
            self._index.add([entry.id for entry in entries], vectors, _columns(entries))
            self._entries.update({entry.id: entry for entry in entries})
            self._currencies.update(entry.currency for entry in entries)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove products; unknown ids are ignored."""
        with self._writing:
            self._index.remove(ids)
            for product_id in ids:
                self._entries.pop(product_id, None)

    def ids(self) -> set[str]:
        """Ids of all searchable products."""
        return set(self._entries)

    def vector(self, product_id: str) -> NDArray[np.float32] | None:
        """Vector of a product `(dim,)`, None if unknown."""
        return self._index.vectors([product_id])[0]

    def vectors(self, product_ids: Sequence[str]) -> list[NDArray[np.float32] | None]:
        """Vectors of products `(dim,)`, None for unknown ones."""
        return self._index.vectors(product_ids)

    def similar(
        self, vectors: Vectors, k: int, condition: ProductFilter | None = None, exclude: Sequence[str | None] = ()
    ) -> list[list[Neighbour]]:
        """Find the `k` nearest products of each vector, best first; `exclude` has one product id or None per vector."""
        if exclude and len(exclude) != len(vectors):
            raise RetrievalError(
                f"exclude names {len(exclude)} products; allowed: one for each of {len(vectors)} vectors"
            )
        where = None if condition is None else _meets(condition)
        found = []
        for query, matches in enumerate(self._index.search(vectors, k + 1 if exclude else k, where)):
            unwanted = exclude[query] if exclude else None
            wanted = [match for match in matches if match.id != unwanted][:k]
            entries = [(self._entries.get(match.id), match.similarity) for match in wanted]
            found.append([Neighbour(entry, similarity) for entry, similarity in entries if entry is not None])
        return found

    def save(self, folder: Path) -> Manifest:
        """Write a snapshot and make it the folder's current one; concurrent reads go on."""
        state = self._state
        manifest = save_snapshot(folder, self._write)
        self._saved = state
        return manifest

    @classmethod
    def load(cls, folder: Path, made_with: str) -> "ProductIndex":
        """Load the folder's current snapshot.

        Raises:
            SnapshotError: The snapshot is missing or damaged, or was made with another encoder version.
        """
        snapshot = open_snapshot(folder, made_with)
        index = cls(snapshot.manifest.dim, made_with)
        index.watermark = snapshot.manifest.watermark
        rows = read_rows(snapshot.path / _ROWS, _SCHEMA)
        entries = [None if row is None else ProductEntry(**row) for row in rows]
        blank = ProductEntry("", "", "", "", "", None)
        ids = [None if entry is None else entry.id for entry in entries]
        index._index.restore(snapshot.path / _GRAPH, ids, _columns([entry or blank for entry in entries]))
        index._entries = {entry.id: entry for entry in entries if entry is not None}
        index._currencies = {entry.currency for entry in index._entries.values()}
        index._saved = index._state
        return index

    def _write(self, target: Path) -> Manifest:
        with self._writing:
            ids = self._index.write(target / _GRAPH)
            entries = [None if id is None else self._entries[id] for id in ids]
            version, watermark = self.version, self.watermark
        write_rows(target / _ROWS, entries, _SCHEMA)
        count = sum(entry is not None for entry in entries)
        return Manifest(version=version, made_with=self.made_with, dim=self.dim, count=count, watermark=watermark)


def _columns(entries: Sequence[ProductEntry]) -> Columns:
    price = [_NO_PRICE if entry.price_minor is None else entry.price_minor for entry in entries]
    return {
        "category": np.asarray([_code(entry.category) for entry in entries], np.int64),
        "brand": np.asarray([_code(entry.brand) for entry in entries], np.int64),
        "currency": np.asarray([_code(entry.currency) for entry in entries], np.int64),
        "price_minor": np.asarray(price, np.int64),
    }


def _code(word: str) -> int:
    """Hash a word to 64 bits, so that filters compare integers; collisions are negligible."""
    return int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big", signed=True)


def _meets(condition: ProductFilter) -> Callable[[Columns], Mask]:
    words = {"category": condition.category, "brand": condition.brand, "currency": condition.currency}
    codes = {name: _code(word) for name, word in words.items() if word is not None}

    def where(columns: Columns) -> Mask:
        mask = np.ones(len(columns["price_minor"]), bool)
        for name, code in codes.items():
            mask &= columns[name] == code
        if condition.min_price_minor is not None or condition.max_price_minor is not None:
            mask &= columns["price_minor"] != _NO_PRICE
        if condition.min_price_minor is not None:
            mask &= columns["price_minor"] >= condition.min_price_minor
        if condition.max_price_minor is not None:
            mask &= columns["price_minor"] <= condition.max_price_minor
        return mask

    return where
