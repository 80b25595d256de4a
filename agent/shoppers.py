"""Shopper histories, folded from the store when first asked for and forgotten when new events arrive."""

import math
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Lock
from typing import Final, Protocol

from agent.records import EventRecord, EventType
from models.history import RECENT, Act, RecentItems, ShopperHistory, recent_items

_ALL: Final = 1_000_000


class EventSource(Protocol):
    """The part of the store that histories are read from."""

    def shopper_events(
        self, shopper_id: str, *, before: datetime | None = None, limit: int = 5000
    ) -> list[EventRecord]:
        """The last `limit` events before a time, in time order."""
        ...


@dataclass(frozen=True, slots=True)
class ProductLabels:
    """What a fold needs of a product: category, brand and reference price (minor units, nan when unknown)."""

    category: str = ""
    brand: str = ""
    reference_minor: float = float("nan")


LabelsOf = Callable[[str, float | None], ProductLabels]  # without a time the reference price is left out


def to_act(event: EventRecord, labels: ProductLabels) -> Act:
    """An event as the fold reads it; the price ratio is over the event's list price, else the reference."""
    base = event.list_minor or labels.reference_minor
    ratio = event.price_minor / base if event.price_minor is not None and base and base > 0 else 1.0
    return Act(
        type=event.type.value,
        at_s=event.at.timestamp(),
        product=event.product_id or "",
        category=labels.category,
        brand=labels.brand,
        price_ratio=ratio,
        price_minor=event.price_minor,
        text=event.text,
    )


def fold(history: ShopperHistory, events: Iterable[EventRecord], labels_of: LabelsOf) -> ShopperHistory:
    """Fold events, in time order, into a history; returns it."""
    for event in events:
        at_s = None if event.list_minor else event.at.timestamp()  # a list price makes the reference needless
        labels = labels_of(event.product_id, at_s) if event.product_id else ProductLabels()
        history.observe(to_act(event, labels))
    return history


@dataclass(frozen=True, slots=True)
class _Folded:
    history: ShopperHistory
    last_s: float


class ShopperBook:
    """Histories by shopper, least recently used first out. Histories handed out must not be changed."""

    def __init__(self, source: EventSource, labels_of: LabelsOf, capacity: int = 5_000) -> None:
        """Read from `source`; `labels_of` describes a product at a time."""
        self._source = source
        self._labels_of = labels_of
        self._capacity = capacity
        self._known: OrderedDict[str, _Folded] = OrderedDict()
        self._changes = 0
        self._lock = Lock()

    def latest(self, shopper_id: str, before_s: float) -> ShopperHistory | None:
        """All that is known of a shopper, None when some of it happened at `before_s` or later."""
        with self._lock:
            known = self._known.get(shopper_id)
            changes = self._changes
            if known is not None:
                self._known.move_to_end(shopper_id)
        if known is None:
            events = self._source.shopper_events(shopper_id)
            history = fold(ShopperHistory(), events, self._labels_of)
            known = _Folded(history, events[-1].at.timestamp() if events else 0.0)
            self._remember(shopper_id, known, changes)
        return known.history if known.last_s < before_s else None

    def events(self, shopper_id: str) -> list[EventRecord]:
        """All events of a shopper, in time order."""
        return self._source.shopper_events(shopper_id, limit=_ALL)

    def fold(self, history: ShopperHistory, events: Iterable[EventRecord]) -> ShopperHistory:
        """Fold later events into a history; returns it."""
        return fold(history, events, self._labels_of)

    def recents(self, shopper_id: str, moments_s: Sequence[float]) -> list[RecentItems]:
        """A shopper's latest items before each of several moments, from one read."""
        if len(moments_s) == 1:
            return [recent_items(Walk(self).history(shopper_id, moments_s[0]), moments_s[0])]
        last = datetime.fromtimestamp(max(moments_s), UTC)
        acts = [
            to_act(event, ProductLabels())
            for event in self._source.shopper_events(shopper_id, before=last, limit=_ALL)
            if event.type is EventType.PURCHASE
        ]
        times = [act.at_s for act in acts]
        found = []
        for moment in moments_s:
            end = bisect_left(times, moment)
            found.append(recent_items(ShopperHistory(recent=deque(acts[max(0, end - RECENT) : end])), moment))
        return found

    def forget(self, shopper_ids: Iterable[str]) -> None:
        """Drop what is remembered of shoppers whose events changed."""
        with self._lock:
            self._changes += 1
            for shopper_id in shopper_ids:
                self._known.pop(shopper_id, None)

    def forget_all(self) -> None:
        """Drop everything remembered."""
        with self._lock:
            self._changes += 1
            self._known.clear()

    def with_session(self, history: ShopperHistory, events: Sequence[EventRecord]) -> ShopperHistory:
        """The history plus events that came with a request; the given history is left as it is."""
        if not events:
            return history
        overlay = history.copy(deep=any(event.type is EventType.PURCHASE for event in events))
        return fold(overlay, sorted(events, key=lambda event: event.at), self._labels_of)

    def _remember(self, shopper_id: str, folded: _Folded, changes: int) -> None:
        with self._lock:
            if changes != self._changes:  # events arrived while reading: the next reader folds again
                return
            self._known[shopper_id] = folded
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)


class Walk:
    """Histories at moments, asked for shopper by shopper in time order: each past is read and folded once.

    A history handed out must not be changed, and holds until the next one is asked for. Another order gives the same
    histories, slower.
    """

    def __init__(self, book: ShopperBook) -> None:
        """Read from `book`."""
        self._book = book
        self._shopper_id: str | None = None
        self._events: list[EventRecord] = []
        self._done = 0
        self._before_s = -math.inf
        self._history = ShopperHistory()

    def history(self, shopper_id: str, before_s: float) -> ShopperHistory:
        """What is known of a shopper strictly before a moment."""
        latest = self._book.latest(shopper_id, before_s)
        if latest is not None:
            return latest
        if shopper_id != self._shopper_id:
            self._shopper_id, self._events = shopper_id, self._book.events(shopper_id)
        elif before_s >= self._before_s:
            return self._forward(before_s)
        self._history, self._done = ShopperHistory(), 0
        return self._forward(before_s)

    def _forward(self, before_s: float) -> ShopperHistory:
        end = bisect_left(self._events, before_s, lo=self._done, key=lambda event: event.at.timestamp())
        self._before_s = before_s
        self._history = self._book.fold(self._history, self._events[self._done : end])
        self._done = end
        return self._history
