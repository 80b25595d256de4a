"""Step 2: similar products, and what became of alike offers to alike shoppers, strictly before the decision."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.catalogue import Catalogue
from agent.decision import PastOutcome, SimilarProduct
from agent.memory import OutcomeBook
from agent.observation import Encoded, Observation
from models.history import recent_items
from retrieval import ProductFilter

SIMILAR: Final = 5
PAST: Final = 32
_FAMILIAR_LOW, _FAMILIAR_SPAN = 0.3, 0.5


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Evidence of a batch, in the order of its observations.

    Attributes:
        familiarity: `(n,)`, 1 for products with sales history, else by similarity to the nearest known one.
    """

    similar: tuple[tuple[SimilarProduct, ...], ...]
    past: tuple[tuple[PastOutcome, ...], ...]
    familiarity: NDArray[np.float32]


class Retriever:
    """Asks both indexes."""

    def __init__(self, catalogue: Catalogue, outcomes: OutcomeBook) -> None:
        """Search `catalogue` and `outcomes`."""
        self._catalogue = catalogue
        self._outcomes = outcomes

    def retrieve(self, observations: Sequence[Observation], encoded: Encoded) -> Retrieved:
        """Evidence for each observation."""
        similar = self._similar(observations, encoded)
        recents = [recent_items(o.history, o.behaviour_s) for o in observations]
        past = self._outcomes.neighbours(recents, encoded.product, [o.behaviour_s for o in observations], PAST)
        familiarity = [
            1.0 if self._catalogue.weekly_units(o.subject.product, o.behaviour_s) else _familiarity(found)
            for o, found in zip(observations, similar, strict=True)
        ]
        return Retrieved(tuple(similar), tuple(past), np.asarray(familiarity, np.float32))

    def _similar(self, observations: Sequence[Observation], encoded: Encoded) -> list[tuple[SimilarProduct, ...]]:
        currencies = {o.currency for o in observations}
        found: list[tuple[SimilarProduct, ...]] = [()] * len(observations)
        for currency in currencies:  # one currency in nearly every batch
            rows = [row for row, o in enumerate(observations) if o.currency == currency]
            condition = None if self._catalogue.index.only_currency == currency else ProductFilter(currency=currency)
            hits = self._catalogue.index.similar(
                encoded.product[rows], SIMILAR, condition, [observations[row].product_id for row in rows]
            )
            for row, neighbours in zip(rows, hits, strict=True):
                found[row] = tuple(
                    SimilarProduct(n.entry.id, n.entry.title, n.entry.price_minor, n.entry.currency, n.similarity)
                    for n in neighbours
                )
        return found


def _familiarity(similar: Sequence[SimilarProduct]) -> float:
    best = max((product.similarity for product in similar), default=0.0)
    return float(np.clip((best - _FAMILIAR_LOW) / _FAMILIAR_SPAN, 0.0, 1.0))
