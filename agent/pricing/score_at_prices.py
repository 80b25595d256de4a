"""Scores at given prices, point in time, by steps 1, 2 and 4 of the pipeline."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agent.domain.candidates import Scores
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.retrieve import Retriever
from agent.pricing.score import score_columns, scores_of
from agent.pricing.situation import ReadRequest, Situation
from agent.pricing.situation_reader import SituationReader


@dataclass(frozen=True, slots=True)
class PricedRow:
    """A request and the price it would be offered at, in minor units."""

    request: QuoteRequest
    price_minor: int


@dataclass(frozen=True, slots=True)
class RowScorer:
    """Steps 1, 2 and 4 of the pipeline at prices that are given; nothing is recorded."""

    reader: SituationReader
    retriever: Retriever

    def score(self, rows: Sequence[PricedRow], now: datetime) -> list[Scores | Refusal]:
        """Scores of each row, or why it has none, in their order."""
        read = self.reader.read([row.request for row in rows], now)
        pairs = [
            (one.situation, row.price_minor)
            for one, row in zip(read, rows, strict=True)
            if isinstance(one, ReadRequest)
        ]
        found = iter(self._scores([seen for seen, _ in pairs], [price for _, price in pairs]))
        return [next(found) if isinstance(one, ReadRequest) else one for one in read]

    def _scores(self, seen: Sequence[Situation], prices: Sequence[int]) -> list[Scores]:
        if not seen:
            return []
        encoded = self.reader.encode(seen)
        inputs = self.retriever.reader
        represented = inputs.represent(seen, encoded, self.retriever.evidence(seen, encoded))
        amounts = [(one.reference_minor, one.unit_cost, one.quantity) for one in seen]
        reference, cost, quantity = np.asarray(amounts, np.float64).T[:, :, None]
        price = np.asarray(prices, np.float64)[:, None]
        response = inputs.evaluator.respond(represented, np.log(price / reference))
        return [scores_of(row) for row in score_columns(response, (price - cost) * quantity)[:, 0].tolist()]
