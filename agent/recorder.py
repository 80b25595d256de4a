"""Step 7: the decision as a whole, signed, durable before the answer leaves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue
from uuid_utils import uuid7

from agent.decision import Candidate, Decision, Disclosure, Rung, Versions
from agent.disclosure import disclose, is_personal
from agent.gateway import Guarded
from agent.observation import Encoded, Observation
from agent.proposals import HOLD
from agent.proposer import Proposed
from agent.retriever import Retrieved
from agent.selector import Selected
from agent.timing import StepTimer
from agent.tokens import QuoteClaims, TokenSigner
from models.online import Lesson

TRIED_REFERENCE: Final = "the reference price, shown by chance so that other prices can be compared with it"

Keep = Callable[[Sequence[Decision], Sequence[Mapping[str, JsonValue]]], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything that steps 1-6 found for one observation."""

    observation: Observation
    row: int
    encoded: Encoded
    retrieved: Retrieved
    proposed: Proposed
    selected: Selected
    guarded: Guarded
    lesson: Lesson


class Recorder:
    """Makes decisions of what the steps found, and keeps them."""

    def __init__(self, keep: Keep, signer: TokenSigner, versions: Callable[[], Versions], ttl: timedelta) -> None:
        """Quotes are valid for `ttl`; `keep` makes them durable."""
        self._keep = keep
        self._signer = signer
        self._versions = versions
        self._ttl = ttl

    def record(self, outcomes: Sequence[Outcome], timer: StepTimer) -> list[Decision]:
        """Sign and store decisions in one transaction; their timings end with the gateway's."""
        versions = self._versions()
        timings = dict(timer.steps_ms)
        decisions = [self._decision(outcome, versions, timings) for outcome in outcomes]
        if decisions:
            self._keep(decisions, [_asked(outcome.observation) for outcome in outcomes])
        return decisions

    def draft(self) -> "Recorder":
        """A recorder that keeps nothing: for what might have been."""
        return Recorder(lambda _decisions, _requests: None, self._signer, self._versions, self._ttl)

    def _decision(self, outcome: Outcome, versions: Versions, timings: Mapping[str, float]) -> Decision:
        observation, guarded, chosen = outcome.observation, outcome.guarded, outcome.selected.chosen
        quote_id = str(uuid7())
        valid_until = (observation.at + self._ttl).replace(microsecond=0)
        disclosure = disclosed(observation, outcome.proposed.rung)
        costed = not guarded.held
        return Decision(
            id=quote_id,
            at=observation.at,
            valid_until=valid_until,
            shopper_id=observation.shopper_id,
            product_id=observation.product_id,
            product_title=observation.product.title,
            currency=observation.currency,
            quantity=observation.quantity,
            price_minor=guarded.price_minor,
            reference_minor=observation.reference_minor,
            list_minor=observation.product.list_minor,
            strategy=chosen.strategy if costed else HOLD,
            source=chosen.source,
            rationale=_rationale(outcome),
            scores=chosen.scores if costed else None,
            interest=float(outcome.encoded.interest[outcome.row]),
            confidence=outcome.selected.confidence if observation.holds_reference is None else 1.0,
            personalised=any(is_personal(name) for name in disclosure.inputs_used),
            rung=outcome.proposed.rung,
            trail=guarded.trail,
            similar=outcome.retrieved.similar[outcome.row],
            evidence=outcome.retrieved.past[outcome.row],
            candidates=_ranked(outcome.selected.candidates) if costed else (),
            disclosure=disclosure,
            propensity=outcome.selected.propensity,
            versions=versions,
            timing_ms=timings,
            token=self._signer.sign(self._claims(quote_id, observation, guarded.price_minor, valid_until)),
            lesson=outcome.lesson,
        )

    def _claims(self, quote_id: str, observation: Observation, price_minor: int, valid_until: datetime) -> QuoteClaims:
        return QuoteClaims(
            quote_id=quote_id,
            product_id=observation.product_id,
            shopper_id=observation.shopper_id,
            quantity=observation.quantity,
            price_minor=price_minor,
            currency=observation.currency,
            fraction_digits=observation.fraction_digits,
            issued_at=observation.at,
            valid_until=valid_until,
        )


def disclosed(observation: Observation, rung: Rung) -> Disclosure:
    """What the answer says of its inputs: those that entered.

    None did when the reference was held from the start, or when no time was left for anything but the reference.
    """
    held = observation.holds_reference is not None or rung is Rung.REFERENCE
    used = () if held else observation.inputs_used
    return disclose(
        personalised=any(is_personal(name) for name in used),
        inputs_used=used,
        inputs_ignored=observation.inputs_ignored,
        jurisdiction=observation.market.jurisdiction,
    )


def _asked(observation: Observation) -> Mapping[str, JsonValue]:
    asked: dict[str, JsonValue] = observation.request.model_dump(mode="json", exclude_defaults=True)
    return asked


def _rationale(outcome: Outcome) -> str:
    chosen = outcome.selected.chosen
    if outcome.selected.tried:
        held = outcome.guarded.price_minor == outcome.observation.reference_minor
        return TRIED_REFERENCE if held else f"tried out to learn how it sells: {chosen.rationale}"
    if outcome.observation.holds_reference is None and outcome.selected.abstained:
        return f"a move was proposed, but it is not sure enough to beat the reference price ({chosen.rationale})"
    return chosen.rationale


def _ranked(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The chosen candidate first, then by expected profit."""
    return tuple(sorted(candidates, key=lambda candidate: (not candidate.chosen, -candidate.scores.profit.value)))
