"""List prices by time, as the catalogue had them, on the behaviour clock."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agent.domain.clock import StoreClock
from agent.domain.records import ListPrice, ProductRecord


class _Change(NamedTuple):
    """The list price from a moment on (Unix seconds on the behaviour clock); None for none."""

    start_s: float
    currency: str
    list_minor: int | None


class ListPrices:
    """Changes of list prices by product, oldest first. A product without any has had its price ever since."""

    def __init__(self, clock: StoreClock) -> None:
        """`clock` maps the times of changes."""
        self._clock = clock
        self._changes: dict[str, tuple[_Change, ...]] = {}

    def put(self, product_id: str, listed: Sequence[ListPrice]) -> None:
        """Set all changes of a product, oldest first."""
        self._changes[product_id] = tuple(self._change(one) for one in listed)

    def add(self, listed: Iterable[ListPrice]) -> None:
        """Add changes, each later than those known of its product."""
        for one in listed:
            self._changes[one.product_id] = (*self._changes.get(one.product_id, ()), self._change(one))

    def at(self, product: ProductRecord, at_s: float) -> int | None:
        """The list price in force in the product's currency; None while the catalogue had none, or another currency."""
        changes = self._changes.get(product.product_id)
        if not changes or at_s >= changes[-1].start_s:
            return product.list_minor
        row = bisect_right(changes, at_s, key=lambda change: change.start_s) - 1
        return changes[row].list_minor if row >= 0 and changes[row].currency == product.currency else None

    def first(self, product: ProductRecord) -> int | None:
        """The first list price in the product's currency; None for a product without a list price."""
        if product.list_minor is None:
            return None
        changes = self._changes.get(product.product_id, ())
        known = (one.list_minor for one in changes if one.currency == product.currency and one.list_minor)
        return next(known, product.list_minor)

    def _change(self, listed: ListPrice) -> _Change:
        return _Change(self._clock.behaviour_time(listed.at).timestamp(), listed.currency, listed.list_minor)
