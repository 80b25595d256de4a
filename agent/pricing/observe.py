"""Step 1: requests joined with what the store knew before them, cleaned, protected attributes dropped and named."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Final

from agent.domain.decision import Decision, HeldReason
from agent.domain.money import fraction_digits
from agent.domain.records import ProductRecord, Shown
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.entered_inputs import EnteredInputs
from agent.pricing.flow import Flow, Observation, PriceBasis
from agent.pricing.parity import Quote, bounded_by_strangers
from agent.pricing.past_quotes import PastQuotes, quote_key
from agent.pricing.situation import ReadRequest, ShopperView, Situation, Visit
from agent.pricing.situation_reader import SituationReader
from agent.rules.disclosure import has_personal
from agent.rules.effective_rules import MerchantRules
from agent.rules.exploration import Exploration
from agent.rules.gateway import Bounds, GatewayFacts
from agent.rules.kill_switch import KillSwitch
from agent.rules.packs import binding
from agent.rules.price_limits import PriceLimits, join_rules
from agent.store import PricedPair, QuoteKey

EXPLORED_BEYOND: Final = math.log(1.1)
"""Distance, as log ratio, that exploration may go beyond the prices that were ever offered."""
_SLACK: Final = 1e-6  # of a minor unit, for rounding


@dataclass(frozen=True, slots=True)
class Defaults:
    """Settings and state that apply to every request.

    Attributes:
        rules: The merchant's rules in effect at a moment; the kill switch is above them.
        past: Earlier quotes of shoppers.
    """

    deadline_ms: int
    rules: Callable[[datetime], MerchantRules]
    kill_switch: KillSwitch
    past: PastQuotes


@dataclass(frozen=True, slots=True)
class _Batch:
    """Facts that the requests of one batch share; `inputs` by the `id` of a visit, which the batch keeps."""

    last_prices: dict[PricedPair, int]
    shown: dict[PricedPair, Shown]
    live: Mapping[QuoteKey, Decision]
    now: datetime
    began_s: float
    killed: str | None
    rules: MerchantRules
    inputs: dict[int, EnteredInputs] = field(default_factory=dict)

    def inputs_of(self, request: QuoteRequest, visit: Visit) -> EnteredInputs:
        """Inputs that enter of a visit; `request` is any that belongs to it."""
        found = self.inputs.get(id(visit))
        if found is None:
            found = self.inputs[id(visit)] = EnteredInputs(request, visit)
        return found

    def step_of(self, product: ProductRecord) -> int:
        """The smallest step of a product's price under the merchant's rules."""
        return self.rules.effective(product).limits.step_minor


class Observer:
    """Reads requests into situations, and adds limits, deadlines and the inputs to disclose."""

    def __init__(self, reader: SituationReader, defaults: Defaults) -> None:
        """`defaults` fill in what a request leaves out."""
        self.reader = reader
        self._defaults = defaults

    def observe(self, flow: Flow, quote_strangers: Quote) -> None:
        """Add `seen`, `observations`, `basis` and `encoded`; `quote_strangers` prices counterfactual requests."""
        seen = bounded_by_strangers(self.read(flow.requests, flow.now), quote_strangers, flow.now)
        flow.seen = seen
        self.complete(flow, [one for one in seen if isinstance(one, Observation)])

    def complete(self, flow: Flow, observations: Sequence[Observation]) -> None:
        """Add `observations` and their arrays."""
        flow.observations = observations
        flow.basis = PriceBasis.of(observations)
        flow.encoded = self.reader.encode(observations)

    def read(self, requests: Sequence[QuoteRequest], now: datetime) -> list[Observation | Refusal]:
        """One observation a request, or why it cannot be priced."""
        began_s = perf_counter()
        hold, rules, past = self._defaults.kill_switch.state(), self._defaults.rules(now), self._defaults.past
        batch = _Batch(
            last_prices=past.last_prices(requests, now) if hold is None and rules.limits_change else {},
            shown=past.shown(requests, now) if hold is None and rules.caps_spread else {},
            live=past.live(requests, now) if hold is None else {},
            now=now,
            began_s=began_s,
            killed=hold.reason if hold is not None else None,
            rules=rules,
        )
        return [
            self._one(request, one, batch) if isinstance(one, ReadRequest) else one
            for request, one in zip(requests, self.reader.read(requests, now, batch.step_of), strict=True)
        ]

    def under(self, rules: MerchantRules) -> "Observer":
        """For counterfactuals: this observer with other rules in effect."""
        return Observer(self.reader, replace(self._defaults, rules=lambda _now: rules))

    def counterfactual(self) -> "Observer":
        """For counterfactuals: ignores live quotes and anything recorded after `now`."""
        return Observer(self.reader, replace(self._defaults, past=self._defaults.past.counterfactual()))

    def _one(self, request: QuoteRequest, read: ReadRequest, batch: _Batch) -> Observation:
        situation, visit = read.situation, read.visit
        who, product = visit.shopper, situation.product
        inputs = batch.inputs_of(request, visit)
        consent = request.shopper.higher_price_consent is not None
        law = binding(request.context.jurisdiction, product.category, visit.legal_day, consent=consent)
        used = inputs.used(product, rated=request.product.rating is not None)
        barred = law.no_personal_prices is not None
        merchant = batch.rules.effective(product)
        pair = (who.shopper_id, request.product.id or "", product.currency)
        key = quote_key(request)
        digits = fraction_digits(product.currency)
        # earlier prices are personal too
        last_price = None if who.opted_out or barred else batch.last_prices.get(pair)
        limits = PriceLimits(
            join_rules(merchant.limits, product, situation.request_limits, law),
            GatewayFacts(
                situation.reference_minor,
                digits,
                product.cost_minor,
                last_price,
                tried=self._tried(situation, explores=merchant.selection.exploration is not Exploration.OFF),
            ),
            batch.killed,
        )
        return Observation(
            **situation.parts(),
            at=batch.now,
            shopper_id=who.shopper_id,
            fraction_digits=digits,
            merchant=merchant,
            price_limits=limits,
            opted_out=who.opted_out,
            held=self._held(limits, who, barred=barred and has_personal(used)),
            inputs_used=used,
            inputs_ignored=inputs.ignored,
            deadline_ms=request.deadline_ms or self._defaults.deadline_ms,
            arrived_s=batch.began_s if request.arrived_s is None else request.arrived_s,
            request=inputs.kept(request),
            last_price_minor=last_price,
            shown=None if who.opted_out or barred else batch.shown.get(pair),
            live=batch.live.get(key) if key is not None else None,
        )

    def _tried(self, situation: Situation, *, explores: bool) -> Bounds | None:
        """Prices that were ever offered of a product; with exploration also those a step beyond them."""
        found = self.reader.tried(situation.subject)
        if found is None:
            return None
        beyond, reference = EXPLORED_BEYOND if explores else 0.0, situation.reference_minor
        low, high = (reference * math.exp(end) for end in (found.low - beyond, found.high + beyond))
        return Bounds(min(reference, max(1, math.ceil(low - _SLACK))), max(reference, math.floor(high + _SLACK)))

    def _held(self, limits: PriceLimits, who: ShopperView, *, barred: bool) -> HeldReason | None:
        if limits.killed is not None:
            return HeldReason.HELD_BY_MERCHANT
        if who.opted_out:
            return HeldReason.OPTED_OUT if self.reader.personalises else HeldReason.NOT_IN_THIS_TRADE
        if barred:
            return HeldReason.BARRED_BY_LAW
        if limits.lack_cost_and_floor:
            return HeldReason.UNKNOWN_COST
        return HeldReason.COST_NOT_COVERED if limits.cost_not_covered else None
