"""Plain requests: a shopper and a product by their ids alone, as most rows of a batch are."""

from typing import Final

from agent.domain.fields import normal_id
from agent.domain.request import QuotedProduct, QuoteRequest, Shopper

_PLAIN: Final = QuoteRequest(shopper=Shopper(id="-"), product=QuotedProduct(id="-"))


class PlainRequests:
    """Requests of one batch that say nothing but ids, each id validated and each request made once."""

    def __init__(self) -> None:
        """Start without any."""
        self._shoppers: dict[str, Shopper] = {}
        self._products: dict[str, QuotedProduct] = {}
        self._requests: dict[tuple[str, str], QuoteRequest] = {}

    def request(self, shopper_id: str, product_id: str) -> QuoteRequest:
        """The request that validation makes of two ids, in a fraction of its time.

        Raises:
            ValueError: An id is invalid.
        """
        found = self._requests.get((shopper_id, product_id))
        if found is None:
            shopper, product = self._shoppers.get(shopper_id), self._products.get(product_id)
            if shopper is None:
                shopper = self._shoppers[shopper_id] = Shopper(id=shopper_id)
            if product is None:
                product = self._products[product_id] = _PLAIN.product.of_id(normal_id(product_id))
            found = self._requests[shopper_id, product_id] = _PLAIN.of_pair(shopper, product)
        return found
