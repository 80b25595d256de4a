"""Store follower: brings memory up to the store, whichever process wrote.

This is the only way into memory after the start. Own writes and those of other processes are read back from the store
alike, so that memory is the same as after a restart. What is read replaces what was known, and progress is noted last:
after a failure the same changes are read again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from agent.state.catalogue import Catalogue
from agent.state.shopper_histories import ShopperHistories
from agent.store import Store
from agent.store.changes import EventKey, Marks
from models.shopper.weeks import week_of, week_start

MOST_EVENTS: Final = 20_000
"""Beyond so many new events all weekly facts and histories are read again."""


@dataclass(frozen=True, slots=True)
class Followed:
    """Numbers of changes that were brought into memory."""

    products: int = 0
    events: int = 0
    outcomes: int = 0
    erasures: int = 0

    @property
    def anything(self) -> bool:
        """Whether there was any change."""
        return any((self.products, self.events, self.outcomes, self.erasures))


class StoreFollower:
    """Keeps catalogue and shopper histories in step with the store. For one thread at a time."""

    def __init__(self, store: Store, catalogue: Catalogue, shoppers: ShopperHistories, marks: Marks) -> None:
        """`marks` are of the store before catalogue and histories were read."""
        self._store = store
        self._catalogue = catalogue
        self._shoppers = shoppers
        self.marks = marks

    def follow(self) -> Followed:
        """Bring memory up to the store; one short query when nothing changed.

        `outcomes` of the result counts new ones, which the outcome index and the learner replay themselves.

        Raises:
            StoreError: The store failed; the next call tries the same changes again.
        """
        old, new = self.marks, self._store.marks()
        if old == new:
            return Followed()
        products = 0
        if new.revision != old.revision:
            products = self._catalogue.follow_products(new.revision, self._shoppers.forget_products)
        events = self._follow_events(old.event) if new.event != old.event else 0
        if new.erasures != old.erasures:
            self._catalogue.reread_sales()
            self._shoppers.forget_all()
        self.marks = new
        return Followed(products, events, max(0, new.outcome - old.outcome), new.erasures - old.erasures)

    def _follow_events(self, after: int) -> int:
        """Count sales in weekly facts, and mark histories with new events as stale; returns the number of events."""
        keys = self._store.event_keys_after(after, MOST_EVENTS)
        if len(keys) == MOST_EVENTS:
            self._catalogue.reread_sales()
            self._shoppers.forget_all()
        else:
            late = self._catalogue.follow_sales(dict.fromkeys(sale for key in keys if (sale := _sale(key)) is not None))
            self._shoppers.forget_products(late)
            self._shoppers.refresh({key.shopper_id for key in keys})
        return len(keys)


def _sale(key: EventKey) -> tuple[str, datetime] | None:
    """Product and week of a sale; None for any other event."""
    return None if key.sold is None else (key.sold, week_start(week_of(key.at.timestamp())))
