"""What might have been: the recorded request changed and sent through the seven steps again, recording nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from agent.domain.decision import Decision, Scores, TrailStep
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.observation import Observation
from agent.pricing.pipeline import Pipeline
from agent.pricing.score_at_prices import PricedRow, RowScorer
from agent.pricing.situation_reader import Sighting
from agent.state.shopper_histories import HistoryCursor, ShopperHistories

PATIENT_MS = 30_000  # a what-if takes the time that it needs, so that both sides come from the same rung


@dataclass(frozen=True, slots=True)
class Offered:
    """A price that somebody asks about: what the limits make of it, and its scores there."""

    price_minor: int
    trail: tuple[TrailStep, ...]
    scores: Scores


@dataclass(frozen=True, slots=True)
class Counterfactuals:
    """A draft pipeline; `lock` keeps it and the quotes apart, since the models serve one thread at a time."""

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
            seen = self.pipeline.observer.observe([request], at)[0]
            if not isinstance(seen, Observation):
                return None
            guarded = self.pipeline.guard.check(seen, price_minor)
            scores = self.scorer.score([PricedRow(request, price_minor)], at)[0]
        return Offered(guarded.price_minor, guarded.trail, scores) if isinstance(scores, Scores) else None

    def loyalty(self, request: QuoteRequest, shopper_id: str, at: datetime) -> str | None:
        """What a shopper is in the category of a request: new, occasional, regular or lapsed."""
        with self.lock:
            sighting = self.pipeline.observer.reader.read([request], at)[0]
        if not isinstance(sighting, Sighting):
            return None
        seen = sighting.situation
        history = HistoryCursor(self.shoppers).history(shopper_id, seen.behaviour_s)
        return history.loyalty(seen.subject.category, seen.behaviour_s)
