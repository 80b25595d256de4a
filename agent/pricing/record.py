"""Step 7: the decision as a whole, signed, durable before the answer leaves."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue
from uuid_utils import uuid7

from agent.domain.decision import Candidate, Decision, Disclosure, QuoteClaims, Rung, Versions
from agent.domain.records import AppliedPrice
from agent.pricing.candidates import HOLD
from agent.pricing.observation import Encoded, Observation
from agent.pricing.propose import Proposed
from agent.pricing.retrieve import Retrieved
from agent.pricing.select import Selected
from agent.pricing.step_timer import StepTimer
from agent.rules.disclosure import LAST_PRICE, disclose, is_personal
from agent.rules.gateway import Guarded
from agent.rules.packs import law_of
from agent.rules.prior_price import LOOK_BACK, reduction
from agent.store import Claim
from models.evaluator.lesson import Lesson

TRIED_REFERENCE: Final = "the reference price, shown by chance so that other prices can be compared with it"

Keep = Callable[[Sequence[Decision], Sequence[Mapping[str, JsonValue]], Sequence[Claim]], frozenset[str]]
Sign = Callable[[QuoteClaims], str]
AppliedTo = Callable[[Iterable[str], datetime], Mapping[str, Sequence[AppliedPrice]]]


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


@dataclass(frozen=True, slots=True)
class Books:
    """The store as the recorder needs it: `keep` makes decisions durable, `applied` reads the applied-price log."""

    keep: Keep
    applied: AppliedTo


class Recorder:
    """Makes decisions of what the steps found, and keeps them."""

    def __init__(
        self, books: Books, sign: Sign, versions: Callable[[], Versions], ttl: timedelta, *, holds: bool
    ) -> None:
        """`sign` makes a quote's token. Quotes are valid for `ttl`; with `holds` their prices stand so long."""
        self._books = books
        self._sign = sign
        self._versions = versions
        self._ttl = ttl
        self._holds = holds

    def record(self, outcomes: Sequence[Outcome], timer: StepTimer) -> list[Decision | None]:
        """Sign and store decisions in one transaction; their timings end with the gateway's.

        None stands for a decision that came too late: another process quoted its shopper another price meanwhile.
        """
        versions = self._versions()
        timings = dict(timer.steps_ms)
        decisions = self._announced([self._decision(outcome, versions, timings) for outcome in outcomes])
        if not decisions:
            return []
        claims = [_claim(outcome) for outcome in outcomes] if self._holds else []
        late = self._books.keep(decisions, [_asked(outcome.observation) for outcome in outcomes], claims)
        return [None if decision.id in late else decision for decision in decisions]

    def draft(self) -> "Recorder":
        """A recorder that keeps nothing: for what might have been."""
        books = replace(self._books, keep=lambda *_: frozenset())
        return Recorder(books, self._sign, self._versions, self._ttl, holds=False)

    def _announced(self, decisions: list[Decision]) -> list[Decision]:
        """Decisions with the reduction that may be announced, where a law says what from."""
        days = [law_of(one.disclosure.jurisdiction).prior_price_days for one in decisions]
        asked = {one.product_id for one, wanted in zip(decisions, days, strict=True) if wanted and one.product_id}
        if not asked:
            return decisions
        log = self._books.applied(sorted(asked), max(one.at for one in decisions) - LOOK_BACK)
        return [_with_reduction(one, log, wanted) for one, wanted in zip(decisions, days, strict=True)]

    def _decision(self, outcome: Outcome, versions: Versions, timings: Mapping[str, float]) -> Decision:
        observation, guarded, chosen = outcome.observation, outcome.guarded, outcome.selected.chosen
        held = outcome.selected.held
        quote_id = observation.request.quote_id or str(uuid7())
        valid_until = held.valid_until if held is not None else (observation.at + self._ttl).replace(microsecond=0)
        disclosure = disclosed(outcome)
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
            rung=outcome.proposed.rung if held is None else held.rung,
            trail=guarded.trail,
            similar=outcome.retrieved.similar[outcome.row],
            evidence=outcome.retrieved.past[outcome.row],
            candidates=_ranked(outcome.selected.candidates) if costed else (),
            disclosure=disclosure,
            propensity=outcome.selected.propensity,
            versions=replace(versions, rules=f"rules/{observation.merchant.version}"),
            timing_ms=timings,
            token=self._sign(self._claims(quote_id, observation, guarded.price_minor, valid_until)),
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


def disclosed(outcome: Outcome) -> Disclosure:
    """What the answer says of its inputs: those that entered, when the price was made if one made before stands."""
    observation, held = outcome.observation, outcome.selected.held
    used = tuple(_entered(observation, outcome.proposed.rung, outcome.guarded))
    if held is not None:
        used = held.disclosure.inputs_used
    return disclose(
        personalised=any(is_personal(name) for name in used),
        inputs_used=used,
        inputs_ignored=observation.inputs_ignored,
        jurisdiction=observation.market.jurisdiction,
    )


def _entered(observation: Observation, rung: Rung, guarded: Guarded) -> Iterable[str]:
    """The inputs that could have made the price another.

    None could when the reference was held from the start. When no time was left for anything but the reference, the
    last price alone could, by limiting the change; and no other personal one when the limits leave a single price.
    """
    if guarded.held:
        return ()
    by_last_price = [LAST_PRICE] if guarded.by_last_price else []
    if observation.holds_reference is not None or rung is Rung.REFERENCE:
        return by_last_price
    if guarded.forced:
        return [name for name in observation.inputs_used if not is_personal(name)] + by_last_price
    earlier = [LAST_PRICE] if observation.shown is not None else by_last_price
    return [*observation.inputs_used, *earlier]


def _with_reduction(decision: Decision, log: Mapping[str, Sequence[AppliedPrice]], days: int | None) -> Decision:
    if days is None or decision.product_id is None:
        return decision
    applied = [one for one in log.get(decision.product_id, ()) if one.currency == decision.currency]
    found = reduction(applied, decision.price_minor, decision.at, days)
    return replace(decision, disclosure=replace(decision.disclosure, reduction=found))


def _claim(outcome: Outcome) -> Claim:
    """A price stands unless nothing personal may set it; it takes the place of one that may not stand any more."""
    observation, held = outcome.observation, outcome.selected.held
    holds = observation.holds_reference is None and not outcome.guarded.held
    gone = observation.live is not None and held is None
    return Claim(holds, observation.live.id if gone and observation.live is not None else None)


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
