"""Scores at given prices, point in time, by the pipeline's own steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.domain.decision import Scores
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.observation import Situation
from agent.pricing.pipeline import Pipeline
from agent.pricing.score import interval_bounds, log_ratios, price_scores
from agent.pricing.situation_reader import Sighting
from models.evaluator.evaluator import Evaluator


@dataclass(frozen=True, slots=True)
class PricedRow:
    """A request and the price it would be offered at, in minor units."""

    request: QuoteRequest
    price_minor: int


@dataclass(frozen=True, slots=True)
class RowScorer:
    """Steps 1, 2 and 4 of the pipeline at prices that are given; nothing is recorded."""

    pipeline: Pipeline
    evaluator: Evaluator

    def score(self, rows: Sequence[PricedRow], now: datetime) -> list[Scores | Refusal]:
        """Scores of each row, or why it has none, in their order."""
        sightings = self.pipeline.observer.reader.read([row.request for row in rows], now)
        pairs = [
            (one.situation, row.price_minor)
            for one, row in zip(sightings, rows, strict=True)
            if isinstance(one, Sighting)
        ]
        found = iter(self._scores([seen for seen, _ in pairs], [[price] for _, price in pairs]))
        return [next(found) if isinstance(one, Sighting) else one for one in sightings]

    def _scores(self, seen: Sequence[Situation], prices: Sequence[Sequence[int]]) -> list[Scores]:
        if not seen:
            return []
        encoded = self.pipeline.observer.reader.encode(seen)
        evidence = self.pipeline.retriever.evidence(seen, encoded)
        situations = self.pipeline.scorer.join(seen, encoded, evidence)
        response = self.evaluator.respond(situations, log_ratios(seen, prices))
        bounds = interval_bounds(response)
        return [price_scores(one, prices[row], response, bounds, row)[0] for row, one in enumerate(seen)]
