"""Counterfactuals: recorded requests, changed, through the seven steps again without recording anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from agent.domain.candidates import Scores
from agent.domain.decision import Decision, TrailStep
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.flow import Observation
from agent.pricing.pipeline import Pipeline
from agent.pricing.score_at_prices import PricedRow, RowScorer
from agent.pricing.situation import ReadRequest
from agent.state.shopper_histories import HistoryCursor, ShopperHistories

PATIENT_MS = 30_000  # a what-if takes the time that it needs, so that both sides come from the same rung


@dataclass(frozen=True, slots=True)
class Offered:
    """A price as the limits leave it, and its scores at the price asked about."""

    price_minor: int
    trail: tuple[TrailStep, ...]
    scores: Scores


@dataclass(frozen=True, slots=True)
class Counterfactuals:
    """Runs a counterfactual pipeline; `lock` keeps it from running beside quotes, since models serve one thread."""

    pipeline: Pipeline
    scorer: RowScorer
    shoppers: ShopperHistories
    lock: Lock

    def quote(self, requests: Sequence[QuoteRequest], at: datetime) -> list[Decision | Refusal]:
        """Decisions as they would have been at `at`; none is recorded."""
        patient = [request.model_copy(update={"deadline_ms": PATIENT_MS}) for request in requests]
        with self.lock:
            return self.pipeline.quote(patient, at)

    def offer(self, request: QuoteRequest, price_minor: int, at: datetime) -> Offered | None:
        """A price through the limits and the evaluator; None where the request has no scores."""
        with self.lock:
            seen = self.pipeline.observer.read([request], at)[0]
            if not isinstance(seen, Observation):
                return None
            guarded = self.pipeline.guard.check(seen, price_minor)
            scores = self.scorer.score([PricedRow(request, price_minor)], at)[0]
        return Offered(guarded.price_minor, guarded.trail, scores) if isinstance(scores, Scores) else None

    def loyalty(self, request: QuoteRequest, shopper_id: str, at: datetime) -> str | None:
        """Loyalty of a shopper in the category of a request: new, occasional, regular or lapsed."""
        with self.lock:
            read = self.pipeline.observer.reader.read([request], at)[0]
        if not isinstance(read, ReadRequest):
            return None
        seen = read.situation
        history = HistoryCursor(self.shoppers).history(shopper_id, seen.behaviour_s)
        return history.loyalty(seen.subject.category, seen.behaviour_s)
