"""Step 1: a request joined with what the store knew before it, cleaned, protected attributes dropped and named."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.api.convert import described, minor_of
from agent.api.schemas import Context, Personalisation, QuotedProduct, QuoteRequest, Shopper
from agent.arrivals import Arrivals, Remaining
from agent.catalogue import Catalogue, merge_inline
from agent.decision import Decision, IgnoredInput
from agent.encoding import CachedEncoder
from agent.gateway import holds_reference
from agent.guarding import Guard
from agent.kill_switch import KillSwitch
from agent.money import fraction_digits
from agent.observation import Encoded, Market, Observation, RequestLimits
from agent.packs import Pack
from agent.past_quotes import PastQuotes, quote_key
from agent.protected import NOTHING, Screened, screen_profile
from agent.recall import Archive, Asking, Recall, Recalled
from agent.records import Attribute, ProductRecord
from agent.refusal import FieldProblem, Refusal
from agent.rules.terms import MerchantRules, Terms
from agent.selection import Shown
from agent.store import QuoteKey, ShopperProduct
from agent.traits import forget_words, market_traits, product_traits, shopper_traits, terms_of, word_traits
from models.features import PAIR_FEATURES, SHOPPER_PRODUCT, Subject, feature_matrix, feature_row
from models.interest import InterestHead, conditional_state
from models.strategy import AnchorPrices
from models.value import Stock

UNKNOWN_COST: Final = "cost and floor are unknown"
OPTED_OUT: Final = "personalisation is off"
NOT_IN_THIS_TRADE: Final = "personalisation is off in this trade unless the merchant turns it on"
KILLED: Final = "the merchant holds all prices"
TRENDS: Final = {
    **dict.fromkeys(("rising", "up", "growing", "hot"), 0.5),
    **dict.fromkeys(("falling", "down", "declining", "cold"), -0.5),
}
_SEASONS: Final = ("winter", "spring", "summer", "autumn")
_CONTEXT_USED: Final = ("inventory", "competitor_prices", "market_trend", "season", "deadline", "jurisdiction")


class Observer:
    """Reads requests against archive and catalogue."""

    def __init__(
        self, catalogue: Catalogue, archive: Archive, arrivals: Arrivals, readers: "Readers", defaults: "Defaults"
    ) -> None:
        """`readers` turn text into states; `defaults` hold what a request may leave out."""
        self._kill_switch = defaults.kill_switch
        self._rules = defaults.rules
        self._catalogue = catalogue
        self._arrivals = arrivals
        self._archive = archive
        self._encoder = readers.encoder
        self._interest = readers.interest
        self._defaults = defaults

    def observe(
        self, requests: Sequence[QuoteRequest], now: datetime, *, to_price: bool = True
    ) -> list[Observation | Refusal]:
        """One observation a request, or why it cannot be priced; `to_price` also reads what the limits need."""
        if not self._defaults.personalises:
            requests = [_impersonal(request) for request in requests]
        moments = [self.behaviour_s(request.context.at or now) for request in requests]
        hold = self._kill_switch.state() if to_price else None
        prices = to_price and hold is None
        rules = self._rules(now)
        batch = _Batch(
            recall=self._archive.begin(requests),
            last_prices=self._defaults.past.last_prices(requests, now) if prices and rules.limits_change else {},
            shown=self._defaults.past.shown(requests, now) if prices and rules.caps_spread else {},
            live=self._defaults.past.live(requests, now) if prices else {},
            now=now,
            killed=hold.reason if hold is not None else None,
            rules=rules,
        )
        found: dict[int, Observation | Refusal] = {}
        for row in sorted(range(len(requests)), key=lambda row: (requests[row].shopper.id or "", moments[row])):
            found[row] = self._one(requests[row], moments[row], batch)
        return [found[row] for row in range(len(requests))]

    def under(self, rules: MerchantRules) -> "Observer":
        """The same observer with other rules in effect: for what would be."""
        return self._with(replace(self._defaults, rules=lambda _now: rules))

    def draft(self) -> "Observer":
        """The same observer, to which no quote stands and later ones did not happen: for what would be."""
        return self._with(replace(self._defaults, past=self._defaults.past.draft()))

    def _with(self, defaults: "Defaults") -> "Observer":
        return Observer(
            self._catalogue, self._archive, self._arrivals, Readers(self._encoder, self._interest), defaults
        )

    def recall(self, asked: Asking, now: datetime) -> Recalled:
        """The shopper of one request, whatever the product."""
        at = asked.context.at or now
        return self._archive.begin([asked]).recall(asked, self.behaviour_s(at), at)

    def behaviour_s(self, at: datetime) -> float:
        """A moment on the behaviour clock, Unix seconds."""
        return self._archive.clock.behaviour_time(at).timestamp()

    def forget_texts(self) -> None:
        """Drop words, and encoder states of texts, that were seen: somebody is to be forgotten."""
        self._encoder.forget()
        forget_words()

    def encode_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Encoder states `(n, 384)`; texts that did not change are not encoded again."""
        return self._encoder.encode(texts)

    def encode(self, observations: Sequence[Observation]) -> Encoded:
        """Encoder states, interest and features of a batch."""
        shopper = self.encode_texts([o.past.text for o in observations])
        product = self._catalogue.states([o.product for o in observations])
        category = self._catalogue.category_states([o.subject.category for o in observations])
        features = feature_matrix([o.features for o in observations])
        pair = features[:, len(SHOPPER_PRODUCT) : len(SHOPPER_PRODUCT) + len(PAIR_FEATURES)]
        interest = self._interest.logits(conditional_state(shopper, category, pair))
        products = [o.subject.product for o in observations]
        affinity = self._archive.taste.affinity([o.past.buyer for o in observations], products, product)
        return Encoded(shopper, product, interest, affinity, features)

    def _one(self, request: QuoteRequest, behaviour_s: float, batch: "_Batch") -> Observation | Refusal:
        at = request.context.at or batch.now
        product = self._product(request)
        if isinstance(product, Refusal):
            return product
        reference = self._reference(request.product, product, behaviour_s)
        if reference is None:
            return _refused("product.list_price", "the product has no known price", "a list_price")
        who = batch.recall.recall(request, behaviour_s, at)
        history = who.history
        last_paid = history.products.get(product.product_id)
        limits = _limits(request)
        merchant = batch.rules.terms(product)
        market = self._market(request, product, reference, at)
        subject = Subject(request.product.id or "", product.category, product.brand, float(reference))
        loyalty = history.loyalty(subject.category, behaviour_s)
        shared = _shared(request, self._defaults.pack)
        traits = [
            *product_traits(request.product, product, reference),
            *shopper_traits(who, loyalty),
            *market_traits(market, request.quantity, reference),
            *word_traits("context", shared.attributes),
        ]
        return Observation(
            at=batch.now,
            behaviour_s=behaviour_s,
            shopper_id=who.shopper_id,
            product=product,
            product_id=request.product.id,
            currency=product.currency,
            fraction_digits=fraction_digits(product.currency),
            quantity=request.quantity,
            reference_minor=reference,
            anchors=AnchorPrices(
                reference_minor=reference,
                list_minor=product.list_minor or reference,
                competitor_minor=market.rival_minor,
                last_paid_minor=last_paid.last_price_minor or None if last_paid else None,
            ),
            limits=limits,
            merchant=merchant,
            market=market,
            past=who.past,
            features=feature_row(history, subject, self._catalogue.weeks, behaviour_s),
            intent=history.intent(subject.product, subject.category, behaviour_s),
            loyalty=loyalty,
            terms=terms_of(traits, at_home=self._defaults.at_home, learned=self._defaults.learned),
            subject=subject,
            opted_out=who.opted_out,
            holds_reference=self._holds(product, (merchant, limits), who, market) if batch.killed is None else KILLED,
            inputs_used=tuple(_used(request, product, who, shared)),
            inputs_ignored=_ignored(request, who, shared),
            deadline_ms=request.deadline_ms or self._defaults.deadline_ms,
            request=_kept(request, who, shared, at),
            last_price_minor=None
            if who.opted_out  # what somebody was quoted before is personal too
            else batch.last_prices.get((who.shopper_id, request.product.id or "")),
            shown=None if who.opted_out else batch.shown.get((who.shopper_id, request.product.id or "")),
            killed=batch.killed,
            live=batch.live.get(key) if (key := quote_key(request)) is not None else None,
        )

    def _product(self, request: QuoteRequest) -> ProductRecord | Refusal:
        quoted = request.product
        known = self._catalogue.product(quoted.id) if quoted.id is not None else None
        if known is None and quoted.list_price is None:
            return _refused(
                "product.id",
                f"no product has the id {quoted.id!r:.80}",
                "a known id, or a list_price and a description",
            )
        currencies = dict(request.money())
        if known is not None:
            other = next((field for field, code in currencies.items() if code != known.currency), None)
            if other is not None:
                return _refused(other, f"the product is priced in {known.currency}", known.currency)
        currency = known.currency if known is not None else next(iter(currencies.values()))
        return merge_inline(known, _inline(quoted, currency))

    def _reference(self, quoted: QuotedProduct, product: ProductRecord, behaviour_s: float) -> int | None:
        """The request's own list price where it brings one, else what the catalogue knows."""
        if quoted.list_price is not None:
            return quoted.list_price.amount_minor
        reference = self._catalogue.reference_minor(product, behaviour_s)
        return round(reference) if reference >= 1 else None

    def _market(self, request: QuoteRequest, product: ProductRecord, reference: int, at: datetime) -> Market:
        context = request.context
        hours = max(0.0, (context.deadline - at).total_seconds() / 3600) if context.deadline is not None else None
        rivals = [price.amount_minor for price in context.competitor_prices]
        behaviour_s = self.behaviour_s(at)
        return Market(
            rival_minor=min(rivals, default=None),
            trend=_trend(context.market_trend),
            season=context.season or _season(datetime.fromtimestamp(behaviour_s, UTC)),
            jurisdiction=context.jurisdiction or None,
            hours_left=hours,
            stock=self._stock(request, product, reference, (hours, behaviour_s)),
        )

    def _stock(
        self, request: QuoteRequest, product: ProductRecord, reference: int, when: tuple[float | None, float]
    ) -> Stock:
        hours, behaviour_s = when
        units = request.context.inventory if request.context.inventory is not None else product.inventory
        weekly = self._catalogue.weekly_units(product.product_id, behaviour_s)
        stock = Stock(units, weekly, hours / 168 if hours is not None else None, self._defaults.pack.sunk_cost)
        if units is None or hours is None or request.product.id is None:
            return stock
        cost = stock.kept_cost((product.cost_minor or 0) / reference)
        bid = self._arrivals.bid(request.product.id, Remaining(units, hours, cost), weekly)
        return replace(stock, bid=bid)

    def _holds(
        self, product: ProductRecord, limits: tuple[Terms, RequestLimits], who: Recalled, market: Market
    ) -> str | None:
        if who.opted_out:
            return OPTED_OUT if self._defaults.personalises else NOT_IN_THIS_TRADE
        merchant, asked = limits
        rules = self._defaults.guard.rules(merchant.limits, product, asked, market.jurisdiction)
        return UNKNOWN_COST if holds_reference(rules, product.cost_minor) else None


@dataclass(frozen=True, slots=True)
class _Batch:
    """What the requests of one batch share."""

    recall: Recall
    last_prices: dict[ShopperProduct, int]
    shown: dict[ShopperProduct, Shown]
    live: Mapping[QuoteKey, Decision]
    now: datetime
    killed: str | None
    rules: MerchantRules


@dataclass(frozen=True, slots=True)
class Readers:
    """What turns text into states."""

    encoder: CachedEncoder
    interest: InterestHead


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds when a request says nothing else.

    Attributes:
        guard: Says whether a price may be made at all.
        rules: The merchant's rules in effect at a moment; the kill switch is above them.
        at_home: Whether the evaluator was trained on this store's own data.
        personalises: Whether prices may be made for shoppers at all; if not, everyone is as if they had opted out.
        past: What shoppers were quoted before.
        learned: Prior sds of effects that the evaluator's training learned, None where it fitted none.
    """

    pack: Pack
    deadline_ms: int
    guard: Guard
    rules: Callable[[datetime], MerchantRules]
    kill_switch: KillSwitch
    at_home: bool
    personalises: bool
    past: PastQuotes
    learned: Mapping[str, tuple[float, float]] | None = None


def _impersonal(request: QuoteRequest) -> QuoteRequest:
    shopper = request.shopper.model_copy(update={"personalisation": Personalisation.OFF})
    return request.model_copy(update={"shopper": shopper})


def _inline(quoted: QuotedProduct, currency: str) -> ProductRecord:
    """The request's own words on the product; without a title, brand and category stand for one."""
    record = described(quoted, quoted.id or "", currency)
    return record if record.title else replace(record, title=" ".join(filter(None, (quoted.brand, quoted.category))))


def _limits(request: QuoteRequest) -> RequestLimits:
    limits = request.limits
    return RequestLimits(
        min_minor=minor_of(limits.min_price),
        max_minor=minor_of(limits.max_price),
        min_margin_frac=limits.min_margin,
        max_discount_frac=limits.max_discount,
    )


def _shared(request: QuoteRequest, pack: Pack) -> Screened:
    """The further words and numbers of the context, screened as a profile is."""
    context = request.context
    further: dict[str, Attribute] = {**(context.__pydantic_extra__ or {})}
    further |= {name: value for name in ("location", "channel") if (value := getattr(context, name))}
    return screen_profile(further, pack, context.jurisdiction or None) if further else NOTHING


def _kept(request: QuoteRequest, who: Recalled, shared: Screened, at: datetime) -> QuoteRequest:
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


def _used(request: QuoteRequest, product: ProductRecord, who: Recalled, shared: Screened) -> Iterator[str]:
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


def _ignored(request: QuoteRequest, who: Recalled, shared: Screened) -> tuple[IgnoredInput, ...]:
    """Everything that came and did not enter, and why."""
    ignored = [*who.screened.ignored, *who.event_ignored]
    if who.opted_out:
        for name, present in (("profile", request.shopper.profile), ("events", request.events)):
            if present:
                ignored.append(IgnoredInput(name, OPTED_OUT))
    ignored += [IgnoredInput(f"context.{one.input}", one.reason) for one in shared.ignored]
    return tuple(ignored)


def _trend(value: float | str | None) -> float:
    if isinstance(value, str):
        return TRENDS.get(value.strip().lower(), 0.0)
    return max(-1.0, min(1.0, value or 0.0))


def _season(at: datetime) -> str:
    """Season of the northern hemisphere, for requests that name none."""
    return _SEASONS[at.month % 12 // 3]


def _refused(field: str, message: str, allowed: str) -> Refusal:
    return Refusal(422, "Request cannot be priced", message, (FieldProblem(field, message, "", allowed),))
