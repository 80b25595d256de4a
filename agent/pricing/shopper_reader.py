"""The shopper's part of step 1: who asks, what may be used of them, and what their past says at one moment.

A batch is recalled shopper by shopper in time order, so that each past is read and folded once however many moments
of it are asked for.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from agent.domain.clock import StoreClock
from agent.domain.decision import IgnoredInput
from agent.domain.fields import minor_of
from agent.domain.records import EventRecord, ShopperRecord
from agent.domain.request import Context, Personalisation, SessionEvent, Shopper
from agent.pricing.observation import Past
from agent.rules.packs import Pack
from agent.rules.screening import NOTHING, Screened, screen_profile
from agent.state.shopper_histories import HistoryCursor, ShopperHistories
from agent.store import Store
from models.shopper.history import ShopperHistory, recent_items
from models.shopper.item_affinity import Taste
from models.shopper.texts import behaviour_text

_STRANGER: Final = ShopperHistory()


class Asking(Protocol):
    """What quote and recommendation requests share."""

    @property
    def shopper(self) -> Shopper:
        """Who asks."""
        ...

    @property
    def events(self) -> Sequence[SessionEvent]:
        """What they just did."""
        ...

    @property
    def context(self) -> Context:
        """The situation."""
        ...


@dataclass(frozen=True, slots=True)
class ShopperView:
    """A shopper after screening.

    Attributes:
        history: The fold, session included; it holds until the next shopper or moment is recalled.
        has_history: Whether anything was known before this session.
        events: This session's, their texts screened.
        event_ignored: What was left out of the session's texts.
    """

    shopper_id: str | None
    opted_out: bool
    screened: Screened
    history: ShopperHistory
    past: Past
    has_history: bool = False
    events: tuple[SessionEvent, ...] = ()
    event_ignored: tuple[IgnoredInput, ...] = ()


@dataclass(frozen=True, slots=True)
class ShopperReader:
    """Where shoppers are known from, and what reads their past.

    Attributes:
        personalises: Whether anybody's past and profile may be read; if not, everyone is as if they had opted out.
    """

    store: Store
    shoppers: ShopperHistories
    clock: StoreClock
    pack: Pack
    taste: Taste
    title_of: Callable[[str], str]
    personalises: bool

    def begin(self, asked: Sequence[Asking]) -> "ShopperBatch":
        """ShopperBatch the shoppers of one batch."""
        ids = {one.shopper.id for one in asked if one.shopper.id is not None}
        return ShopperBatch(self, self.store.shoppers(sorted(ids)))


class ShopperBatch:
    """One batch; not to be shared between threads."""

    def __init__(self, shoppers: ShopperReader, stored: Mapping[str, ShopperRecord]) -> None:
        """`stored` holds the known shoppers of the batch."""
        self._shoppers = shoppers
        self._stored = stored
        self._cursor = HistoryCursor(shoppers.shoppers)
        self._last: tuple[Shopper, str, float, ShopperView] | None = None

    def recall(self, asked: Asking, behaviour_s: float, at: datetime) -> ShopperView:
        """The shopper of a request at a moment; `behaviour_s` is `at` on the behaviour clock."""
        shopper, place = asked.shopper, asked.context.jurisdiction
        last = self._last
        if last is not None and not asked.events and last[:3] == (shopper, place, behaviour_s):
            return last[3]
        recalled = self._recall(asked, behaviour_s, at)
        self._last = None if asked.events else (shopper, place, behaviour_s, recalled)
        return recalled

    def _recall(self, asked: Asking, behaviour_s: float, at: datetime) -> ShopperView:
        shopper = asked.shopper
        stored = self._stored.get(shopper.id) if shopper.id is not None else None
        if not self._shoppers.personalises or _opted_out(shopper, stored):
            return ShopperView(shopper.id, True, NOTHING, _STRANGER, self._past(_STRANGER, NOTHING, behaviour_s))
        place = asked.context.jurisdiction or None
        screened = self._screen(shopper, stored, place)
        history = self._cursor.history(shopper.id, behaviour_s) if shopper.id is not None else _STRANGER
        texts = [screen_profile(event.text, self._shoppers.pack, place) for event in asked.events]
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

    def _screen(self, shopper: Shopper, stored: ShopperRecord | None, jurisdiction: str | None) -> Screened:
        profile = shopper.profile
        if profile is None:
            profile = dict(stored.profile) if stored is not None else {}
        return screen_profile(profile, self._shoppers.pack, jurisdiction) if profile else NOTHING

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
