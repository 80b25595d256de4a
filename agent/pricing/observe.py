"""Step 1: a request joined with what the store knew before it, cleaned, protected attributes dropped and named."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter
from typing import Final

from agent.domain.decision import Decision, IgnoredInput
from agent.domain.money import fraction_digits
from agent.domain.records import ProductRecord, Shown
from agent.domain.refusal import Refusal
from agent.domain.request import Context, Personalisation, QuoteRequest, Shopper
from agent.pricing.effect_terms import word_traits
from agent.pricing.guard import Guard
from agent.pricing.observation import Observation, Situation
from agent.pricing.past_quotes import PastQuotes, quote_key
from agent.pricing.shopper_reader import ShopperView
from agent.pricing.situation_reader import Sighting, SituationReader
from agent.rules.gateway import holds_reference
from agent.rules.kill_switch import KillSwitch
from agent.rules.screening import Screened
from agent.rules.terms import MerchantRules, Terms
from agent.store import QuoteKey, ShopperProduct

UNKNOWN_COST: Final = "cost and floor are unknown"
OPTED_OUT: Final = "personalisation is off"
NOT_IN_THIS_TRADE: Final = "personalisation is off in this trade unless the merchant turns it on"
KILLED: Final = "the merchant holds all prices"
_CONTEXT_USED: Final = ("inventory", "competitor_prices", "market_trend", "season", "deadline", "jurisdiction")


class Observer:
    """Adds to each situation what its price may be and what its record will say."""

    def __init__(self, reader: SituationReader, defaults: "Defaults") -> None:
        """`defaults` hold what a request may leave out."""
        self.reader = reader
        self._defaults = defaults

    def observe(self, requests: Sequence[QuoteRequest], now: datetime) -> list[Observation | Refusal]:
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
        seen = self.reader.read(requests, now)
        return [
            self._one(request, sighting, batch) if isinstance(sighting, Sighting) else sighting
            for request, sighting in zip(requests, seen, strict=True)
        ]

    def under(self, rules: MerchantRules) -> "Observer":
        """The same observer with other rules in effect: for what would be."""
        return Observer(self.reader, replace(self._defaults, rules=lambda _now: rules))

    def draft(self) -> "Observer":
        """The same observer, to which no quote stands and later ones did not happen: for what would be."""
        return Observer(self.reader, replace(self._defaults, past=self._defaults.past.draft()))

    def _one(self, request: QuoteRequest, sighting: Sighting, batch: "_Batch") -> Observation:
        situation, who, shared = sighting.situation, sighting.who, sighting.shared
        product = situation.product
        merchant = batch.rules.terms(product)
        pair = (who.shopper_id, request.product.id or "")
        key = quote_key(request)
        return Observation(
            **situation.parts(),
            at=batch.now,
            shopper_id=who.shopper_id,
            fraction_digits=fraction_digits(product.currency),
            merchant=merchant,
            opted_out=who.opted_out,
            holds_reference=self._holds(situation, merchant, who) if batch.killed is None else KILLED,
            inputs_used=tuple(_used(request, product, who, shared)),
            inputs_ignored=_ignored(request, who, shared),
            deadline_ms=request.deadline_ms or self._defaults.deadline_ms,
            arrived_s=batch.began_s if request.arrived_s is None else request.arrived_s,
            began_s=batch.began_s,
            request=_kept(request, who, shared, request.context.at or batch.now),
            # what somebody was quoted before is personal too
            last_price_minor=None if who.opted_out else batch.last_prices.get(pair),
            shown=None if who.opted_out else batch.shown.get(pair),
            killed=batch.killed,
            live=batch.live.get(key) if key is not None else None,
        )

    def _holds(self, situation: Situation, merchant: Terms, who: ShopperView) -> str | None:
        if who.opted_out:
            return OPTED_OUT if self.reader.personalises else NOT_IN_THIS_TRADE
        product, place = situation.product, situation.market.jurisdiction
        rules = self._defaults.guard.rules(merchant.limits, product, situation.limits, place)
        return UNKNOWN_COST if holds_reference(rules, product.cost_minor) else None


@dataclass(frozen=True, slots=True)
class _Batch:
    """What the requests of one batch share."""

    last_prices: dict[ShopperProduct, int]
    shown: dict[ShopperProduct, Shown]
    live: Mapping[QuoteKey, Decision]
    now: datetime
    began_s: float
    killed: str | None
    rules: MerchantRules


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds when a request says nothing else.

    Attributes:
        guard: Says whether a price may be made at all.
        rules: The merchant's rules in effect at a moment; the kill switch is above them.
        past: What shoppers were quoted before.
    """

    deadline_ms: int
    guard: Guard
    rules: Callable[[datetime], MerchantRules]
    kill_switch: KillSwitch
    past: PastQuotes


def _kept(request: QuoteRequest, who: ShopperView, shared: Screened, at: datetime) -> QuoteRequest:
    """The request that this decision answers: asked again, it leads to the same observation."""
    personalisation = Personalisation.OFF if who.opted_out else Personalisation.ON
    profile = who.screened.text or dict(who.screened.attributes)
    entering = {name: getattr(request.context, name) for name in _CONTEXT_USED}
    return request.model_copy(
        update={
            "shopper": Shopper(id=who.shopper_id, profile=profile, personalisation=personalisation),
            "events": list(who.events),
            "context": Context(**{**entering, **shared.attributes, "at": at}),
            "deadline_ms": None,
        }
    )


def _used(request: QuoteRequest, product: ProductRecord, who: ShopperView, shared: Screened) -> Iterator[str]:
    """Names of what enters the decision, in a fixed order."""
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
        "competitor_prices": bool(context.competitor_prices),
        "market_trend": context.market_trend is not None,
        "season": True,
        "deadline": context.deadline is not None,
    }
    yield from (f"context.{name}" for name, present in given.items() if present)
    yield from (trait.name for trait in word_traits("context", dict(sorted(shared.attributes.items()))))
    yield from ("market.past_outcomes", "similar_products", "quantity")


def _ignored(request: QuoteRequest, who: ShopperView, shared: Screened) -> tuple[IgnoredInput, ...]:
    """Everything that came and did not enter, and why."""
    ignored = [*who.screened.ignored, *who.event_ignored]
    if who.opted_out:
        for name, present in (("profile", request.shopper.profile), ("events", request.events)):
            if present:
                ignored.append(IgnoredInput(name, OPTED_OUT))
    ignored += [IgnoredInput(f"context.{one.input}", one.reason) for one in shared.ignored]
    return tuple(ignored)
