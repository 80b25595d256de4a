"""What shoppers were quoted before, as far as it bears on what they are quoted now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from agent.domain.decision import Decision
from agent.domain.records import Shown
from agent.domain.request import QuoteRequest
from agent.store import QuoteKey, ShopperProduct, Store

LATELY: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PastQuotes:
    """Reads them.

    Attributes:
        stable: Whether the price that a shopper was quoted stands while its quote lives.
        hindsight: Whether the moment asked for may be past, so that quotes since then are passed over.
    """

    store: Store
    stable: bool
    hindsight: bool = False

    def draft(self) -> "PastQuotes":
        """For what would be: no quote stands, and later ones did not happen."""
        return replace(self, stable=False, hindsight=True)

    def live(self, requests: Sequence[QuoteRequest], now: datetime) -> Mapping[QuoteKey, Decision]:
        """What known shoppers were quoted, where prices hold."""
        keys = {key: None for request in requests if (key := quote_key(request)) is not None}
        return self.store.live_quotes(keys, now) if keys and self.stable else {}

    def last_prices(self, requests: Sequence[QuoteRequest], now: datetime) -> dict[ShopperProduct, int]:
        """What known shoppers were last quoted."""
        return self.store.last_prices(_pairs(requests), before=self._before(now))

    def shown(self, requests: Sequence[QuoteRequest], now: datetime) -> dict[ShopperProduct, Shown]:
        """What known shoppers were shown lately."""
        return self.store.prices_shown(_pairs(requests), now - LATELY, self._before(now))

    def _before(self, now: datetime) -> datetime | None:
        return now if self.hindsight else None


def quote_key(request: QuoteRequest) -> QuoteKey | None:
    """What a quote stands for; None where shopper or product is unknown."""
    shopper, product = request.shopper.id, request.product.id
    return QuoteKey(shopper, product, request.quantity) if shopper is not None and product is not None else None


def _pairs(requests: Sequence[QuoteRequest]) -> list[ShopperProduct]:
    """Known shoppers with the products that they ask for, each once."""
    pairs = {(r.shopper.id, r.product.id): None for r in requests}
    return [(shopper, product) for shopper, product in pairs if shopper is not None and product is not None]
