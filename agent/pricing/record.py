"""Step 7: decisions, signed, durable before the answer leaves."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue
from uuid_utils import uuid7

from agent.domain.candidates import NO_ORIGIN, CandidateColumns, PastOutcomeColumns, ScoreOrigin, Source
from agent.domain.decision import (
    CompetitorRecord,
    Decision,
    Disclosure,
    GuardAction,
    HeldReason,
    QuoteClaims,
    Rung,
    SimilarProduct,
    Versions,
)
from agent.domain.records import AppliedPrice
from agent.domain.request import QuoteRequest
from agent.pricing.candidates import HOLD
from agent.pricing.flow import Flow, Observation, Proposal, Proposed, Selected
from agent.rules.disclosure import LAST_PRICE, Offered, disclose, is_personal, is_personalised
from agent.rules.gateway import Guarded
from agent.rules.packs import law_at, legal_day
from agent.rules.prior_price import LOOK_BACK, public_prices, reduction
from agent.store import Claim
from models.evaluator.lesson import Lesson

_SHARED: Final = {"shopper", "context"}
_CONTROL: Final = "the reference price, shown by chance so that other prices can be compared with it"

Applied = Mapping[str, Sequence[AppliedPrice]]
Keep = Callable[[Sequence[Decision], Sequence[Mapping[str, JsonValue]], Sequence[Claim], Applied], frozenset[str]]
Sign = Callable[[QuoteClaims], str]
AppliedTo = Callable[[Iterable[str], datetime], Applied]


@dataclass(frozen=True, slots=True)
class PricedObservation:
    """One row of the flow, ready to be recorded.

    Attributes:
        interest: In the product's category, 0-1.
        chosen: The proposal whose price is shown.
        candidates: As recorded: the chosen one first, then by expected profit.
        lesson: Inputs of the online update after its outcome.
    """

    observation: Observation
    similar: tuple[SimilarProduct, ...]
    evidence: PastOutcomeColumns
    interest: float
    proposed: Proposed
    chosen: Proposal
    candidates: CandidateColumns
    selected: Selected
    guarded: Guarded
    lesson: Lesson
    origin: ScoreOrigin

    @classmethod
    def rows(cls, flow: Flow, lessons: Sequence[Lesson]) -> list["PricedObservation"]:
        """All rows of a flow."""
        rows = range(len(flow.observations))
        columns = (
            flow.observations,
            flow.retrieved.similar,
            flow.retrieved.past.columns(),
            flow.encoded.interest.tolist(),
            flow.proposed,
            map(flow.chosen, rows),
            _candidates(flow),
            flow.selected,
            flow.guarded,
            lessons,
            flow.scored.origins,
        )
        return [cls(*row) for row in zip(*columns, strict=True)]

    @property
    def held(self) -> HeldReason | None:
        """Reason for holding the reference price, None where another price is shown."""
        standing = self.selected.standing
        if standing is not None:
            return standing.held
        if self.observation.held is not None:
            return self.observation.held
        if self.guarded.price_minor != self.observation.reference_minor and not self.guarded.held:
            return None
        if self.proposed.rung is Rung.REFERENCE:
            return HeldReason.NO_TIME
        if self.selected.explored:
            return HeldReason.CONTROL
        if self.selected.abstained:
            return HeldReason.NOT_SURE
        return HeldReason.NOTHING_BETTER if self.chosen.source is Source.REFERENCE else None

    @property
    def rationale(self) -> str:
        """The choice in words."""
        chosen, guarded = self.chosen, self.guarded
        if self.selected.standing is not None:
            return chosen.rationale
        if guarded.trail and guarded.action in (GuardAction.CONFLICT, GuardAction.FORCED):
            return f"the limits set the price: {guarded.trail[-1].detail}"
        if self.held is HeldReason.CONTROL:
            return _CONTROL
        if self.selected.explored:
            return f"tried out to learn how it sells: {chosen.rationale}"
        if self.held is HeldReason.NOT_SURE:
            return f"a move was proposed, but it is not sure enough to beat the reference price ({chosen.rationale})"
        return chosen.rationale

    @property
    def inputs_used(self) -> tuple[str, ...]:
        """Inputs that entered the price; of a standing price, those that entered when it was made."""
        standing = self.selected.standing
        return tuple(self._entered()) if standing is None else standing.disclosure.inputs_used

    @property
    def personalised(self) -> bool:
        """Whether personal data made this another price than the reference price."""
        return is_personalised(self.inputs_used, self.guarded.price_minor, self.observation.reference_minor)

    @property
    def disclosure(self) -> Disclosure:
        """The notice for the inputs that entered, by the law of the decision's day."""
        observation, place = self.observation, self.observation.market.jurisdiction
        consent = observation.request.shopper.higher_price_consent
        reason = None if consent is None else consent.reason
        return disclose(
            Offered(self.guarded.price_minor, observation.reference_minor, reason),
            inputs_used=self.inputs_used,
            inputs_ignored=observation.inputs_ignored,
            place=place,
            day=legal_day(place, observation.at),
        )

    @property
    def claim(self) -> Claim:
        """The claim of this price to stand; none where nothing personal may set it. It replaces one that moved."""
        observation, live = self.observation, self.observation.live
        holds = observation.held is None and not self.guarded.held
        gone = live is not None and self.selected.standing is None
        return Claim(holds, live.id if gone and live is not None else None)

    def _entered(self) -> Iterable[str]:
        """Inputs that could have changed the price.

        None could when the reference was held from the start. When no time was left for anything but the reference,
        the last price alone could, by limiting the change; no other personal one when the limits leave one price.
        """
        observation, guarded = self.observation, self.guarded
        if guarded.held:
            return ()
        by_last_price = [LAST_PRICE] if guarded.by_last_price else []
        if observation.held is not None or self.proposed.rung is Rung.REFERENCE:
            return by_last_price
        if guarded.forced:
            return [name for name in observation.inputs_used if not is_personal(name)] + by_last_price
        earlier = [LAST_PRICE] if observation.shown is not None else by_last_price
        return [*observation.inputs_used, *earlier]


@dataclass(frozen=True, slots=True)
class DecisionStore:
    """The store as the recorder needs it: `keep` makes decisions durable, `applied` reads the applied-price log."""

    keep: Keep
    applied: AppliedTo


@dataclass(frozen=True, slots=True)
class QuoteIssuer:
    """Settings of issued quotes: `sign` makes a token, a price is valid for `ttl`; with `holds` it stands so long."""

    sign: Sign
    ttl: timedelta
    holds: bool


class Recorder:
    """Makes decisions and keeps them."""

    def __init__(
        self,
        store: DecisionStore,
        issuer: QuoteIssuer,
        versions: Callable[[], Versions],
        lessons: Callable[[Flow, Sequence[int]], Sequence[Lesson]],
    ) -> None:
        """`versions` names what is in use; `lessons` computes inputs of online updates at the prices shown."""
        self._store = store
        self._issuer = issuer
        self._versions = versions
        self._lessons = lessons

    def record(self, flow: Flow) -> None:
        """Add `decisions`, stored in one transaction; their timings end with the guard's."""
        of_rules = {o.merchant.version for o in flow.observations}
        versions, timings = self._versions(), dict(flow.timings_ms)
        made_with = {number: replace(versions, rules=f"rules/{number}") for number in of_rules}
        priced = PricedObservation.rows(flow, self._lessons(flow, [one.price_minor for one in flow.guarded]))
        listed = [one.observation.as_listed for one in priced]
        decisions = self._announced(
            [self._decision(one, made_with[one.observation.merchant.version], timings) for one in priced], listed
        )
        claims = [one.claim for one in priced] if self._issuer.holds else []
        applied = {d.id: public_prices(d) for d, is_listed in zip(decisions, listed, strict=True) if is_listed}
        requests = asked_json([one.observation.request for one in priced])
        late = self._store.keep(decisions, requests, claims, applied)
        flow.decisions = [None if decision.id in late else decision for decision in decisions]

    def counterfactual(self) -> "Recorder":
        """For counterfactuals: keeps nothing."""
        store = replace(self._store, keep=lambda *_: frozenset())
        return Recorder(store, replace(self._issuer, holds=False), self._versions, self._lessons)

    def _announced(self, decisions: list[Decision], listed: Sequence[bool]) -> list[Decision]:
        """Add the price reduction that may be announced, where a law fixes the price that it counts from.

        None is announced of a product other than the catalogue's (`listed`), nor of a lower price for several units.
        """
        days = [
            law_at(one.disclosure.jurisdiction, one.at).prior_price_days if is_listed and _is_claim(one) else None
            for one, is_listed in zip(decisions, listed, strict=True)
        ]
        asked = {one.product_id for one, wanted in zip(decisions, days, strict=True) if wanted and one.product_id}
        if not asked:
            return decisions
        log = self._store.applied(sorted(asked), max(one.at for one in decisions) - LOOK_BACK)
        return [_with_reduction(one, log, wanted) for one, wanted in zip(decisions, days, strict=True)]

    def _decision(self, priced: PricedObservation, versions: Versions, timings: Mapping[str, float]) -> Decision:
        observation, guarded, selected = priced.observation, priced.guarded, priced.selected
        standing, chosen, disclosure = selected.standing, priced.chosen, priced.disclosure
        quote_id = observation.request.quote_id or str(uuid7())
        fresh_until = (observation.at + self._issuer.ttl).replace(microsecond=0)
        valid_until = standing.valid_until if standing is not None else fresh_until
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
            rationale=priced.rationale,
            scores=priced.candidates[0].scores if costed else None,
            interest=priced.interest,
            confidence=selected.confidence if observation.held is None else 1.0,
            personalised=priced.personalised,
            rung=priced.proposed.rung if standing is None else standing.rung,
            trail=guarded.trail,
            similar=priced.similar,
            evidence=priced.evidence,
            candidates=priced.candidates if costed else CandidateColumns(),
            disclosure=disclosure,
            propensity=selected.propensity,
            versions=versions,
            timing_ms=timings,
            token=self._issuer.sign(_claims(quote_id, observation, guarded.price_minor, valid_until)),
            lesson=priced.lesson,
            held=priced.held,
            guard=guarded.action,
            explored=selected.explored,
            cost_minor=observation.product.cost_minor,
            competitor_prices=_competitors(observation),
            score_origin=priced.origin if costed else NO_ORIGIN,
        )


def _claims(quote_id: str, observation: Observation, price_minor: int, valid_until: datetime) -> QuoteClaims:
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


def _candidates(flow: Flow) -> list[CandidateColumns]:
    """The candidates of each row with their chances, the chosen one first, then by expected profit."""
    scored = flow.scored
    prices, scores, profits = scored.price_minor.tolist(), scored.scores.tolist(), scored.profit.tolist()
    found = []
    for row, (own, choice) in enumerate(zip(flow.proposed, flow.selected, strict=True)):
        numbers, minor, profit, proposals = scores[row], prices[row], profits[row], own.proposals
        order = sorted(range(len(proposals)), key=lambda at: (at != choice.index, -profit[at]))
        ranked = [proposals[at] for at in order]
        ranks = [numbers[at] for at in order]
        found.append(
            CandidateColumns(
                strategy=[one.strategy for one in ranked],
                source=[one.source for one in ranked],
                rationale=[one.rationale for one in ranked],
                raw_minor=[one.raw_minor for one in ranked],
                price_minor=[minor[at] for at in order],
                purchase_probability=[one[:3] for one in ranks],
                profit=[one[3:6] for one in ranks],
                satisfaction=[one[6:] for one in ranks],
                probability=[choice.probabilities[at] for at in order],
                chosen=[at == choice.index for at in order],
                origin=[one.origin for one in ranked],
            )
        )
    return found


def _competitors(observation: Observation) -> tuple[CompetitorRecord, ...]:
    """The competitors' prices that entered and of which the request says more than the amount."""
    prices = observation.request.context.competitor_prices
    return tuple(
        CompetitorRecord(p.amount_minor, p.source, p.public) for p in prices if p.source or p.public is not None
    )


def _is_claim(decision: Decision) -> bool:
    return decision.quantity == 1 or decision.price_minor == decision.reference_minor


def _with_reduction(decision: Decision, log: Applied, days: int | None) -> Decision:
    if days is None or decision.product_id is None:
        return decision
    applied = [one for one in log.get(decision.product_id, ()) if one.currency == decision.currency]
    found = reduction(applied, decision.price_minor, decision.at, days)
    if found is None:
        return decision
    return replace(decision, disclosure=replace(decision.disclosure, reduction=found))


def asked_json(requests: Sequence[QuoteRequest]) -> list[Mapping[str, JsonValue]]:
    """Requests as JSON, without fields that have their default; parts that requests share are dumped once."""
    dumped: dict[int, JsonValue] = {}  # by the `id` of a part, which its request keeps
    found: list[Mapping[str, JsonValue]] = []
    for request in requests:
        shared = request.shopper, request.context
        for part in shared:
            if id(part) not in dumped:
                dumped[id(part)] = part.model_dump(mode="json", exclude_defaults=True)
        own = request.model_dump(mode="json", exclude_defaults=True, exclude=_SHARED)
        shopper, context = (dumped[id(part)] for part in shared)
        asked = {"shopper": shopper, **own, "context": context}
        found.append({name: value for name, value in asked.items() if value not in (None, {})})
    return found
