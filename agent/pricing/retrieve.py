"""Step 2: similar products and outcomes of similar offers, strictly before the decision; the evaluator's inputs."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.domain.decision import SimilarProduct
from agent.pricing.evaluator_inputs import EvaluatorReader
from agent.pricing.flow import Encoded, Flow, PastOutcomes, Retrieved
from agent.pricing.pairs import Pairs
from agent.pricing.situation import Situation
from agent.state.catalogue import Catalogue
from agent.state.outcome_index import OutcomeIndex
from agent.state.similar_products import Similar, SimilarProducts
from agent.store.recent_map import RecentMap
from models.evaluator.evidence import EVIDENCE, evidence_matrix
from models.shopper.history import RecentItems

PAST: Final = 32
_KNOWN: Final = 65_536  # pairs whose evidence is kept, some 300 bytes each
_FAMILIAR_LOW, _FAMILIAR_SPAN = 0.3, 0.5


@dataclass(frozen=True, slots=True)
class PairEvidence:
    """The evaluator's part of a retrieval for n pairs: `evidence_matrix` `(n, 4)`, `familiarity` as in `Evidence`."""

    matrix: NDArray[np.float32]
    familiarity: NDArray[np.float32]


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
        self._evidence: RecentMap[tuple[bytes, str], bytes] = RecentMap(_KNOWN)

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

    def pair_evidence(self, pairs: Pairs, states: NDArray[np.float32], stamp: bytes) -> PairEvidence:
        """The evaluator's part of a retrieval alone, for scores at given prices.

        Outcomes found before are not searched for again while both indexes stay as they are.

        Args:
            pairs: The pairs.
            states: Encoder states of their products.
            stamp: `stamp` of before these were read.
        """
        _, sold_of = pairs.places
        familiarity = np.ones(len(pairs.sold), np.float32)
        strange = [row for row, sells in enumerate(pairs.sells) if not sells]
        if strange:
            sold = [pairs.sold[row] for row in strange]
            similar = self.similar.find([(o.product_id, o.product.currency) for o in sold], states[strange])
            familiarity[strange] = [_familiarity(found) for found in similar]
        return PairEvidence(self._matrix(pairs, states, stamp), familiarity[sold_of])

    def forget(self) -> None:
        """Drop the evidence found before, for an erasure."""
        self._evidence.clear()

    def stamp(self) -> bytes:
        """State of both indexes, to be read before anything that evidence rests on; evidence holds while it lasts."""
        return f"{self._outcomes.memory.state} {self._catalogue.index.version}".encode()

    def _matrix(self, pairs: Pairs, states: NDArray[np.float32], stamp: bytes) -> NDArray[np.float32]:
        """Evidence as `evidence_matrix` has it, searched for where it is not known."""
        kept, keys = self._evidence, self._keys(pairs, stamp)
        clearings = kept.clearings
        found = [None if key is None else kept.get(key) for key in keys]
        missing = [row for row, one in enumerate(found) if one is None]
        if missing:
            visit_of, sold_of = (places[missing] for places in pairs.places)
            visits = [pairs.visits[place] for place in visit_of.tolist()]
            recents, moments = [one.shopper.past.recent for one in visits], [one.behaviour_s for one in visits]
            outcomes = self._outcomes.alike(recents, states[sold_of], moments, PAST)
            fresh = evidence_matrix(outcomes, self.reader.evaluator.base_rate)
            for row, numbers in zip(missing, fresh, strict=True):
                found[row] = packed = numbers.tobytes()
                if (key := keys[row]) is not None:
                    kept.put(key, packed, clearings)
        joined = b"".join(one for one in found if one is not None)
        return np.frombuffer(joined, np.float32).reshape(-1, len(EVIDENCE))

    def _keys(self, pairs: Pairs, stamp: bytes) -> list[tuple[bytes, str] | None]:
        """Keys of all that the evidence of each pair rests on; None for products that are not in the catalogue."""
        memory, index = self._outcomes.memory, self._catalogue.index
        shoppers = []
        for visit in pairs.visits:
            recent, moment = visit.shopper.past.recent, memory.latest_of(int(visit.behaviour_s * 1e6))
            words = repr((recent.products, recent.weights, moment)).encode()
            shoppers.append(blake2b(stamp + words, digest_size=16).digest())
        ids = [one.product.product_id if one.product.product_id in index else None for one in pairs.sold]
        return [
            None if (product := ids[sold]) is None else (shoppers[visit], product)
            for visit, _, sold in pairs.features.places
        ]

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
