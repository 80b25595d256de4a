"""Step 1: requests joined with what the store knew before them, cleaned, protected attributes dropped and named."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import Final

from agent.domain.decision import Decision, HeldReason, IgnoredInput
from agent.domain.money import fraction_digits
from agent.domain.records import ProductRecord, Shown
from agent.domain.refusal import Refusal
from agent.domain.request import Context, Personalisation, QuoteRequest, Shopper
from agent.pricing.effect_terms import word_traits
from agent.pricing.flow import Flow, Observation, PriceBasis
from agent.pricing.parity import Quote, bounded_by_strangers
from agent.pricing.past_quotes import PastQuotes, quote_key
from agent.pricing.situation import ReadRequest, ShopperView
from agent.pricing.situation_reader import SituationReader
from agent.rules.disclosure import is_personal
from agent.rules.effective_rules import MerchantRules
from agent.rules.gateway import GatewayFacts
from agent.rules.kill_switch import KillSwitch
from agent.rules.packs import Binding, binding, legal_day
from agent.rules.price_limits import PriceLimits, join_rules
from agent.store import PricedPair, QuoteKey

OPTED_OUT: Final = "personalisation is off"
_CONTEXT_USED: Final = ("inventory", "market_trend", "season", "deadline", "jurisdiction")


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
    """Facts that the requests of one batch share."""

    last_prices: dict[PricedPair, int]
    shown: dict[PricedPair, Shown]
    live: Mapping[QuoteKey, Decision]
    now: datetime
    began_s: float
    killed: str | None
    rules: MerchantRules

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
        situation, who = read.situation, read.shopper
        product = situation.product
        law = _law(request, product, batch.now)
        used = tuple(_used(request, product, read))
        barred = law.no_personal_prices is not None
        merchant = batch.rules.effective(product)
        pair = (who.shopper_id, request.product.id or "", product.currency)
        key = quote_key(request)
        digits = fraction_digits(product.currency)
        # earlier prices are personal too
        last_price = None if who.opted_out or barred else batch.last_prices.get(pair)
        limits = PriceLimits(
            join_rules(merchant.limits, product, situation.request_limits, law),
            GatewayFacts(situation.reference_minor, digits, product.cost_minor, last_price),
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
            held=self._held(limits, who, barred=barred and any(map(is_personal, used))),
            inputs_used=used,
            inputs_ignored=_ignored(request, read),
            deadline_ms=request.deadline_ms or self._defaults.deadline_ms,
            arrived_s=batch.began_s if request.arrived_s is None else request.arrived_s,
            began_s=batch.began_s,
            request=_kept(request, read, request.context.at or batch.now),
            last_price_minor=last_price,
            shown=None if who.opted_out or barred else batch.shown.get(pair),
            live=batch.live.get(key) if key is not None else None,
        )

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


def _law(request: QuoteRequest, product: ProductRecord, now: datetime) -> Binding:
    """Read the bounds of the law of the day, for a shopper who consented to a higher price or not."""
    place = request.context.jurisdiction
    consent = request.shopper.higher_price_consent is not None
    return binding(place, product.category, legal_day(place, now), consent=consent)


def _kept(request: QuoteRequest, read: ReadRequest, at: datetime) -> QuoteRequest:
    """The request as it entered: sent again, it leads to the same observation."""
    who = read.shopper
    personalisation = Personalisation.OFF if who.opted_out else Personalisation.ON
    profile = who.screened.text or dict(who.screened.attributes)
    entering = {name: getattr(request.context, name) for name in _CONTEXT_USED}
    return request.model_copy(
        update={
            "shopper": Shopper(
                id=who.shopper_id,
                profile=profile,
                personalisation=personalisation,
                higher_price_consent=request.shopper.higher_price_consent,
            ),
            "events": list(who.events),
            "context": Context(
                **{**entering, **read.shared.attributes, "competitor_prices": list(read.rivals.kept), "at": at}
            ),
            "deadline_ms": None,
        }
    )


def _used(request: QuoteRequest, product: ProductRecord, read: ReadRequest) -> Iterator[str]:
    """Names of the inputs that enter, in a fixed order."""
    who = read.shopper
    yield "product.list_price"
    if product.cost_minor is not None:
        yield "product.cost"
    if request.product.rating is not None:
        yield "product.rating"
    if not who.opted_out:
        yield from (f"profile.{name}" for name in sorted(who.screened.attributes))
        if who.screened.text:
            yield "profile"
        if who.has_history:
            yield "purchase_history"
        if request.events:
            yield "session_events"
    context = request.context
    given = {
        "inventory": context.inventory is not None or product.inventory is not None,
        "competitor_prices": bool(read.rivals.kept),
        "market_trend": context.market_trend is not None,
        "season": True,
        "deadline": context.deadline is not None,
    }
    yield from (f"context.{name}" for name, present in given.items() if present)
    yield from (trait.name for trait in word_traits("context", dict(sorted(read.shared.attributes.items()))))
    yield from ("market.past_outcomes", "similar_products", "quantity")


def _ignored(request: QuoteRequest, read: ReadRequest) -> tuple[IgnoredInput, ...]:
    """Inputs that were given and did not enter, with the reason."""
    who = read.shopper
    ignored = [*who.screened.ignored, *who.event_ignored]
    if who.opted_out:
        for name, present in (("profile", request.shopper.profile), ("events", request.events)):
            if present:
                ignored.append(IgnoredInput(name, OPTED_OUT))
    ignored += [IgnoredInput(f"context.{one.input}", one.reason) for one in read.shared.ignored]
    return (*ignored, *read.rivals.ignored)
