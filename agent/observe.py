"""Step 1: a request joined with what the store knew before it, cleaned, protected attributes dropped and named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

import numpy as np

from agent.api.convert import described, minor_of
from agent.api.schemas import Context, Personalisation, QuotedProduct, QuoteRequest, SessionEvent, Shopper
from agent.catalogue import Catalogue, merge_inline
from agent.clock import StoreClock
from agent.decision import IgnoredInput
from agent.encoding import CachedEncoder
from agent.gateway import holds_reference
from agent.guarding import Guard
from agent.money import fraction_digits
from agent.observation import Encoded, Market, Observation, RequestLimits
from agent.packs import Pack
from agent.protected import Screened, screen_profile
from agent.records import EventRecord, ProductRecord, ShopperRecord
from agent.refusal import FieldProblem, Refusal
from agent.shoppers import ShopperBook
from agent.store import Store
from models.features import PAIR_FEATURES, SHOPPER_PRODUCT, Subject, feature_matrix, feature_row
from models.history import ShopperHistory
from models.interest import InterestHead, conditional_state
from models.strategy import AnchorPrices
from models.taste import Buyer, Taste
from models.texts import behaviour_text
from models.value import Stock

UNKNOWN_COST: Final = "cost and floor are unknown"
OPTED_OUT: Final = "personalisation is off"
TRENDS: Final = {
    **dict.fromkeys(("rising", "up", "growing", "hot"), 0.5),
    **dict.fromkeys(("falling", "down", "declining", "cold"), -0.5),
}
_SEASONS: Final = ("winter", "spring", "summer", "autumn")
_CONTEXT_USED: Final = ("inventory", "competitor_prices", "market_trend", "season", "deadline")
_NOTHING: Final = Screened({}, "", ())


@dataclass(frozen=True, slots=True)
class _Who:
    """The shopper of a request after screening."""

    shopper_id: str | None
    opted_out: bool
    screened: Screened
    history: ShopperHistory
    has_history: bool
    events: tuple[SessionEvent, ...] = ()
    event_ignored: tuple[IgnoredInput, ...] = ()


class Observer:
    """Reads requests against catalogue, shoppers and store."""

    def __init__(
        self, catalogue: Catalogue, shoppers: ShopperBook, store: Store, readers: "Readers", defaults: "Defaults"
    ) -> None:
        """`readers` turn text into states; `defaults` hold what a request may leave out."""
        self._catalogue = catalogue
        self._shoppers = shoppers
        self._store = store
        self._encoder = readers.encoder
        self._interest = readers.interest
        self._taste = readers.taste
        self._defaults = defaults

    def observe(self, requests: Sequence[QuoteRequest], now: datetime) -> list[Observation | Refusal]:
        """One observation a request, or why it cannot be priced."""
        return [self._one(request, now) for request in requests]

    def encode(self, observations: Sequence[Observation]) -> Encoded:
        """Encoder states, interest and features of a batch; shopper texts that did not change are not encoded again."""
        texts = [behaviour_text(o.history, self._catalogue.title, o.behaviour_s, o.profile) for o in observations]
        shopper = self._encoder.encode(texts)
        product = self._catalogue.states([o.product for o in observations])
        category = self._catalogue.category_states([o.subject.category for o in observations])
        rows = [feature_row(o.history, o.subject, self._catalogue.weeks, o.behaviour_s) for o in observations]
        features = feature_matrix(rows)
        pair = features[:, len(SHOPPER_PRODUCT) : len(SHOPPER_PRODUCT) + len(PAIR_FEATURES)]
        interest = self._interest.logits(conditional_state(shopper, category, pair))
        buyers: dict[int, Buyer] = {}
        for o in observations:
            if id(o.history) not in buyers:
                buyers[id(o.history)] = self._taste.buyer(o.history.products)
        owners = [buyers[id(o.history)] for o in observations]
        affinity = self._taste.affinity(owners, [o.subject.product for o in observations], product)
        return Encoded(shopper, product, interest, affinity, np.asarray(features, np.float32))

    def _one(self, request: QuoteRequest, now: datetime) -> Observation | Refusal:
        at = request.context.at or now
        behaviour_s = self._defaults.clock.behaviour_time(at).timestamp()
        product = self._product(request)
        if isinstance(product, Refusal):
            return product
        reference = self._reference(request.product, product, behaviour_s)
        if reference is None:
            return _refused("product.list_price", "the product has no known price", "a list_price")
        who = self._who(request, behaviour_s, at)
        last_paid = who.history.products.get(product.product_id)
        limits = _limits(request)
        market = self._market(request.context, product, at, behaviour_s)
        return Observation(
            at=now,
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
            market=market,
            history=who.history,
            profile=_described(who.screened),
            subject=Subject(request.product.id or "", product.category, product.brand, float(reference)),
            opted_out=who.opted_out,
            holds_reference=self._holds(product, limits, who),
            inputs_used=tuple(_used(request, product, who)),
            inputs_ignored=_ignored(request, who),
            deadline_ms=request.deadline_ms or self._defaults.deadline_ms,
            request=_kept(request, who, at),
            last_price_minor=self._last_price(who, request.product.id, now),
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

    def _who(self, request: QuoteRequest, behaviour_s: float, at: datetime) -> _Who:
        shopper = request.shopper
        stored = self._store.shopper(shopper.id) if shopper.id is not None else None
        if shopper.personalisation is Personalisation.OFF or (
            shopper.personalisation is None and stored is not None and not stored.personalisation
        ):
            return _Who(shopper.id, True, _NOTHING, ShopperHistory(), False)
        screened = self._screen(request, stored)
        history = self._shoppers.history(shopper.id, behaviour_s) if shopper.id is not None else ShopperHistory()
        known = history.known
        texts = [screen_profile(event.text, self._defaults.pack, None) for event in request.events]
        said = [event.model_copy(update={"text": text.text}) for event, text in zip(request.events, texts, strict=True)]
        events = [self._session_event(event, shopper.id, at) for event in said]
        dropped = {IgnoredInput("events", ignored.reason): None for text in texts for ignored in text.ignored}
        overlay = self._shoppers.with_session(history, events)
        useful = tuple(event for event in said if event.product_id is not None or event.text)
        return _Who(shopper.id, False, screened, overlay, known, useful, tuple(dropped))

    def _screen(self, request: QuoteRequest, stored: ShopperRecord | None) -> Screened:
        profile = request.shopper.profile
        if profile is None:
            profile = dict(stored.profile) if stored is not None else {}
        return screen_profile(profile, self._defaults.pack, request.context.jurisdiction or None)

    def _session_event(self, event: SessionEvent, shopper_id: str | None, at: datetime) -> EventRecord:
        happened = min(event.at or at, at)
        return EventRecord(
            shopper_id=shopper_id or "",
            type=event.type,
            at=self._defaults.clock.behaviour_time(happened),
            product_id=event.product_id,
            quantity=event.quantity,
            price_minor=minor_of(event.price),
            currency=event.price.currency if event.price else None,
            text=event.text,
        )

    def _market(self, context: Context, product: ProductRecord, at: datetime, behaviour_s: float) -> Market:
        hours = (context.deadline - at).total_seconds() / 3600 if context.deadline is not None else None
        inventory = context.inventory if context.inventory is not None else product.inventory
        weekly = self._catalogue.weekly_units(product.product_id, behaviour_s)
        rivals = [price.amount_minor for price in context.competitor_prices]
        return Market(
            rival_minor=min(rivals, default=None),
            trend=_trend(context.market_trend),
            season=context.season or _season(datetime.fromtimestamp(behaviour_s, UTC)),
            jurisdiction=context.jurisdiction or None,
            hours_left=max(0.0, hours) if hours is not None else None,
            stock=Stock(inventory, weekly, max(0.0, hours) / 168 if hours is not None else None),
        )

    def _holds(self, product: ProductRecord, limits: RequestLimits, who: _Who) -> str | None:
        if who.opted_out:
            return OPTED_OUT
        rules = self._defaults.guard.rules(product, limits)
        return UNKNOWN_COST if holds_reference(rules, product.cost_minor) else None

    def _last_price(self, who: _Who, product_id: str | None, now: datetime) -> int | None:
        if product_id is None or who.shopper_id is None or self._defaults.guard.merchant.max_change_frac is None:
            return None
        pair = (who.shopper_id, product_id)
        return self._store.last_prices([pair], before=now).get(pair)


@dataclass(frozen=True, slots=True)
class Readers:
    """What turns text into states."""

    encoder: CachedEncoder
    interest: InterestHead
    taste: Taste


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds when a request says nothing else.

    Attributes:
        guard: The merchant's limits; they say whether a price may be made at all, and which facts it needs.
    """

    pack: Pack
    clock: StoreClock
    deadline_ms: int
    guard: Guard


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


def _kept(request: QuoteRequest, who: _Who, at: datetime) -> QuoteRequest:
    """The request that this decision answers: asked again, it leads to the same observation."""
    personalisation = Personalisation.OFF if who.opted_out else Personalisation.ON
    profile = who.screened.text or dict(who.screened.attributes)
    entering = {name: getattr(request.context, name) for name in (*_CONTEXT_USED, "jurisdiction")}
    return request.model_copy(
        update={
            "shopper": Shopper(id=who.shopper_id, profile=profile, personalisation=personalisation),
            "events": list(who.events),
            "context": Context(**entering, at=at),
            "deadline_ms": None,
        }
    )


def _described(screened: Screened) -> Mapping[str, object] | str:
    return screened.text or screened.attributes


def _used(request: QuoteRequest, product: ProductRecord, who: _Who) -> Iterator[str]:
    """Names of what enters the decision, in a fixed order."""
    yield "product.list_price"
    if product.cost_minor is not None:
        yield "product.cost"
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
    yield from ("market.past_outcomes", "similar_products", "quantity")


def _ignored(request: QuoteRequest, who: _Who) -> tuple[IgnoredInput, ...]:
    """Everything that came and did not enter, and why."""
    ignored = [*who.screened.ignored, *who.event_ignored]
    context = request.context
    if who.opted_out:
        for name, present in (("profile", request.shopper.profile), ("events", request.events)):
            if present:
                ignored.append(IgnoredInput(name, OPTED_OUT))
    ignored += [
        IgnoredInput(f"context.{name}", "not an input of the models")
        for name in ("location", "channel", *sorted(context.__pydantic_extra__ or {}))
        if name not in ("location", "channel") or getattr(context, name)
    ]
    if request.product.rating is not None:
        ignored.append(IgnoredInput("product.rating", "not an input of the models"))
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
