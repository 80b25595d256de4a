"""Recommendations: a pool of products from habit, similarity and popularity, ordered by the ranking head."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

import numpy as np

from agent.domain.request import QuotedProduct, QuoteRequest, RecommendationRequest
from agent.pricing.situation import ReadRequest
from agent.pricing.situation_reader import SituationReader
from agent.state.catalogue import Catalogue
from models.shopper.ranking import RankingHead
from models.shopper.weeks import week_of
from retrieval import ProductFilter

_HABIT: Final = 60
_SIMILAR: Final = 60
_POPULAR: Final = 30
_DEADLINE_MS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Ranker:
    """Reads and encodes a pool as for quotes, and orders it by the ranking head."""

    reader: SituationReader
    head: RankingHead
    catalogue: Catalogue

    def rank(self, request: RecommendationRequest, now: datetime) -> list[QuoteRequest]:
        """Rank products; returns quote requests for the best `request.limit`, best first."""
        pool = self._pool(request, now)
        seen = [item.situation for item in self.reader.read(pool, now) if isinstance(item, ReadRequest)]
        if not seen:
            return []
        encoded = self.reader.encode(seen)
        scores = self.head.scores(encoded.features, encoded.affinity)
        order = np.argsort(-scores, kind="stable")[: request.limit]
        return [_quote(request, seen[row].product_id or "") for row in order]

    def _pool(self, request: RecommendationRequest, now: datetime) -> list[QuoteRequest]:
        shopper = self.reader.read_shopper(request, now)
        behaviour_s = self.reader.behaviour_s(request.context.at or now)
        habit = sorted(shopper.history.products.items(), key=lambda item: -item[1].at(behaviour_s)[1])
        state = self.reader.encode_texts([shopper.past.text])
        condition = ProductFilter(category=request.category) if request.category else None
        similar = self.catalogue.index.similar(state, _SIMILAR, condition)[0]
        facts = self.catalogue.weeks.facts(week_of(behaviour_s))
        ids = self.catalogue.ids()
        ranked = (ids[row] for row in np.argsort(-facts.share, kind="stable"))
        sold = (product_id for product_id in ranked if self.catalogue.product(product_id) is not None)
        popular = list(islice(sold, _POPULAR if not request.category else None))
        pool = dict.fromkeys(
            [*(product for product, _ in habit[:_HABIT]), *(hit.entry.id for hit in similar), *popular]
        )
        return [_quote(request, product) for product in self._wanted(list(pool), request)]

    def _wanted(self, products: Sequence[str], request: RecommendationRequest) -> list[str]:
        found = []
        for product_id in products:
            product = self.catalogue.product(product_id)
            if product is not None and (not request.category or product.category == request.category):
                found.append(product_id)
        return found[: _HABIT + _SIMILAR + _POPULAR]


def _quote(request: RecommendationRequest, product_id: str) -> QuoteRequest:
    return QuoteRequest(
        shopper=request.shopper,
        product=QuotedProduct(id=product_id),
        events=request.events,
        context=request.context,
        deadline_ms=_DEADLINE_MS,
    )
