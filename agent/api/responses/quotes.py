"""A quote, and what became of it, as the API answers."""

import math
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, Field

from agent.domain.decision import Candidate, Decision, Interval, Reduction, Rung, Scores, Source
from agent.domain.money import fraction_digits
from agent.domain.records import OutcomeRecord, OutcomeType
from models.strategist.strategy import Lever

_NEAREST: Final = 8  # of the past outcomes that were retrieved


class MoneyAnswer(BaseModel):
    """Money with the digits behind the point that its currency has."""

    amount_minor: int
    currency: str
    fraction_digits: int


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
    """The strategy behind the price, who proposed it, and why."""

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
    """What became of an alike offer; `price_ratio` is the offered price over its reference. Whose is not told."""

    product_id: str
    price_ratio: float
    bought: bool
    similarity: float


class CandidateAnswer(BaseModel):
    """A candidate, the chosen one marked; `probability` is the chance of being chosen."""

    strategy: StrategyAnswer
    price: MoneyAnswer
    scores: ScoresAnswer
    probability: float
    chosen: bool


class IgnoredAnswer(BaseModel):
    """An input that did not enter, and why."""

    input: str
    reason: str


class ReductionAnswer(BaseModel):
    """A price reduction as it may be announced, from the lowest price that everyone could pay in `days` before it."""

    prior_price: MoneyAnswer
    began: datetime
    days: int
    percent: int


class DisclosureAnswer(BaseModel):
    """What the shopper must or may be told, by which version of which rules; `option` tells of the price for everyone.

    Without a `reduction` no reduction may be announced where a law asks for the prior price.
    """

    required: bool
    text: str
    jurisdiction: str | None
    inputs_used: list[str]
    inputs_ignored: list[IgnoredAnswer]
    law: str | None
    option: str | None
    reduction: ReductionAnswer | None


class QuoteAnswer(BaseModel):
    """A priced quote. Prices are per unit."""

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
    propensity: float
    valid_until: datetime
    token: str
    versions: dict[str, str]
    timing_ms: dict[str, float]


class OutcomeAnswer(BaseModel):
    """An outcome as recorded."""

    id: str
    quote_id: str
    type: OutcomeType
    quantity: int
    at: datetime


class RecordedQuote(QuoteAnswer):
    """A quote as recorded, with what became of it."""

    outcomes: list[OutcomeAnswer]


def money(amount_minor: int, currency: str) -> MoneyAnswer:
    """Money with its currency's digits."""
    return MoneyAnswer(amount_minor=amount_minor, currency=currency, fraction_digits=fraction_digits(currency))


def quote_answer(decision: Decision, *, candidates: bool) -> QuoteAnswer:
    """A decision as the contract has it."""
    return QuoteAnswer.model_validate(_fields(decision, candidates=candidates))


def recorded_quote(decision: Decision, outcomes: list[OutcomeRecord]) -> RecordedQuote:
    """A decision with its candidates and what became of it."""
    known = [outcome_answer(outcome) for outcome in outcomes]
    return RecordedQuote.model_validate({**_fields(decision, candidates=True), "outcomes": known})


def outcome_answer(outcome: OutcomeRecord) -> OutcomeAnswer:
    """An outcome as recorded."""
    return OutcomeAnswer(
        id=outcome.outcome_id,
        quote_id=outcome.quote_id or "",
        type=outcome.type,
        quantity=outcome.quantity,
        at=outcome.at,
    )


def _fields(decision: Decision, *, candidates: bool) -> dict[str, Any]:
    currency = decision.currency
    listed = decision.list_minor
    disclosure = decision.disclosure
    return {
        "id": decision.id,
        "at": decision.at,
        "product_id": decision.product_id,
        "shopper_id": decision.shopper_id,
        "quantity": decision.quantity,
        "price": money(decision.price_minor, currency),
        "reference_price": money(decision.reference_minor, currency),
        "list_price": None if listed is None else money(listed, currency),
        "strategy": StrategyAnswer(
            name=decision.strategy.name,
            lever=decision.strategy.lever,
            source=decision.source,
            rationale=decision.rationale,
        ),
        "scores": None if decision.scores is None else _scores(decision.scores),
        "interest": None if decision.interest is None else rounded(decision.interest),
        "confidence": rounded(decision.confidence),
        "personalised": decision.personalised,
        "rung": decision.rung,
        "trail": [
            TrailAnswer(
                rule=s.rule, from_=money(s.from_minor, currency), to=money(s.to_minor, currency), detail=s.detail
            )
            for s in decision.trail
        ],
        "similar": [
            SimilarAnswer(
                id=s.product_id,
                title=s.title,
                price=None if s.price_minor is None else money(s.price_minor, s.currency),
                similarity=rounded(s.similarity),
            )
            for s in decision.similar
        ],
        "evidence": [
            EvidenceAnswer(
                product_id=e.product_id,
                price_ratio=rounded(e.price_ratio),
                bought=e.bought,
                similarity=rounded(e.similarity),
            )
            for e in decision.evidence[:_NEAREST]
        ],
        "candidates": [_candidate(c, currency) for c in decision.candidates] if candidates else None,
        "disclosure": DisclosureAnswer(
            required=disclosure.required,
            text=disclosure.text,
            jurisdiction=disclosure.jurisdiction,
            inputs_used=list(disclosure.inputs_used),
            inputs_ignored=[IgnoredAnswer(input=i.input, reason=i.reason) for i in disclosure.inputs_ignored],
            law=disclosure.law,
            option=disclosure.option,
            reduction=None if disclosure.reduction is None else _reduction(disclosure.reduction, currency),
        ),
        "propensity": rounded(decision.propensity),
        "valid_until": decision.valid_until,
        "token": decision.token,
        "versions": {name: getattr(decision.versions, name) for name in decision.versions.__slots__},
        "timing_ms": dict(decision.timing_ms),
    }


def _reduction(reduction: Reduction, currency: str) -> ReductionAnswer:
    return ReductionAnswer(
        prior_price=money(reduction.prior_minor, currency),
        began=reduction.began,
        days=reduction.days,
        percent=reduction.percent,
    )


def _candidate(candidate: Candidate, currency: str) -> CandidateAnswer:
    return CandidateAnswer(
        strategy=StrategyAnswer(
            name=candidate.strategy.name,
            lever=candidate.strategy.lever,
            source=candidate.source,
            rationale=candidate.rationale,
        ),
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
    """Six significant digits: what a score can carry."""
    if value == 0 or not math.isfinite(value):
        return 0.0
    return round(value, 5 - math.floor(math.log10(abs(value))))
