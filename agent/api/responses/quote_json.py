"""Quotes as JSON, straight from decisions.

The models of `quotes`, `shopper_quotes` and `disclosure` describe these fields to the OpenAPI document; building them
for an answer costs more than all else that HTTP does. Tests hold that both agree, field by field.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from agent.api.responses.outcomes import outcome_answer
from agent.api.responses.shown import Shown, View
from agent.domain.candidates import Candidate, Interval, PastOutcome, Scores
from agent.domain.decision import CompetitorRecord, Decision, Disclosure, Reduction, SimilarProduct, TrailStep
from agent.domain.money import fraction_digits
from agent.domain.records import OutcomeRecord

Fields = dict[str, object]
"""Fields of an object by their names of the HTTP contract; values are what the encoder knows."""

encode: Final[Callable[[object], bytes]] = msgspec.json.Encoder().encode
"""Encodes fields, and lists of them."""

_NEAREST: Final = 8  # past outcomes shown
_MERCHANTS: Final = ("product.cost", "limits", "merchant")
"""Sources of inputs that are the merchant's own affair."""


def quote_json(decision: Decision, shown: Shown) -> bytes:
    """A decision in a view."""
    return encode(quote_fields(decision, shown))


def quote_fields(decision: Decision, shown: Shown) -> Fields:
    """The fields of a decision in a view (`QuoteAnswer`, `ShopperQuoteAnswer`)."""
    return merchant_fields(decision, shown.candidates) if shown.view is View.MERCHANT else shopper_fields(decision)


def shopper_fields(decision: Decision) -> Fields:
    """The shopper's view: nothing from which the merchant's cost could be computed."""
    told = decision.disclosure
    used = [name for name in told.inputs_used if not name.startswith(_MERCHANTS)]
    return {
        "view": "shopper",
        "id": decision.id,
        "at": decision.at,
        "product_id": decision.product_id,
        "shopper_id": decision.shopper_id,
        "quantity": decision.quantity,
        **_prices(decision),
        "personalised": decision.personalised,
        "disclosure": _disclosure(told, used, decision.currency),
        "valid_until": decision.valid_until,
        "token": decision.token,
    }


def merchant_fields(decision: Decision, candidates: bool) -> Fields:
    """The merchant's view, with the candidates or without."""
    currency, versions = decision.currency, decision.versions
    digits = fraction_digits(currency)
    return {
        "view": "merchant",
        "id": decision.id,
        "at": decision.at,
        "product_id": decision.product_id,
        "shopper_id": decision.shopper_id,
        "quantity": decision.quantity,
        **_prices(decision),
        "strategy": _strategy(decision, decision.strategy_name),
        "scores": None if decision.scores is None else _scores(decision.scores),
        "interest": None if decision.interest is None else rounded(decision.interest),
        "confidence": rounded(decision.confidence),
        "personalised": decision.personalised,
        "rung": decision.rung.value,
        "trail": [_trail(step, currency, digits) for step in decision.trail],
        "similar": [_similar(product) for product in decision.similar],
        "evidence": [_evidence(outcome) for outcome in decision.evidence[:_NEAREST]],
        "candidates": [_candidate(one, currency, digits) for one in decision.candidates] if candidates else None,
        "disclosure": _disclosure(decision.disclosure, decision.disclosure.inputs_used, currency),
        "competitor_prices": [_competitor(one, currency, digits) for one in decision.competitor_prices],
        "propensity": rounded(decision.propensity),
        "valid_until": decision.valid_until,
        "token": decision.token,
        "versions": {name: getattr(versions, name) for name in versions.__slots__ if name != "identified_by"},
        "identified_by": versions.identified_by or None,
        "satisfaction_source": decision.score_origin.satisfaction or None,
        "priors": list(decision.score_origin.priors),
        "timing_ms": dict(decision.timing_ms),
    }


def recorded_fields(decision: Decision, outcomes: Sequence[OutcomeRecord]) -> Fields:
    """A decision as recorded (`RecordedQuote`): the merchant's view with candidates and outcomes."""
    return {
        **merchant_fields(decision, candidates=True),
        "outcomes": [outcome_answer(one).model_dump() for one in outcomes],
    }


def rounded(value: float) -> float:
    """Round to six significant digits; 0 for numbers that JSON lacks."""
    return (float(f"{value:.6g}") or 0.0) if math.isfinite(value) else 0.0  # nor is zero negative


def _money(amount_minor: int, currency: str, digits: int) -> Fields:
    return {"amount_minor": amount_minor, "currency": currency, "fraction_digits": digits}


def _prices(decision: Decision) -> Fields:
    currency, listed = decision.currency, decision.list_minor
    digits = fraction_digits(currency)
    return {
        "price": _money(decision.price_minor, currency, digits),
        "reference_price": _money(decision.reference_minor, currency, digits),
        "list_price": None if listed is None else _money(listed, currency, digits),
    }


def _strategy(chosen: Decision | Candidate, name: str) -> Fields:
    return {
        "name": name,
        "lever": chosen.strategy.lever.value,
        "source": chosen.source.value,
        "rationale": chosen.rationale,
    }


def _trail(step: TrailStep, currency: str, digits: int) -> Fields:
    return {
        "rule": step.rule,
        "from": _money(step.from_minor, currency, digits),
        "to": _money(step.to_minor, currency, digits),
        "detail": step.detail,
    }


def _similar(product: SimilarProduct) -> Fields:
    price, currency = product.price_minor, product.currency
    return {
        "id": product.product_id,
        "title": product.title,
        "price": None if price is None else _money(price, currency, fraction_digits(currency)),
        "similarity": rounded(product.similarity),
    }


def _evidence(outcome: PastOutcome) -> Fields:
    return {
        "product_id": outcome.product_id,
        "price_ratio": rounded(outcome.price_ratio),
        "bought": outcome.bought,
        "similarity": rounded(outcome.similarity),
    }


def _competitor(record: CompetitorRecord, currency: str, digits: int) -> Fields:
    return {
        "price": _money(record.price_minor, currency, digits),
        "source": record.source,
        "public": record.public,
    }


def _candidate(candidate: Candidate, currency: str, digits: int) -> Fields:
    return {
        "strategy": _strategy(candidate, candidate.strategy.name),
        "price": _money(candidate.price_minor, currency, digits),
        "scores": _scores(candidate.scores),
        "probability": rounded(candidate.probability),
        "chosen": candidate.chosen,
    }


def _scores(scores: Scores) -> Fields:
    return {
        "purchase_probability": _score(scores.purchase_probability),
        "profit": _score(scores.profit),
        "satisfaction": _score(scores.satisfaction),
    }


def _score(interval: Interval) -> Fields:
    return {"value": rounded(interval.value), "low": rounded(interval.low), "high": rounded(interval.high)}


def _disclosure(told: Disclosure, used: Sequence[str], currency: str) -> Fields:
    """The notice, with the inputs that its reader may see."""
    return {
        "required": told.required,
        "text": told.text,
        "jurisdiction": told.jurisdiction,
        "inputs_used": used,
        "inputs_ignored": [{"input": one.input, "reason": one.reason} for one in told.inputs_ignored],
        "law": told.law,
        "option": told.option,
        "reduction": None if told.reduction is None else _reduction(told.reduction, currency),
        "language": told.language,
        "placement": told.placement,
        "duties": [{"do": duty.do, "source": duty.source} for duty in told.duties],
        "consent": told.consent,
    }


def _reduction(reduction: Reduction, currency: str) -> Fields:
    return {
        "prior_price": _money(reduction.prior_minor, currency, fraction_digits(currency)),
        "began": reduction.began,
        "days": reduction.days,
        "percent": reduction.percent,
    }
