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
from agent.state.similar_products import Similar, SimilarProducts
from models.shopper.history import RecentItems

PAST: Final = 32
_FAMILIAR_LOW, _FAMILIAR_SPAN = 0.3, 0.5


class Retriever:
    """Searches the product index and the outcome index."""

    def __init__(
        self, catalogue: Catalogue, similar: SimilarProducts, outcomes: OutcomeIndex, reader: EvaluatorReader
    ) -> None:
        """`reader` joins evidence and situations into the evaluator's inputs."""
        self._catalogue = catalogue
        self._outcomes = outcomes
        self.similar = similar
        self.reader = reader

    def reading_with(self, reader: EvaluatorReader) -> "Retriever":
        """This retriever for another evaluator or learner."""
        return Retriever(self._catalogue, self.similar, self._outcomes, reader)

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

    def _similar(self, situations: Sequence[Situation], states: NDArray[np.float32]) -> list[Similar]:
        return self.similar.find([(o.product_id, o.currency) for o in situations], states)


def _familiarity(similar: Sequence[SimilarProduct]) -> float:
    best = max((product.similarity for product in similar), default=0.0)
    return float(np.clip((best - _FAMILIAR_LOW) / _FAMILIAR_SPAN, 0.0, 1.0))
