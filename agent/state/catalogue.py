"""Catalogue: products in memory with encoder states, weekly facts and the similarity index.

All of it is rebuilt from the store, the index from a snapshot and later changes.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.clock import StoreClock
from agent.domain.records import ProductRecord, ProductWeek
from agent.state.cached_encoder import CachedEncoder
from agent.state.list_prices import ListPrices
from agent.state.shopper_histories import ProductLabels
from agent.store import Store
from agent.store.rows import chunks
from models.shopper.product_weeks import ProductWeeks, WeekRows
from models.shopper.texts import category_text, product_text
from models.shopper.weeks import week_of
from retrieval import ProductEntry, ProductIndex

_BATCH: Final = 512
_CATEGORIES: Final = 1_000
_INT64: Final = 2**63 - 1


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


@dataclass(slots=True)
class _Known:
    """Memory of the catalogue that does not depend on the encoder.

    Attributes:
        former: Removed products, whose words past events still need.
        sums: Checksums of products, as far as they were asked for.
        revision: The store's revision that memory has reached.
    """

    products: dict[str, ProductRecord]
    former: dict[str, ProductRecord]
    listed: ListPrices
    weeks: ProductWeeks
    revision: int
    sums: dict[str, int] = field(default_factory=dict)


class Catalogue:
    """Products in memory; several readers, one follower of the store at a time."""

    def __init__(
        self, store: Store, encoder: CachedEncoder, index: ProductIndex, beside: "Catalogue | None" = None
    ) -> None:
        """Read products and weekly facts from the store, or share those of another catalogue with `beside`."""
        self._store = store
        self._encoder = encoder
        self.index = index
        self._known: _Known = _read(store) if beside is None else beside._known
        self._products, self.weeks = self._known.products, self._known.weeks

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

    @property
    def revision(self) -> int:
        """The store's revision of products that memory has reached."""
        return self._known.revision

    def title(self, product_id: str) -> str:
        """Title of a product, a removed one too; empty when unknown."""
        product = self._described(product_id)
        return product.title if product else ""

    def categories(self) -> set[str]:
        """Categories of all products."""
        return {product.category for product in list(self._products.values())}

    def labels(self, product_id: str, at_s: float | None) -> ProductLabels:
        """Category, brand and currency of a product, and its reference price at a time (Unix seconds) if given.

        Removed products have them too: what a shopper did with one still tells the taste.
        """
        product = self._described(product_id)
        if product is None:
            return ProductLabels()
        reference = float("nan") if at_s is None else self.reference_minor(product, at_s)
        return ProductLabels(product.category, product.brand, reference, product.currency)

    def checksum(self, product_ids: Iterable[str]) -> int:
        """Checksum of category, brand, currency and first list price of products, in any order."""
        sums, ids = self._known.sums, list(product_ids)
        known = list(map(sums.get, ids))
        if None in known:
            known = [sums.get(product_id) or self._sum(product_id) for product_id in ids]
        return sum(filter(None, known)) & _INT64

    def _sum(self, product_id: str) -> int:
        product = self._described(product_id)
        if product is None:
            return 0
        first = self._known.listed.first(product)
        words = repr((product_id, product.category, product.brand, product.currency, first))
        found = int.from_bytes(blake2b(words.encode(), digest_size=8).digest(), "big")
        self._known.sums[product_id] = found
        if self._described(product_id) is not product:  # changed meanwhile
            self._known.sums.pop(product_id, None)
        return found

    def _described(self, product_id: str) -> ProductRecord | None:
        return self._products.get(product_id) or self._known.former.get(product_id)

    def reference_minor(self, product: ProductRecord, at_s: float) -> float:
        """Reference price at a time on the behaviour clock, minor units of the product's currency; nan when unknown.

        The list price in force then. Where the catalogue had none, the median weekly list price of the eight weeks
        before, as sales tell it, and without sales the first list price.
        """
        listed = self._known.listed.at(product, at_s)
        if listed:
            return float(listed)
        row = self.weeks.rows.get(product.product_id)
        sold_at = float(self.weeks.facts(week_of(at_s)).reference[row]) if row is not None else float("nan")
        return sold_at if sold_at > 0 else float(self._known.listed.first(product) or "nan")

    def weekly_units(self, product_id: str, at_s: float) -> float | None:
        """Mean purchases a week in the eight weeks before a time; None without any."""
        row = self.weeks.rows.get(product_id)
        units = float(self.weeks.facts(week_of(at_s)).weekly_units[row]) if row is not None else 0.0
        return units or None

    def sell(self, product_ids: Sequence[str], at_s: float) -> list[bool]:
        """Tell of each product whether it was sold in the eight weeks before a time."""
        rows = [self.weeks.rows.get(product_id, -1) for product_id in product_ids]
        units = self.weeks.facts(week_of(at_s)).weekly_units
        return [row >= 0 and bool(units[row]) for row in rows]

    def states(self, products: Sequence[ProductRecord]) -> NDArray[np.float32]:
        """Encoder states `(n, dim)`: from the index for known products, encoded now for others.

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
        """Encoder state `(dim,)` of a product; None when unknown."""
        return self.index.vector(product_id)

    def known_states(self, product_ids: Sequence[str]) -> NDArray[np.float32]:
        """Encoder states `(n, dim)` of products by id, zeros for unknown ones."""
        found = np.zeros((len(product_ids), self.index.dim), np.float32)
        for row, vector in enumerate(self.index.vectors(product_ids)):
            if vector is not None:
                found[row] = vector
        return found

    def category_states(self, categories: Sequence[str]) -> NDArray[np.float32]:
        """Encoder states of categories `(n, dim)`."""
        return self._encoder.encode([category_text(category) for category in categories])

    def encode_categories(self, most: int = _CATEGORIES) -> None:
        """Encode the categories with most products, so that no quote waits for them."""
        counts = Counter(product.category for product in self.products())
        self.category_states([category for category, _ in counts.most_common(most)])

    def index_missing(self, on_share: Callable[[float], None] | None = None) -> int:
        """Encode and index products that the index lacks or has in an older revision; returns their number.

        Products that are not sold any more leave the index. `on_share` gets the fraction done.
        """
        self._unindex_removed()
        changed = self._changed_since_indexed() if len(self.index) else set()
        vectors = self.index.vectors(list(self._products))
        missing = [
            one
            for one, vector in zip(self._products.values(), vectors, strict=True)
            if vector is None or one.product_id in changed
        ]
        done = 0
        for products in chunks(missing, _BATCH):
            self.index.upsert([entry_of(product) for product in products], self._embed(products))
            done += len(products)
            if on_share is not None:
                on_share(done / len(missing))
        self.index.watermark = self._known.revision
        return len(missing)

    def index_changed(self) -> None:
        """Encode and index products that changed since the index was made; those removed since leave it."""
        self._unindex_removed()
        products = [self._products[one] for one in self._changed_since_indexed() if one in self._products]
        if products:
            self.index.upsert([entry_of(product) for product in products], self._embed(products))
        self.index.watermark = self._known.revision

    def _unindex_removed(self) -> None:
        gone = self.index.ids() - self._products.keys()
        if gone:
            self.index.remove(sorted(gone))

    def _changed_since_indexed(self) -> set[str]:
        return {product.product_id for product in self._store.products_since(self.index.watermark)}

    def upsert(self, products: Sequence[ProductRecord], now: datetime) -> None:
        """Store products, to be found in memory after `follow_products`; new list prices apply from `now`."""
        self._embed([one for one in products if not self._has_same_text(one)])  # cached; if it fails nothing is stored
        self.category_states(sorted({one.category for one in products}))
        self._store.upsert_products(products, now)

    def follow_products(self, revision: int, on_relabelled: Callable[[Set[str]], None] = lambda _ids: None) -> int:
        """Bring products, list prices and the index up to a revision of the store; returns the number of products.

        `on_relabelled` gets ids of products whose category, brand or basis of references is new.
        """
        count = 0
        for products in chunks(self._store.products_since(self._known.revision), _BATCH):
            on_relabelled(self._take(products))
            count += len(products)
        for gone in chunks(self._store.removed_since(self._known.revision), _BATCH):
            on_relabelled(self._drop(gone))
            count += len(gone)
        self._known.revision = self.index.watermark = max(self._known.revision, revision)
        return count

    def _take(self, products: Sequence[ProductRecord]) -> set[str]:
        """Bring some stored products into memory; returns ids of those that are relabelled."""
        vectors = self.known_states([product.product_id for product in products])
        stale = [row for row, one in enumerate(products) if not (vectors[row].any() and self._has_same_text(one))]
        if stale:
            vectors[stale] = self._embed([products[row] for row in stale])
        relabelled = {one.product_id for one in products if self._is_relabelled(one)}
        self._put_facts(products)
        for product in products:
            self._products[product.product_id] = product
            self._known.former.pop(product.product_id, None)
            self._known.sums.pop(product.product_id, None)
        entries = [entry_of(product) for product in products]
        encoded = set(stale)
        changed = [row for row, one in enumerate(entries) if row in encoded or self.index.entry(one.id) != one]
        if changed:
            self.index.upsert([entries[row] for row in changed], vectors[changed])
        return relabelled

    def _drop(self, products: Sequence[ProductRecord]) -> set[str]:
        """Move removed products out of what can be found and priced; returns ids of those that are relabelled."""
        relabelled = {one.product_id for one in products if self._is_relabelled(one)}
        self._put_facts(products)
        for product in products:
            self._known.former[product.product_id] = product
            self._products.pop(product.product_id, None)
            self._known.sums.pop(product.product_id, None)
        self.index.remove([product.product_id for product in products])
        return relabelled

    def _put_facts(self, products: Sequence[ProductRecord]) -> None:
        """Read list prices of products, and the weekly facts of those that were unknown."""
        ids = [product.product_id for product in products]
        listed, new = self._store.list_prices(ids), [one for one in ids if one not in self.weeks.rows]
        for product in products:
            self.weeks.put_product(product.product_id, product.category, product.currency)
            self._known.listed.put(product.product_id, listed.get(product.product_id, ()))
        self.weeks.put(week_rows(self._store.weeks_of_products(new)))

    def _has_same_text(self, product: ProductRecord) -> bool:
        known = self._products.get(product.product_id)
        return known is not None and text_of(known) == text_of(product)

    def _is_relabelled(self, product: ProductRecord) -> bool:
        known = self._described(product.product_id)
        if known is None or known.list_minor is None:
            return True
        return (known.category, known.brand, known.currency) != (product.category, product.brand, product.currency)

    def follow_sales(self, weeks: Collection[tuple[str, datetime]]) -> set[str]:
        """Read some weeks of products again; returns products that have facts of later weeks, which change too."""
        numbers = {start: week_of(start.timestamp()) for _, start in weeks}
        newest = self.weeks.newest
        self.weeks.put(week_rows(self._store.weeks_at(weeks)))
        return {product_id for product_id, start in weeks if numbers[start] < newest}

    def reread_sales(self) -> None:
        """Read all weekly facts again, without those that are gone."""
        self.weeks.put_all(week_rows(self._store.product_weeks()))


def _read(store: Store) -> _Known:
    revision = store.marks().revision  # before the rest: what is written meanwhile is followed later
    products = {product.product_id: product for product in store.iter_products()}
    former = {product.product_id: product for product in store.removed_products()}
    for product_id in former.keys() & products.keys():  # removed between the two reads, which is followed later
        del former[product_id]
    listed, weeks = ListPrices(StoreClock.from_meta(store.meta)), ProductWeeks()
    for product in (*products.values(), *former.values()):
        weeks.put_product(product.product_id, product.category, product.currency)
    listed.add(store.iter_list_prices())
    weeks.put(week_rows(store.product_weeks()))
    return _Known(products, former, listed, weeks, revision)


def week_rows(weeks: Iterable[ProductWeek]) -> WeekRows:
    """Weekly facts as columns."""
    products: list[str] = []
    currencies: list[str] = []
    numbers, purchases, lists, prices = array("q"), array("d"), array("d"), array("d")
    nan = float("nan")
    starts: dict[datetime, int] = {}
    for row in weeks:
        week = starts.get(row.week)
        if week is None:
            week = starts[row.week] = week_of(row.week.timestamp())
        products.append(row.product_id)
        currencies.append(row.currency)
        numbers.append(week)
        purchases.append(row.purchases)
        lists.append(nan if row.list_minor is None else row.list_minor)
        prices.append(nan if row.price_minor is None else row.price_minor)
    columns = [np.array(column, np.float64) for column in (purchases, lists, prices)]
    return WeekRows(products, np.array(numbers, np.int64), currencies, *columns)


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
