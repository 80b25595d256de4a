"""The shoppers' part of step 1: identity, screened profile, and history at one moment.

A batch is read shopper by shopper in time order, so that each history is read and folded once, however many moments of
it are asked for.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Protocol

from agent.domain.clock import StoreClock
from agent.domain.decision import IgnoredInput
from agent.domain.fields import minor_of
from agent.domain.records import EventRecord, ShopperRecord
from agent.domain.request import Context, Personalisation, RecommendationRequest, SessionEvent, Shopper
from agent.pricing.situation import Past, ShopperView
from agent.rules.packs import Pack, legal_day
from agent.rules.screening import NOTHING, Screened, screen_profile
from agent.state.cached_encoder import CachedEncoder
from agent.state.known_pasts import KnownPast, KnownPasts, PastMaker, Profile
from agent.state.shopper_histories import HistoryCursor, ShopperHistories
from agent.state.shopper_memory import Basis, ChecksumOf, EncodedText, products_of, to_row
from agent.store import Store
from agent.store.shopper_memory import ShopperMemory
from models.shopper.history import ShopperHistory, recent_items
from models.shopper.item_affinity import Taste

_STRANGER: Final = ShopperHistory()


class Asking(Protocol):
    """The shopper, events and context of a quote or recommendation request."""

    @property
    def shopper(self) -> Shopper:
        """Who asks."""
        ...

    @property
    def events(self) -> Sequence[SessionEvent]:
        """This session's behaviour."""
        ...

    @property
    def context(self) -> Context:
        """The situation."""
        ...


@dataclass(frozen=True, slots=True)
class ShopperReader:
    """Reads shoppers from store, histories and request.

    Attributes:
        personalises: Whether profiles and histories may be read at all; if not, everyone counts as opted out.
    """

    store: Store
    shoppers: ShopperHistories
    clock: StoreClock
    pack: Pack
    maker: PastMaker
    pasts: KnownPasts
    encoder: CachedEncoder
    checksum_of: ChecksumOf
    personalises: bool

    @property
    def taste(self) -> Taste:
        """Item factors."""
        return self.maker.taste

    def begin(self, asked: Sequence[Asking], now: datetime) -> "ShopperBatch":
        """Start reading the shoppers of one batch; the law is that of `now`, whatever moment a request prices."""
        ids = {one.shopper.id for one in asked if one.shopper.id is not None}
        stored = self.store.shoppers(sorted(ids))
        if self.personalises:
            read = {one.shopper.id for one in asked if not _opted_out(one.shopper, stored.get(one.shopper.id or ""))}
            self.shoppers.prefetch(sorted(one for one in read if one is not None))
        return ShopperBatch(self, stored, now)

    def past(self, shopper_id: str, history: ShopperHistory, behaviour_s: float, profile: Profile) -> KnownPast:
        """The past of a shopper's whole history, with its encoder state where the store keeps that."""
        known = self.pasts.find(shopper_id, history, behaviour_s, profile)
        if known is None:
            known = self.pasts.work_out(history, behaviour_s, profile)
            self.pasts.put(shopper_id, known)
            kept = self.shoppers.folded(shopper_id).kept
            if kept is not None and kept.version == self.encoder.version:
                self.encoder.put(kept.digest, kept.state)
        return known

    def expect(self, shopper_id: str, known: KnownPast) -> None:
        """Have a shopper's memory worked out again if the store keeps none, or that of another text."""
        kept = self.shoppers.folded(shopper_id).kept
        if kept is None or kept.version != self.encoder.version or kept.digest != known.digest:
            self.shoppers.want(shopper_id)

    def memory(self, shopper_id: str, now: datetime, late_sales: int) -> ShopperMemory | None:
        """What the store should keep of a shopper; None if nothing, or it keeps the same already.

        Nothing may change catalogue and histories meanwhile, which have reached `late_sales`.
        """
        asked = RecommendationRequest(shopper=Shopper(id=shopper_id))
        stored = self.store.shoppers([shopper_id]).get(shopper_id)
        met_lately = self.shoppers.holds(shopper_id)  # a pass over all shoppers must not drive these out of memory
        folded = self.shoppers.folded(shopper_id, remember=met_lately)
        if not self.personalises or _opted_out(asked.shopper, stored) or folded.seq == 0:
            return None
        behaviour_s = max(self.clock.behaviour_time(now).timestamp(), math.nextafter(folded.last_s, math.inf))
        screened = screened_profile(asked.shopper, stored, self.pack, None, legal_day(None, now))
        profile = screened.text or screened.attributes
        if met_lately:
            known = self.past(shopper_id, folded.history, behaviour_s, profile)
        else:
            known = self.pasts.work_out(folded.history, behaviour_s, profile)
        state = self.encoder.encode([known.text], remember=met_lately)[0]
        text = EncodedText(self.encoder.version, known.digest, state, folded.seq, known.expires_s)
        if folded.kept is not None and _is_same(folded.kept, text):
            return None
        self.shoppers.note_kept(shopper_id, text)
        labels = self.checksum_of(products_of(folded.history))
        return to_row(shopper_id, folded, text, Basis(late_sales, labels))


class ShopperBatch:
    """Shoppers of one batch of requests; not to be shared between threads."""

    def __init__(self, shoppers: ShopperReader, stored: Mapping[str, ShopperRecord], now: datetime) -> None:
        """`stored` holds the known shoppers of the batch."""
        self._now = now
        self._shoppers = shoppers
        self._stored = stored
        self._cursor = HistoryCursor(shoppers.shoppers)
        self._last: tuple[Shopper, str, float, ShopperView] | None = None

    def read(self, asked: Asking, behaviour_s: float, at: datetime) -> ShopperView:
        """The shopper of a request at a moment; `behaviour_s` is `at` on the behaviour clock."""
        shopper, place = asked.shopper, asked.context.jurisdiction
        last = self._last
        if last is not None and not asked.events and last[:3] == (shopper, place, behaviour_s):
            return last[3]
        view = self._read(asked, behaviour_s, at)
        self._last = None if asked.events else (shopper, place, behaviour_s, view)
        return view

    def _read(self, asked: Asking, behaviour_s: float, at: datetime) -> ShopperView:
        shopper = asked.shopper
        stored = self._stored.get(shopper.id) if shopper.id is not None else None
        if not self._shoppers.personalises or _opted_out(shopper, stored):
            past = self._past(_STRANGER, behaviour_s, "")
            return ShopperView(shopper.id, True, NOTHING, _STRANGER, past)
        place = asked.context.jurisdiction or None
        day = legal_day(place, self._now)
        screened = screened_profile(shopper, stored, self._shoppers.pack, place, day)
        profile = screened.text or screened.attributes
        whole = self._shoppers.shoppers.latest(shopper.id, behaviour_s) if shopper.id is not None else None
        if shopper.id is not None and whole is not None and not asked.events:
            known = self._shoppers.past(shopper.id, whole, behaviour_s, profile)
            if shopper.profile is None and whole.known:
                self._shoppers.expect(shopper.id, known)
            past = Past(known.text, known.buyer, known.recent(behaviour_s))
            return ShopperView(shopper.id, False, screened, whole, past, whole.known)
        history = self._cursor.history(shopper.id, behaviour_s) if shopper.id is not None else _STRANGER
        texts = [screen_profile(event.text, self._shoppers.pack, place, day) for event in asked.events]
        said = [event.model_copy(update={"text": t.text}) for event, t in zip(asked.events, texts, strict=True)]
        events = [self._event(event, shopper.id, at) for event in said]
        dropped = {IgnoredInput("events", ignored.reason): None for text in texts for ignored in text.ignored}
        overlay = self._shoppers.shoppers.with_session(history, events)
        past = self._past(overlay, behaviour_s, profile)
        useful = tuple(event for event in said if event.product_id is not None or event.text)
        return ShopperView(shopper.id, False, screened, overlay, past, history.known, useful, tuple(dropped))

    def _past(self, history: ShopperHistory, behaviour_s: float, profile: Profile) -> Past:
        maker = self._shoppers.maker
        text, buyer = maker.text(history, behaviour_s, profile), maker.taste.buyer(history.products)
        return Past(text, buyer, recent_items(history, behaviour_s))

    def _event(self, event: SessionEvent, shopper_id: str | None, at: datetime) -> EventRecord:
        happened = min(event.at or at, at)
        return EventRecord(
            shopper_id=shopper_id or "",
            type=event.type,
            at=self._shoppers.clock.behaviour_time(happened),
            product_id=event.product_id,
            quantity=event.quantity,
            price_minor=minor_of(event.price),
            currency=event.price.currency if event.price else None,
            text=event.text,
        )


def screened_profile(
    shopper: Shopper, stored: ShopperRecord | None, pack: Pack, place: str | None, day: date
) -> Screened:
    """The profile of a request, else the stored one, without protected attributes."""
    profile = shopper.profile
    if profile is None:
        profile = dict(stored.profile) if stored is not None else {}
    return screen_profile(profile, pack, place, day) if profile else NOTHING


def _is_same(kept: EncodedText, text: EncodedText) -> bool:
    """Whether the store keeps this already; moments there are in whole microseconds."""
    same = (kept.version, kept.digest, kept.seq) == (text.version, text.digest, text.seq)
    if kept.expires_s is None or text.expires_s is None:
        return same and kept.expires_s is text.expires_s
    return same and abs(kept.expires_s - text.expires_s) < 1e-3


def _opted_out(shopper: Shopper, stored: ShopperRecord | None) -> bool:
    if shopper.personalisation is not None:
        return shopper.personalisation is Personalisation.OFF
    return stored is not None and not stored.personalisation
