"""Similar products: nearest neighbours in the product index, known of its products until the index changes."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.decision import SimilarProduct
from agent.state.catalogue import Catalogue
from retrieval import ProductFilter

COUNT: Final = 5
_MOST_KNOWN: Final = 50_000

Asked = tuple[str | None, str]
"""Id of a product, None for one without, and a currency."""

Similar = tuple[SimilarProduct, ...]


class SimilarProducts:
    """Searches the product index. One thread may fill it ahead while others ask."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Search the index of `catalogue`."""
        self._catalogue = catalogue
        self._known: dict[Asked, Similar] = {}
        self._known_at = ""
        self._waiting: Iterator[Asked] = iter(())

    def find(self, asked: Sequence[Asked], states: NDArray[np.float32]) -> list[Similar]:
        """The `COUNT` most similar products in the currency asked for, best first; `states` `(n, dim)` are searched.

        A product of the index has its vector there as its state, whatever else a request says of it.
        """
        self._begin()
        found = [self._known.get(one) for one in asked]
        missing = [row for row, one in enumerate(found) if one is None]
        for row, own in zip(missing, self._search([asked[row] for row in missing], states[missing]), strict=True):
            found[row] = own
        return [one or () for one in found]

    def fill(self, count: int) -> bool:
        """Search for up to `count` products ahead; False when all that fit are known."""
        self._begin()
        room = min(count, _MOST_KNOWN - len(self._known))
        some = list(islice((one for one in self._waiting if one not in self._known), max(0, room)))
        if some:
            self._search(some, self._catalogue.known_states([product_id or "" for product_id, _ in some]))
        return bool(some)

    def _begin(self) -> None:
        """Forget what was found in an index that has changed."""
        version = self._catalogue.index.version
        if self._known_at != version:
            products = self._catalogue.products()
            self._waiting = ((product.product_id, product.currency) for product in products)
            self._known, self._known_at = {}, version

    def _search(self, asked: Sequence[Asked], states: NDArray[np.float32]) -> list[Similar]:
        index, known = self._catalogue.index, self._known
        found: list[Similar] = [()] * len(asked)
        for currency in {currency for _, currency in asked}:  # one currency in nearly every batch
            rows = [row for row, one in enumerate(asked) if one[1] == currency]
            condition = None if index.only_currency == currency else ProductFilter(currency=currency)
            hits = index.similar(states[rows], COUNT, condition, [asked[row][0] for row in rows])
            for row, neighbours in zip(rows, hits, strict=True):
                found[row] = own = tuple(
                    SimilarProduct(n.entry.id, n.entry.title, n.entry.price_minor, n.entry.currency, n.similarity)
                    for n in neighbours
                )
                if asked[row][0] in index and len(known) < _MOST_KNOWN:
                    known[asked[row]] = own
        return found
