"""Shopper histories: folds of behaviour events, read on first use and extended by new events on later use."""

import math
import sys
from bisect import bisect_left
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from threading import Lock
from typing import Final, Protocol

from agent.domain.records import EventRecord, ShopperRecord
from agent.state.shopper_memory import EncodedText, FoldedHistory, KeptHistory, MemoryReader
from models.shopper.history import RECENT, Act, RecentItems, ShopperHistory, recent_items

_ALL: Final = 1_000_000
_NOTHING: Final = FoldedHistory()


@dataclass(frozen=True, slots=True)
class ReadTogether:
    """Shoppers read for one batch: profiles as far as they were read, None for unknown ones, and whole histories."""

    records: Mapping[str, ShopperRecord | None]
    histories: Mapping[str, FoldedHistory]


class EventSource(Protocol):
    """Source of behaviour events; the store is one."""

    def shopper_events(
        self, shopper_id: str, *, before: datetime | None = None, limit: int = 5_000, sales: bool | None = None
    ) -> list[EventRecord]:
        """The last `limit` events before a time, in time order; `sales` selects purchases or others but declines."""
        ...

    def shopper_events_since(self, shopper_id: str, seq: int, limit: int = 5_000) -> list[tuple[int, EventRecord]]:
        """The last `limit` events numbered above `seq`, in time order, each with its number."""
        ...


@dataclass(frozen=True, slots=True)
class ProductLabels:
    """Fields of a product that a fold uses; `reference_minor` is nan when unknown."""

    category: str = ""
    brand: str = ""
    reference_minor: float = float("nan")
    currency: str = ""


LabelsOf = Callable[[str, float | None], ProductLabels]  # without a time, no reference price


def to_act(event: EventRecord, labels: ProductLabels) -> Act:
    """Convert an event for the fold; its price ratio is over its list price, else over the reference price.

    The ratio is 1 where neither is known in the currency of the event.
    """
    comparable = labels.reference_minor if event.currency == labels.currency else 0.0
    base = event.list_minor or comparable
    ratio = event.price_minor / base if event.price_minor is not None and base and base > 0 else 1.0
    return Act(
        type=event.type.value,
        at_s=event.at.timestamp(),
        product=sys.intern(event.product_id or ""),  # one string for all histories
        category=labels.category,
        brand=labels.brand,
        price_ratio=ratio,
        price_minor=event.price_minor,
        currency=sys.intern(event.currency or ""),
        text=event.text,
    )


def to_acts(events: Iterable[EventRecord], labels_of: LabelsOf) -> Iterator[Act]:
    """Convert events in time order for the fold."""
    for event in events:
        at_s = None if event.list_minor else event.at.timestamp()  # with a list price the reference is not needed
        labels = labels_of(event.product_id, at_s) if event.product_id else ProductLabels()
        yield to_act(event, labels)


def fold(history: ShopperHistory, events: Iterable[EventRecord], labels_of: LabelsOf) -> ShopperHistory:
    """Fold events in time order into a history, in place; returns it."""
    for act in to_acts(events, labels_of):
        history.observe(act)
    return history


CAPACITY: Final = 2_000
"""Histories in memory, about 75 kB each for 500 events; others are read back from the store in about a millisecond."""

MOST_WANTED: Final = 10_000
"""Shoppers who wait by name for their memory to be worked out; beyond that all shoppers are looked at."""


def folded_by(before: FoldedHistory, new: Sequence[tuple[int, EventRecord]], labels_of: LabelsOf) -> FoldedHistory:
    """A folded history with later events, each with its number, in time order."""
    events = [event for _, event in new]
    return FoldedHistory(
        history=before.history.followed_by(list(to_acts(events, labels_of))),
        seq=max(before.seq, *(number for number, _ in new)),
        first_s=min(before.first_s, events[0].at.timestamp()),
        last_s=events[-1].at.timestamp(),
        estimated=before.estimated or any(map(_is_estimated, events)),
        kept=before.kept,
    )


class ShopperHistories:
    """LRU cache of histories by shopper. Callers must not change the histories."""

    def __init__(
        self, source: EventSource, labels_of: LabelsOf, capacity: int = CAPACITY, memory: MemoryReader | None = None
    ) -> None:
        """Read events from `source`; `labels_of` describes a product at a time; `memory` has what was folded before."""
        self._source = source
        self._labels_of = labels_of
        self._capacity = capacity
        self._memory = memory
        self._known: OrderedDict[str, FoldedHistory] = OrderedDict()
        self._wanted: OrderedDict[str, None] = OrderedDict()
        self._overflowed = False
        self._changes = 0
        self._lock = Lock()

    def folded(self, shopper_id: str, *, remember: bool = True) -> FoldedHistory:
        """The whole history of a shopper, with what it rests on."""
        with self._lock:
            known = self._known.get(shopper_id)
            changes = self._changes
            if known is not None:
                self._known.move_to_end(shopper_id)
        if known is None or known.stale:
            before = known or FoldedHistory()
            kept = self._memory.read({shopper_id: before.seq}) if self._memory is not None else {}
            known = self._read(shopper_id, before, kept.get(shopper_id))
            if remember:
                self._remember(shopper_id, known, changes)
        return known

    def read_together(self, shopper_ids: Iterable[str]) -> "ReadTogether":
        """Read the histories of shoppers, those that are not in memory together and with their profiles.

        Of shoppers who opted out only the profile is read.
        """
        if self._memory is None:
            return ReadTogether({}, {})
        with self._lock:
            changes = self._changes
            known = {one: self._known.get(one, _NOTHING) for one in shopper_ids}
        missing = {one: folded for one, folded in known.items() if folded is _NOTHING or folded.stale}
        found = self._memory.read({one: folded.seq for one, folded in missing.items()}) if missing else {}
        histories = {one: folded for one, folded in known.items() if one not in missing}
        for shopper_id, kept in found.items():
            if kept.record is None or kept.record.personalisation:
                histories[shopper_id] = self._read(shopper_id, missing[shopper_id], kept)
                self._remember(shopper_id, histories[shopper_id], changes)
        return ReadTogether({shopper_id: kept.record for shopper_id, kept in found.items()}, histories)

    def folded_together(self, shopper_ids: Sequence[str]) -> dict[str, FoldedHistory]:
        """Whole histories of shoppers, read together; those that are not in memory stay out of it."""
        held = {shopper_id: self.folded(shopper_id) for shopper_id in shopper_ids if self.holds(shopper_id)}
        others = [shopper_id for shopper_id in shopper_ids if shopper_id not in held]
        kept = self._memory.read(dict.fromkeys(others, 0), whole=True) if self._memory is not None else {}
        return held | {shopper_id: self._read(shopper_id, _NOTHING, kept.get(shopper_id)) for shopper_id in others}

    def note_kept(self, shopper_id: str, text: EncodedText | None) -> None:
        """Note what the store keeps of a shopper from now on."""
        with self._lock:
            known = self._known.get(shopper_id)
            if known is not None:
                self._known[shopper_id] = replace(known, kept=text)

    def want(self, shopper_id: str) -> None:
        """Ask for a shopper's memory to be worked out and kept in the background."""
        with self._lock:
            self._want(shopper_id)

    def next_wanted(self) -> str | None:
        """Take the shopper who was wanted first; None when there is none."""
        with self._lock:
            return self._wanted.popitem(last=False)[0] if self._wanted else None

    def take_overflow(self) -> bool:
        """Whether shoppers were wanted beyond `MOST_WANTED` since the last call, so that all are to be looked at."""
        with self._lock:
            overflowed, self._overflowed = self._overflowed, False
            return overflowed

    def _want(self, shopper_id: str) -> None:
        if len(self._wanted) < MOST_WANTED:
            self._wanted[shopper_id] = None
        else:
            self._overflowed = True

    def holds(self, shopper_id: str) -> bool:
        """Whether a shopper's history is cached, as it was used lately."""
        with self._lock:
            return shopper_id in self._known

    def events(self, shopper_id: str) -> list[EventRecord]:
        """All events of a shopper in time order."""
        return [event for _, event in self._source.shopper_events_since(shopper_id, 0, _ALL)]

    def fold(self, history: ShopperHistory, events: Iterable[EventRecord]) -> ShopperHistory:
        """Fold later events into a history, in place; returns it."""
        return fold(history, events, self._labels_of)

    def recents(self, shopper_id: str, moments_s: Sequence[float]) -> list[RecentItems]:
        """Recent items of a shopper before each moment; for a single moment only these are read."""
        last, limit = datetime.fromtimestamp(max(moments_s), UTC), RECENT if len(moments_s) == 1 else _ALL

        def acts(*, sales: bool) -> list[Act]:
            events = self._source.shopper_events(shopper_id, before=last, limit=limit, sales=sales)
            return [to_act(event, ProductLabels()) for event in events]

        bought, looked_at = acts(sales=True), acts(sales=False)
        return [
            recent_items(ShopperHistory(recent=_until(bought, moment), session=_until(looked_at, moment)), moment)
            for moment in moments_s
        ]

    def refresh(self, shopper_ids: Iterable[str]) -> None:
        """Mark histories as stale, to be extended by new events on next use, and want their memory."""
        with self._lock:
            self._changes += 1
            for shopper_id in shopper_ids:
                self._want(shopper_id)
                if (known := self._known.get(shopper_id)) is not None:
                    self._known[shopper_id] = replace(known, stale=True)

    def forget(self, shopper_ids: Iterable[str]) -> None:
        """Drop cached histories of shoppers, some of whose events were erased."""
        with self._lock:
            self._changes += 1
            for shopper_id in shopper_ids:
                self._known.pop(shopper_id, None)

    def forget_products(self, product_ids: Set[str]) -> None:
        """Drop cached histories with events on any of these products, as their labels or references changed."""
        with self._lock:
            self._changes += 1
            for shopper_id in [one for one, known in self._known.items() if _mentions(known.history, product_ids)]:
                del self._known[shopper_id]

    def forget_all(self) -> None:
        """Drop all cached histories; all shoppers are to be looked at."""
        with self._lock:
            self._changes += 1
            self._overflowed = True
            self._known.clear()

    def with_session(self, history: ShopperHistory, events: Sequence[EventRecord]) -> ShopperHistory:
        """A copy of a history extended by the events of a request."""
        if not events:
            return history
        ordered = sorted(events, key=lambda event: event.at)
        return history.followed_by(list(to_acts(ordered, self._labels_of)))

    def _read(self, shopper_id: str, before: FoldedHistory, kept: KeptHistory | None) -> FoldedHistory:
        """Add events after a history in memory or kept; all of them without one, or when new ones are out of order."""
        if kept is not None and kept.folded is not None:
            before = replace(before, kept=kept.folded.kept) if before.seq >= kept.folded.seq else kept.folded
        if kept is not None and kept.newest <= before.seq:
            return replace(before, stale=False)
        new = kept.events if kept is not None else None
        if new is None:
            new = self._source.shopper_events_since(shopper_id, before.seq)
        if new and new[0][1].at.timestamp() < before.last_s:
            before, new = FoldedHistory(), self._source.shopper_events_since(shopper_id, 0)
        if not new:
            return replace(before, stale=False)
        return folded_by(before, new, self._labels_of)

    def _remember(self, shopper_id: str, folded: FoldedHistory, changes: int) -> None:
        with self._lock:
            if changes != self._changes:  # events arrived meanwhile: the next reader folds again
                return
            self._known[shopper_id] = folded
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)


def _is_estimated(event: EventRecord) -> bool:
    """Whether the price ratio of an event rests on a reference price; see `to_act`."""
    return event.price_minor is not None and not event.list_minor and event.product_id is not None


def _mentions(history: ShopperHistory, product_ids: Set[str]) -> bool:
    looked_at = (act.product in product_ids for act in history.session)
    bought_or_left = history.products.keys() | history.declined.keys()
    return not bought_or_left.isdisjoint(product_ids) or any(looked_at)


def _until(acts: Sequence[Act], moment_s: float) -> deque[Act]:
    """The last `RECENT` acts before a moment."""
    end = bisect_left(acts, moment_s, key=lambda act: act.at_s)
    return deque(acts[max(0, end - RECENT) : end])


class HistoryCursor:
    """Histories as of given moments. Fastest shopper by shopper in time order: each past is then folded once.

    A returned history must not be changed, and is valid until the next call.
    """

    def __init__(self, histories: ShopperHistories, whole: Mapping[str, FoldedHistory] | None = None) -> None:
        """Read from `histories` those shoppers of whom `whole` has no history."""
        self._histories = histories
        self._whole = whole or {}
        self._shopper_id: str | None = None
        self._events: list[EventRecord] = []
        self._done = 0
        self._before_s = -math.inf
        self._history = ShopperHistory()

    def folded(self, shopper_id: str) -> FoldedHistory:
        """The whole history of a shopper, with what it rests on."""
        return self._whole.get(shopper_id) or self._histories.folded(shopper_id)

    def history(self, shopper_id: str, before_s: float) -> ShopperHistory:
        """The history of a shopper strictly before a moment (Unix seconds)."""
        folded = self.folded(shopper_id)
        if folded.last_s < before_s:
            return folded.history
        if shopper_id != self._shopper_id:
            self._shopper_id, self._events = shopper_id, self._histories.events(shopper_id)
        elif before_s >= self._before_s:
            return self._forward(before_s)
        self._history, self._done = ShopperHistory(), 0
        return self._forward(before_s)

    def _forward(self, before_s: float) -> ShopperHistory:
        end = bisect_left(self._events, before_s, lo=self._done, key=lambda event: event.at.timestamp())
        self._before_s = before_s
        self._history = self._histories.fold(self._history, self._events[self._done : end])
        self._done = end
        return self._history
