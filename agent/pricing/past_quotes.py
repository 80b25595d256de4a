"""Earlier quotes of shoppers, as far as they bear on the next one: live quotes, last prices, prices shown lately."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from agent.domain.decision import Decision
from agent.domain.records import Shown
from agent.domain.request import QuoteRequest
from agent.store import PricedPair, QuoteKey, ShopperProduct, Store

LATELY: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PastQuotes:
    """Reads earlier quotes from the store.

    Attributes:
        stable: Whether the price that a shopper was quoted stands while its quote lives.
        hindsight: Ignore quotes made after the moment asked for, which may lie in the past.
    """

    store: Store
    stable: bool
    hindsight: bool = False

    def counterfactual(self) -> "PastQuotes":
        """For counterfactuals: ignores live quotes and anything recorded after `now`."""
        return replace(self, stable=False, hindsight=True)

    def live(self, requests: Sequence[QuoteRequest], now: datetime) -> Mapping[QuoteKey, Decision]:
        """Unexpired quotes of known shoppers, where prices hold."""
        keys = {key: None for request in requests if (key := quote_key(request)) is not None}
        return self.store.live_quotes(keys, now) if keys and self.stable else {}

    def last_prices(self, requests: Sequence[QuoteRequest], now: datetime) -> dict[PricedPair, int]:
        """The last price that each known shopper was quoted for the product asked for, with its currency."""
        return self.store.last_prices(_pairs(requests), before=self._before(now))

    def shown(self, requests: Sequence[QuoteRequest], now: datetime) -> dict[PricedPair, Shown]:
        """Prices shown to known shoppers in the last `LATELY`, by currency."""
        return self.store.prices_shown(_pairs(requests), now - LATELY, self._before(now))

    def _before(self, now: datetime) -> datetime | None:
        return now if self.hindsight else None


def quote_key(request: QuoteRequest) -> QuoteKey | None:
    """Shopper, product and quantity of a request; None where shopper or product is unknown."""
    shopper, product = request.shopper.id, request.product.id
    return QuoteKey(shopper, product, request.quantity) if shopper is not None and product is not None else None


def _pairs(requests: Sequence[QuoteRequest]) -> list[ShopperProduct]:
    """Distinct pairs of known shopper and product."""
    pairs = {(r.shopper.id, r.product.id): None for r in requests}
    return [(shopper, product) for shopper, product in pairs if shopper is not None and product is not None]
