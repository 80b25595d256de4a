"""Response models of quotes."""

import math
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from pydantic import Field

from agent.api.responses.answer import Answer
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


class View(StrEnum):
    """Reader of an answer."""

    SHOPPER = "shopper"
    MERCHANT = "merchant"


class ScoreAnswer(Answer):
    """A score and its 90 % interval."""

    value: float
    """The best estimate."""
    low: float
    """Lower end of the interval."""
    high: float
    """Upper end of the interval."""


class ScoresAnswer(Answer):
    """Three scores of a price."""

    purchase_probability: ScoreAnswer
    """Chance that the shopper buys, 0 to 1."""
    profit: ScoreAnswer
    """Expected profit of the whole quantity, in minor units."""
    satisfaction: ScoreAnswer
    """How content the shopper would be with the price, 0 to 1."""


class StrategyAnswer(Answer):
    """The pricing strategy, its source, and the reason in words."""

    name: str
    """The strategy in short, such as `discount: reference -12 %, charm`."""
    lever: Lever
    """Reason for the change of price."""
    source: Source
    """Who proposed it."""
    rationale: str
    """The reason in words."""


class TrailAnswer(Answer, title="TrailStep"):
    """A rule that moved the price."""

    rule: str
    """Name of the rule."""
    from_: MoneyAnswer = Field(serialization_alias="from")
    """The price before."""
    to: MoneyAnswer
    """The price after."""
    detail: str
    """The reason in words."""


class SimilarAnswer(Answer, title="SimilarProduct"):
    """A similar product."""

    id: str
    """Id of the product."""
    title: str
    """Its name."""
    price: MoneyAnswer | None
    """Its list price."""
    similarity: float
    """Cosine of the two products' vectors, at most 1."""


class EvidenceAnswer(Answer, title="PastOutcome"):
    """A retrieved past outcome, without its shopper."""

    product_id: str
    """Id of the product."""
    price_ratio: float
    """The offered price over its reference price."""
    bought: bool
    """Whether the offer was bought."""
    similarity: float
    """How alike the situations were, at most 1."""


class CompetitorAnswer(Answer, title="UsedCompetitorPrice"):
    """A competitor's price that entered, as the request told of it."""

    price: MoneyAnswer
    """The competitor's price."""
    source: str
    """Where it comes from; empty where that was not told."""
    public: bool | None
    """Whether anyone can see it; null where that was not told."""


class CandidateAnswer(Answer):
    """A candidate price."""

    strategy: StrategyAnswer
    """The strategy that it comes from."""
    price: MoneyAnswer
    """Price of one unit."""
    scores: ScoresAnswer
    """What the price is expected to do."""
    probability: float
    """Chance with which it was chosen, 0 to 1."""
    chosen: bool
    """Whether it is the one shown."""


class QuoteAnswer(Answer, title="Quote"):
    """A priced quote in the merchant's view; prices are per unit."""

    view: Literal[View.MERCHANT] = View.MERCHANT
    """Tells this view from the shopper's."""
    id: str
    """Id of the quote; outcomes name it."""
    at: datetime
    """When it was made."""
    product_id: str | None
    """Id of the product; null for one that was only described."""
    shopper_id: str | None
    """Id of the shopper; null for a stranger."""
    quantity: int
    """Units wanted."""
    price: MoneyAnswer
    """The price to show."""
    reference_price: MoneyAnswer
    """The price without personal data, the one that everyone may pay."""
    list_price: MoneyAnswer | None
    """The list price."""
    strategy: StrategyAnswer
    """Where the price comes from."""
    scores: ScoresAnswer | None
    """What the price is expected to do; null where nothing was scored."""
    interest: float | None
    """The shopper's interest in this category, 0 to 1."""
    confidence: float
    """How sure the choice is, 0 to 1."""
    personalised: bool
    """Whether personal data moved the price."""
    rung: Rung
    """How candidates were found within the deadline."""
    trail: list[TrailAnswer]
    """Rules that moved the price, in order."""
    similar: list[SimilarAnswer]
    """Similar products."""
    evidence: list[EvidenceAnswer]
    """Past outcomes that were most alike."""
    candidates: list[CandidateAnswer] | None = None
    """Every price that was scored, best first; null unless asked for with `include=candidates`."""
    disclosure: DisclosureAnswer
    """Notice to the shopper."""
    competitor_prices: list[CompetitorAnswer]
    """Competitors' prices that entered, those with a source or publicness told."""
    propensity: float
    """Chance with which this price was chosen, for evaluation of policies."""
    valid_until: datetime
    """When the quote expires."""
    token: str
    """The signed quote: verify it at the checkout."""
    versions: dict[str, str]
    """Versions of models, prompt and index, by part."""
    timing_ms: dict[str, float]
    """Milliseconds by step."""


class RecordedQuote(QuoteAnswer):
    """A quote as recorded, with its outcomes."""

    outcomes: list[OutcomeAnswer]
    """Outcomes reported for it, oldest first."""


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
