"""Response models of quotes."""

import math
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from agent.api.responses.disclosure import DisclosureAnswer, disclosure_answer
from agent.api.responses.money import MoneyAnswer, money
from agent.api.responses.outcomes import OutcomeAnswer, outcome_answer
from agent.domain.decision import (
    Candidate,
    CompetitorRecord,
    Decision,
    Interval,
    PastOutcome,
    Rung,
    Scores,
    SimilarProduct,
    Source,
    TrailStep,
)
from agent.domain.records import OutcomeRecord
from models.strategist.strategy import Lever

_NEAREST: Final = 8  # past outcomes shown


class ScoreAnswer(BaseModel):
    """A score and its 90 % interval."""

    value: float
    low: float
    high: float


class ScoresAnswer(BaseModel):
    """Purchase probability (0-1), expected profit of the whole quantity (minor units), satisfaction (0-1)."""

    purchase_probability: ScoreAnswer
    profit: ScoreAnswer
    satisfaction: ScoreAnswer


class StrategyAnswer(BaseModel):
    """The pricing strategy, its source, and the reason in words."""

    name: str
    lever: Lever
    source: Source
    rationale: str


class TrailAnswer(BaseModel):
    """A rule that moved the price."""

    rule: str
    from_: MoneyAnswer = Field(serialization_alias="from")
    to: MoneyAnswer
    detail: str


class SimilarAnswer(BaseModel):
    """A similar product at its list price."""

    id: str
    title: str
    price: MoneyAnswer | None
    similarity: float


class EvidenceAnswer(BaseModel):
    """A retrieved past outcome, without its shopper; `price_ratio` is the offered price over its reference."""

    product_id: str
    price_ratio: float
    bought: bool
    similarity: float


class CompetitorAnswer(BaseModel):
    """A competitor's price that entered, with its source and publicness as the request told them."""

    price: MoneyAnswer
    source: str
    public: bool | None


class CandidateAnswer(BaseModel):
    """A candidate price; `probability` is the chance with which it was chosen, `chosen` marks the one shown."""

    strategy: StrategyAnswer
    price: MoneyAnswer
    scores: ScoresAnswer
    probability: float
    chosen: bool


class QuoteAnswer(BaseModel):
    """A priced quote; prices are per unit."""

    id: str
    at: datetime
    product_id: str | None
    shopper_id: str | None
    quantity: int
    price: MoneyAnswer
    reference_price: MoneyAnswer
    list_price: MoneyAnswer | None
    strategy: StrategyAnswer
    scores: ScoresAnswer | None
    interest: float | None
    confidence: float
    personalised: bool
    rung: Rung
    trail: list[TrailAnswer]
    similar: list[SimilarAnswer]
    evidence: list[EvidenceAnswer]
    candidates: list[CandidateAnswer] | None = None
    disclosure: DisclosureAnswer
    competitor_prices: list[CompetitorAnswer]
    propensity: float
    valid_until: datetime
    token: str
    versions: dict[str, str]
    timing_ms: dict[str, float]


class RecordedQuote(QuoteAnswer):
    """A quote as recorded, with its outcomes."""

    outcomes: list[OutcomeAnswer]


def quote_answer(decision: Decision, *, candidates: bool) -> QuoteAnswer:
    """The response model of a decision."""
    return QuoteAnswer.model_validate(_fields(decision, candidates=candidates))


def recorded_quote(decision: Decision, outcomes: list[OutcomeRecord]) -> RecordedQuote:
    """The response model of a decision with its candidates and outcomes."""
    known = [outcome_answer(outcome) for outcome in outcomes]
    return RecordedQuote.model_validate({**_fields(decision, candidates=True), "outcomes": known})


def _fields(decision: Decision, *, candidates: bool) -> dict[str, Any]:
    currency = decision.currency
    listed = decision.list_minor
    return {
        "id": decision.id,
        "at": decision.at,
        "product_id": decision.product_id,
        "shopper_id": decision.shopper_id,
        "quantity": decision.quantity,
        "price": money(decision.price_minor, currency),
        "reference_price": money(decision.reference_minor, currency),
        "list_price": None if listed is None else money(listed, currency),
        "strategy": _strategy(decision),
        "scores": None if decision.scores is None else _scores(decision.scores),
        "interest": None if decision.interest is None else rounded(decision.interest),
        "confidence": rounded(decision.confidence),
        "personalised": decision.personalised,
        "rung": decision.rung,
        "trail": [_trail(step, currency) for step in decision.trail],
        "similar": [_similar(product) for product in decision.similar],
        "evidence": [_evidence(outcome) for outcome in decision.evidence[:_NEAREST]],
        "candidates": [_candidate(c, currency) for c in decision.candidates] if candidates else None,
        "disclosure": disclosure_answer(decision.disclosure, currency),
        "competitor_prices": [_competitor(one, currency) for one in decision.competitor_prices],
        "propensity": rounded(decision.propensity),
        "valid_until": decision.valid_until,
        "token": decision.token,
        "versions": {name: getattr(decision.versions, name) for name in decision.versions.__slots__},
        "timing_ms": dict(decision.timing_ms),
    }


def _strategy(chosen: Decision | Candidate) -> StrategyAnswer:
    name = chosen.strategy_name if isinstance(chosen, Decision) else chosen.strategy.name
    return StrategyAnswer(name=name, lever=chosen.strategy.lever, source=chosen.source, rationale=chosen.rationale)


def _trail(step: TrailStep, currency: str) -> TrailAnswer:
    start, end = money(step.from_minor, currency), money(step.to_minor, currency)
    return TrailAnswer(rule=step.rule, from_=start, to=end, detail=step.detail)


def _similar(product: SimilarProduct) -> SimilarAnswer:
    return SimilarAnswer(
        id=product.product_id,
        title=product.title,
        price=None if product.price_minor is None else money(product.price_minor, product.currency),
        similarity=rounded(product.similarity),
    )


def _evidence(outcome: PastOutcome) -> EvidenceAnswer:
    return EvidenceAnswer(
        product_id=outcome.product_id,
        price_ratio=rounded(outcome.price_ratio),
        bought=outcome.bought,
        similarity=rounded(outcome.similarity),
    )


def _competitor(record: CompetitorRecord, currency: str) -> CompetitorAnswer:
    return CompetitorAnswer(price=money(record.price_minor, currency), source=record.source, public=record.public)


def _candidate(candidate: Candidate, currency: str) -> CandidateAnswer:
    return CandidateAnswer(
        strategy=_strategy(candidate),
        price=money(candidate.price_minor, currency),
        scores=_scores(candidate.scores),
        probability=rounded(candidate.probability),
        chosen=candidate.chosen,
    )


def _scores(scores: Scores) -> ScoresAnswer:
    return ScoresAnswer(
        purchase_probability=_score(scores.purchase_probability),
        profit=_score(scores.profit),
        satisfaction=_score(scores.satisfaction),
    )


def _score(interval: Interval) -> ScoreAnswer:
    return ScoreAnswer(value=rounded(interval.value), low=rounded(interval.low), high=rounded(interval.high))


def rounded(value: float) -> float:
    """Round to six significant digits; 0 for numbers that JSON lacks."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    return round(value, 5 - math.floor(math.log10(abs(value))))
