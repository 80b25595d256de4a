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
from agent.domain.request import Context, Personalisation, SessionEvent, Shopper
from agent.pricing.situation import Past, ShopperView
from agent.rules.packs import Pack, legal_day
from agent.rules.screening import NOTHING, Screened, screen_profile
from agent.state.cached_encoder import CachedEncoder
from agent.state.known_pasts import KnownPast, KnownPasts, PastMaker, Profile
from agent.state.shopper_histories import HistoryCursor, ShopperHistories
from agent.state.shopper_memory import Basis, ChecksumOf, EncodedText, FoldedHistory, products_of, to_row
from agent.store import Store
from agent.store.shopper_memory import ShopperMemory
from models.encoder.encoder import Vectors
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
class PlannedMemory:
    """Memory of a shopper but for the encoder state.

    Attributes:
        met_lately: The shopper is in memory, so that the encoder state should be too.
    """

    shopper_id: str
    folded: FoldedHistory
    past: KnownPast
    met_lately: bool

    def is_kept(self, encoder: str) -> bool:
        """Check whether the store keeps this already; moments there are in whole microseconds."""
        kept, expires_s = self.folded.kept, self.past.expires_s
        if kept is None or (kept.version, kept.digest, kept.seq) != (encoder, self.past.digest, self.folded.seq):
            return False
        if kept.expires_s is None or expires_s is None:
            return kept.expires_s is expires_s
        return abs(kept.expires_s - expires_s) < 1e-3


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
        read = self.shoppers.read_together(
            sorted({o.shopper.id for o in asked if o.shopper.id is not None and not _opted_out(o.shopper, None)})
            if self.personalises
            else ()
        )
        stored = {shopper_id: record for shopper_id, record in read.records.items() if record is not None}
        if others := sorted(ids - read.records.keys()):
            stored |= self.store.shoppers(others)
        return ShopperBatch(self, stored, read.histories, now)

    def past(self, shopper_id: str, folded: FoldedHistory, behaviour_s: float, profile: Profile) -> KnownPast:
        """The past of a shopper's whole history, with its encoder state where the store keeps that."""
        known = self.pasts.find(shopper_id, folded.history, behaviour_s, profile)
        if known is None:
            known = self.pasts.work_out(folded.history, behaviour_s, profile)
            self.pasts.put(shopper_id, known)
            kept = folded.kept
            if kept is not None and kept.version == self.encoder.version:
                self.encoder.put(kept.digest, kept.state)
        return known

    def expect(self, shopper_id: str, known: KnownPast, kept: EncodedText | None) -> None:
        """Have a shopper's memory worked out again if the store keeps none, or that of another text."""
        if kept is None or kept.version != self.encoder.version or kept.digest != known.digest:
            self.shoppers.want(shopper_id)

    def plan_memories(self, shopper_ids: Sequence[str], now: datetime) -> list[PlannedMemory]:
        """Read and describe shoppers of whom the store should keep something else than it does.

        Nothing may change catalogue and histories until `memories` has returned.
        """
        if not self.personalises:
            return []
        stored = self.store.shoppers(shopper_ids)
        ids = [one for one in shopper_ids if (record := stored.get(one)) is None or record.personalisation]
        met_lately = {one for one in ids if self.shoppers.holds(one)}  # a pass over all must not drive these out
        planned = []
        for shopper_id, folded in self.shoppers.folded_together(ids).items():
            behaviour_s = max(self.clock.behaviour_time(now).timestamp(), math.nextafter(folded.last_s, math.inf))
            screened = screened_profile(
                Shopper(id=shopper_id), stored.get(shopper_id), self.pack, None, legal_day(None, now)
            )
            profile = screened.text or screened.attributes
            if folded.seq == 0 and not profile:
                continue
            if shopper_id in met_lately:
                known = self.past(shopper_id, folded, behaviour_s, profile)
            else:
                known = self.pasts.work_out(folded.history, behaviour_s, profile)
            one = PlannedMemory(shopper_id, folded, known, shopper_id in met_lately)
            if not one.is_kept(self.encoder.version):
                planned.append(one)
        return planned

    def memories(self, planned: Sequence[PlannedMemory], late_sales: int) -> list[ShopperMemory]:
        """Encode what was planned, to the states that quotes of single shoppers compute.

        Catalogue and histories have reached `late_sales`.
        """
        states = self._states_of(planned)
        rows = []
        for one in planned:
            past, folded = one.past, one.folded
            text = EncodedText(self.encoder.version, past.digest, states[past.digest], folded.seq, past.expires_s)
            self.shoppers.note_kept(one.shopper_id, text)
            basis = Basis(late_sales, self.checksum_of(products_of(folded.history)))
            rows.append(to_row(one.shopper_id, folded, text, basis))
        return rows

    def _states_of(self, planned: Sequence[PlannedMemory]) -> dict[bytes, Vectors]:
        """Encoder states by the text's digest; a text that has not changed is not encoded again."""
        version = self.encoder.version
        states: dict[bytes, Vectors] = {}
        for one in planned:
            kept = one.folded.kept
            if kept is not None and (kept.version, kept.digest) == (version, one.past.digest):
                states[kept.digest] = kept.state
        for met_lately in (True, False):
            fresh = {
                one.past.digest: one.past.text
                for one in planned
                if one.met_lately is met_lately and one.past.digest not in states
            }
            vectors = self.encoder.encode_each(list(fresh.values()), remember=met_lately)
            states |= dict(zip(fresh, vectors, strict=True))
        return states


class ShopperBatch:
    """Shoppers of one batch of requests; not to be shared between threads."""

    def __init__(
        self,
        shoppers: ShopperReader,
        stored: Mapping[str, ShopperRecord],
        whole: Mapping[str, FoldedHistory],
        now: datetime,
    ) -> None:
        """`stored` holds the known shoppers of the batch, `whole` the histories that were read with them."""
        self._now = now
        self._shoppers = shoppers
        self._stored = stored
        self._cursor = HistoryCursor(shoppers.shoppers, whole)
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
        folded = self._cursor.folded(shopper.id) if shopper.id is not None and not asked.events else None
        if shopper.id is not None and folded is not None and folded.last_s < behaviour_s:
            whole = folded.history
            known = self._shoppers.past(shopper.id, folded, behaviour_s, profile)
            if shopper.profile is None and (whole.known or profile):
                self._shoppers.expect(shopper.id, known, folded.kept)
            past = Past(known.text, known.buyer, known.recent)
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


def _opted_out(shopper: Shopper, stored: ShopperRecord | None) -> bool:
    if shopper.personalisation is not None:
        return shopper.personalisation is Personalisation.OFF
    return stored is not None and not stored.personalisation
