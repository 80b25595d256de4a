"""Step 2: similar products and outcomes of similar offers, strictly before the decision; the evaluator's inputs."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.decision import SimilarProduct
from agent.pricing.evaluator_inputs import EvaluatorReader
from agent.pricing.flow import Encoded, Evidence, Flow, PastOutcomes, Retrieved
from agent.pricing.situation import Situation
from agent.state.catalogue import Catalogue
from agent.state.outcome_index import OutcomeIndex
from models.shopper.history import RecentItems
from retrieval import ProductFilter

SIMILAR: Final = 5
PAST: Final = 32
_MOST_KNOWN: Final = 50_000
_FAMILIAR_LOW, _FAMILIAR_SPAN = 0.3, 0.5


class Retriever:
    """Searches the product index and the outcome index."""

    def __init__(self, catalogue: Catalogue, outcomes: OutcomeIndex, reader: EvaluatorReader) -> None:
        """`reader` joins evidence and situations into the evaluator's inputs."""
        self._catalogue = catalogue
        self._outcomes = outcomes
        self.reader = reader
        self._known: dict[tuple[str | None, str], tuple[SimilarProduct, ...]] = {}
        self._known_at = ""

    def reading_with(self, reader: EvaluatorReader) -> "Retriever":
        """This retriever for another evaluator or learner."""
        return Retriever(self._catalogue, self._outcomes, reader)

    def retrieve(self, flow: Flow) -> None:
        """Add `retrieved` and `represented`."""
        situations, encoded = flow.observations, flow.encoded
        similar = self._similar(situations, encoded.product)
        past = PastOutcomes(*self._outcomes.neighbours(*self._asked(situations, encoded), PAST))
        familiarity = [
            1.0 if self._sells(o) else _familiarity(found) for o, found in zip(situations, similar, strict=True)
        ]
        flow.retrieved = Retrieved(similar, past, np.asarray(familiarity, np.float32))
        flow.represented = self.reader.represent(situations, encoded, flow.retrieved.evidence)

    def evidence(self, situations: Sequence[Situation], encoded: Encoded) -> Evidence:
        """The evaluator's part of a retrieval alone, for scores at given prices."""
        outcomes = self._outcomes.alike(*self._asked(situations, encoded), PAST)
        familiarity = np.ones(len(situations), np.float32)
        strange = [row for row, o in enumerate(situations) if not self._sells(o)]
        if strange:
            similar = self._similar([situations[row] for row in strange], encoded.product[strange])
            familiarity[strange] = [_familiarity(found) for found in similar]
        return Evidence(outcomes, familiarity)

    def _asked(
        self, situations: Sequence[Situation], encoded: Encoded
    ) -> tuple[list[RecentItems], NDArray[np.float32], list[float]]:
        return [o.past.recent for o in situations], encoded.product, [o.behaviour_s for o in situations]

    def _sells(self, situation: Situation) -> bool:
        return bool(self._catalogue.weekly_units(situation.subject.product, situation.behaviour_s))

    def _similar(
        self, situations: Sequence[Situation], states: NDArray[np.float32]
    ) -> list[tuple[SimilarProduct, ...]]:
        """Similar products in the currency of each situation; of products in the index they are known until it changes.

        A product in the index is searched with its own vector there, whatever else a request says of it.
        """
        index = self._catalogue.index
        if self._known_at != index.version:
            self._known, self._known_at = {}, index.version
        keys = [(o.product_id, o.currency) for o in situations]
        found = [self._known.get(key) for key in keys]
        missing = [row for row, one in enumerate(found) if one is None]
        for currency in {situations[row].currency for row in missing}:  # one currency in nearly every batch
            rows = [row for row in missing if situations[row].currency == currency]
            condition = None if index.only_currency == currency else ProductFilter(currency=currency)
            hits = index.similar(states[rows], SIMILAR, condition, [situations[row].product_id for row in rows])
            for row, neighbours in zip(rows, hits, strict=True):
                found[row] = own = tuple(
                    SimilarProduct(n.entry.id, n.entry.title, n.entry.price_minor, n.entry.currency, n.similarity)
                    for n in neighbours
                )
                if situations[row].product_id in index and len(self._known) < _MOST_KNOWN:
                    self._known[keys[row]] = own
        return [one or () for one in found]


def _familiarity(similar: Sequence[SimilarProduct]) -> float:
    best = max((product.similarity for product in similar), default=0.0)
    return float(np.clip((best - _FAMILIAR_LOW) / _FAMILIAR_SPAN, 0.0, 1.0))
