"""Scores at given prices, point in time, by the pipeline's own steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from agent.api.schemas import QuoteRequest
from agent.decision import Scores
from agent.observation import Observation
from agent.pipeline import Pipeline
from agent.refusal import Refusal
from agent.scorer import interval_bounds, log_ratios, price_scores
from models.evaluator import Evaluator


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
        observed = self.pipeline.observer.observe([row.request for row in rows], now, to_price=False)
        pairs = [(o, row.price_minor) for o, row in zip(observed, rows, strict=True) if isinstance(o, Observation)]
        found = iter(self._scores([o for o, _ in pairs], [[price] for _, price in pairs]))
        return [next(found) if isinstance(item, Observation) else item for item in observed]

    def _scores(self, seen: Sequence[Observation], prices: Sequence[Sequence[int]]) -> list[Scores]:
        if not seen:
            return []
        encoded = self.pipeline.observer.encode(seen)
        evidence = self.pipeline.retriever.evidence(seen, encoded)
        situations = self.pipeline.scorer.join(seen, encoded, evidence)
        response = self.evaluator.respond(situations, log_ratios(seen, prices))
        bounds = interval_bounds(response)
        return [price_scores(o, prices[row], response, bounds, row)[0] for row, o in enumerate(seen)]
