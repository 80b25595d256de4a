"""Catalogue: products in memory with encoder states, weekly facts and the similarity index.

All of it is rebuilt from the store, the index from a snapshot and later changes.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.records import ProductRecord, ProductWeek
from agent.state.cached_encoder import CachedEncoder
from agent.state.shopper_histories import ProductLabels
from agent.store import Store
from agent.store.rows import chunks
from models.shopper.product_weeks import ProductWeeks
from models.shopper.texts import category_text, product_text
from models.shopper.weeks import week_of
from retrieval import ProductEntry, ProductIndex

_BATCH: Final = 512


def text_of(product: ProductRecord) -> str:
    """The text of a product that the encoder reads."""
    return product_text(product.title, product.category, product.brand, product.description)


def entry_of(product: ProductRecord) -> ProductEntry:
    """The index entry of a product."""
    return ProductEntry(
        id=product.product_id,
        title=product.title,
        category=product.category,
        brand=product.brand,
        currency=product.currency,
        price_minor=product.list_minor,
    )


class Catalogue:
    """Products in memory; several readers, one writer at a time."""

    def __init__(
        self, store: Store, encoder: CachedEncoder, index: ProductIndex, beside: "Catalogue | None" = None
    ) -> None:
        """Read products and weekly facts from the store, or share those of another catalogue with `beside`."""
        self._store = store
        self._encoder = encoder
        self.index = index
        if beside is None:
            self._products = {product.product_id: product for product in store.iter_products()}
            self.weeks = read_weeks(store, self._products.values())
            self._lock = Lock()
        else:
            self._products, self.weeks, self._lock = beside._products, beside.weeks, beside._lock

    def __len__(self) -> int:
        """Number of products."""
        return len(self._products)

    def product(self, product_id: str) -> ProductRecord | None:
        """A product by id; None when unknown."""
        return self._products.get(product_id)

    def products(self) -> list[ProductRecord]:
        """All products."""
        return list(self._products.values())

    def ids(self) -> list[str]:
        """Product ids in the order of the rows of `weeks`."""
        return list(self.weeks.rows)

    def title(self, product_id: str) -> str:
        """Title of a product; empty when unknown."""
        product = self._products.get(product_id)
        return product.title if product else ""

    def categories(self) -> set[str]:
        """Categories of all products."""
        return {product.category for product in list(self._products.values())}

    def labels(self, product_id: str, at_s: float | None) -> ProductLabels:
        """Category and brand of a product, and its reference price at a time (Unix seconds) if given."""
        product = self._products.get(product_id)
        if product is None:
            return ProductLabels()
        reference = float("nan") if at_s is None else self.reference_minor(product, at_s)
        return ProductLabels(product.category, product.brand, reference)

    def reference_minor(self, product: ProductRecord, at_s: float) -> float:
        """Reference price, minor units: median list price of the eight weeks before, else list price, else nan."""
        row = self.weeks.rows.get(product.product_id)
        if row is not None:
            known = float(self.weeks.facts(week_of(at_s)).reference[row])
            if known > 0:
                return known
        return float(product.list_minor) if product.list_minor else float("nan")

    def weekly_units(self, product_id: str, at_s: float) -> float | None:
        """Mean purchases a week in the eight weeks before a time; None without any."""
        row = self.weeks.rows.get(product_id)
        units = float(self.weeks.facts(week_of(at_s)).weekly_units[row]) if row is not None else 0.0
        return units or None

    def states(self, products: Sequence[ProductRecord]) -> NDArray[np.float32]:
        """Encoder states `(n, 384)`: from the index for known products, encoded now for others.

        Fields of a request beside a known product's id do not change its state; only the catalogue does.
        """
        found = self.known_states([product.product_id for product in products])
        unknown = np.flatnonzero(~found.any(axis=1)).tolist()
        if unknown:
            found[unknown] = self._embed([products[row] for row in unknown])
        return found

    def _embed(self, products: Sequence[ProductRecord]) -> NDArray[np.float32]:
        return self._encoder.encode([text_of(product) for product in products])

    def state(self, product_id: str) -> NDArray[np.float32] | None:
        """Encoder state `(384,)` of a product; None when unknown."""
        return self.index.vector(product_id)

    def known_states(self, product_ids: Sequence[str]) -> NDArray[np.float32]:
        """Encoder states `(n, 384)` of products by id, zeros for unknown ones."""
        found = np.zeros((len(product_ids), self.index.dim), np.float32)
        for row, vector in enumerate(self.index.vectors(product_ids)):
            if vector is not None:
                found[row] = vector
        return found

    def category_states(self, categories: Sequence[str]) -> NDArray[np.float32]:
        """Encoder states of categories `(n, 384)`."""
        return self._encoder.encode([category_text(category) for category in categories])

    def reindex(self, product_ids: Iterable[str]) -> None:
        """Encode and index known products again."""
        products = [self._products[product_id] for product_id in product_ids if product_id in self._products]
        if products:
            self.index.upsert([entry_of(product) for product in products], self._embed(products))

    def index_missing(self, on_share: Callable[[float], None] | None = None) -> int:
        """Encode and index products that the index lacks; returns their number. `on_share` gets the fraction done."""
        vectors = self.index.vectors(list(self._products))
        missing = [one for one, vector in zip(self._products.values(), vectors, strict=True) if vector is None]
        done = 0
        for products in chunks(missing, _BATCH):
            self.index.upsert([entry_of(product) for product in products], self._embed(products))
            done += len(products)
            if on_share is not None:
                on_share(done / len(missing))
        return len(missing)

    def upsert(self, products: Sequence[ProductRecord], now: datetime) -> None:
        """Store, encode and index products, searchable on return; new list prices apply from `now`."""
        latest = list({product.product_id: product for product in products}.values())
        vectors = self._embed(latest)
        with self._lock:
            self._store.upsert_products(latest, {one.product_id: now for one in latest if self._is_new_price(one)})
            self.index.upsert([entry_of(product) for product in latest], vectors)
            for product in latest:
                self._products[product.product_id] = product
                self.weeks.add_product(product.product_id, product.category)

    def _is_new_price(self, product: ProductRecord) -> bool:
        known = self._products.get(product.product_id)
        return known is None or (known.list_minor, known.currency) != (product.list_minor, product.currency)

    def count(self, weeks: Sequence[ProductWeek]) -> None:
        """Add stored purchases to the weekly facts of known products; a week's facts are used when it is over."""
        with self._lock:
            for week in weeks:
                self.weeks.record(week.product_id, week_of(week.week.timestamp()), week.purchases, week.list_minor)


def read_weeks(store: Store, products: Iterable[ProductRecord]) -> ProductWeeks:
    """Weekly facts of all products as matrices."""
    ids: list[str] = []
    weeks: list[int] = []
    columns: tuple[list[float], list[float], list[float]] = ([], [], [])
    nan = float("nan")
    starts: dict[datetime, int] = {}
    for row in store.product_weeks():
        week = starts.get(row.week)
        if week is None:
            week = starts[row.week] = week_of(row.week.timestamp())
        ids.append(row.product_id)
        weeks.append(week)
        columns[0].append(row.purchases)
        columns[1].append(nan if row.list_minor is None else row.list_minor)
        columns[2].append(nan if row.price_minor is None else row.price_minor)
    arrays = tuple(np.asarray(column, np.float64) for column in columns)
    return ProductWeeks.build(
        {product.product_id: product.category for product in products},
        (ids, np.asarray(weeks, np.int64), arrays[0], arrays[1], arrays[2]),
    )


def merge_inline(known: ProductRecord | None, inline: ProductRecord) -> ProductRecord:
    """A stored product with the fields that a request fills replaced by the request's."""
    if known is None:
        return inline
    fresh = {
        name: value
        for name in inline.__slots__
        if name not in ("product_id", "currency") and (value := getattr(inline, name)) not in (None, "", {})
    }
    if "attributes" in fresh:
        fresh["attributes"] = {**known.attributes, **inline.attributes}
    return replace(known, **fresh) if fresh else known
