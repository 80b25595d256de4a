"""The shoppers' part of step 1: identity, screened profile, and history at one moment.

A batch is read shopper by shopper in time order, so that each history is read and folded once, however many moments of
it are asked for.
"""

from collections.abc import Callable, Mapping, Sequence
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
from agent.state.shopper_histories import HistoryCursor, ShopperHistories
from agent.store import Store
from models.shopper.history import ShopperHistory, recent_items
from models.shopper.item_affinity import Taste
from models.shopper.texts import behaviour_text

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
    taste: Taste
    title_of: Callable[[str], str]
    personalises: bool

    def begin(self, asked: Sequence[Asking], now: datetime) -> "ShopperBatch":
        """Start reading the shoppers of one batch; the law is that of `now`, whatever moment a request prices."""
        ids = {one.shopper.id for one in asked if one.shopper.id is not None}
        return ShopperBatch(self, self.store.shoppers(sorted(ids)), now)


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
            return ShopperView(shopper.id, True, NOTHING, _STRANGER, self._past(_STRANGER, NOTHING, behaviour_s))
        place = asked.context.jurisdiction or None
        day = legal_day(place, self._now)
        screened = self._screen(shopper, stored, place, day)
        history = self._cursor.history(shopper.id, behaviour_s) if shopper.id is not None else _STRANGER
        texts = [screen_profile(event.text, self._shoppers.pack, place, day) for event in asked.events]
        said = [event.model_copy(update={"text": t.text}) for event, t in zip(asked.events, texts, strict=True)]
        events = [self._event(event, shopper.id, at) for event in said]
        dropped = {IgnoredInput("events", ignored.reason): None for text in texts for ignored in text.ignored}
        overlay = self._shoppers.shoppers.with_session(history, events)
        past = self._past(overlay, screened, behaviour_s)
        useful = tuple(event for event in said if event.product_id is not None or event.text)
        return ShopperView(shopper.id, False, screened, overlay, past, history.known, useful, tuple(dropped))

    def _past(self, history: ShopperHistory, screened: Screened, behaviour_s: float) -> Past:
        profile = screened.text or screened.attributes
        return Past(
            text=behaviour_text(history, self._shoppers.title_of, behaviour_s, profile),
            buyer=self._shoppers.taste.buyer(history.products),
            recent=recent_items(history, behaviour_s),
        )

    def _screen(self, shopper: Shopper, stored: ShopperRecord | None, place: str | None, day: date) -> Screened:
        profile = shopper.profile
        if profile is None:
            profile = dict(stored.profile) if stored is not None else {}
        return screen_profile(profile, self._shoppers.pack, place, day) if profile else NOTHING

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


def _opted_out(shopper: Shopper, stored: ShopperRecord | None) -> bool:
    if shopper.personalisation is not None:
        return shopper.personalisation is Personalisation.OFF
    return stored is not None and not stored.personalisation
