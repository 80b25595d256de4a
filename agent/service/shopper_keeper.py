"""Shopper keeper: works out the memory of shoppers ahead of quotes, one at a time, and stores it in small batches.

It first serves shoppers who were told of or quoted without memory, then all shoppers of the store once, then those
whose session has ended, where this process leads. All of it may be lost at any time: what is missing is worked out
again.
"""

from collections import deque
from datetime import datetime
from time import monotonic
from typing import Final

from agent.service.components import Components
from agent.store.shopper_memory import ShopperMemory

BATCH: Final = 16
"""Rows a transaction."""
_LOOK_S: Final = 5.0
"""Time between two looks for ended sessions."""


class ShopperKeeper:
    """Works through one merchant's shoppers. For one thread at a time."""

    def __init__(self) -> None:
        """Begin with the first shopper of the store."""
        self._todo: deque[str] = deque()
        self._after: str | None = ""
        self._encoder = ""
        self._pending: list[ShopperMemory] = []
        self._erasures = 0
        self._looked_s = -_LOOK_S

    def next(self, parts: Components, now: datetime) -> str | None:
        """The next shopper to work out; None when all are done."""
        reader = parts.pipeline.observer.reader
        if not reader.personalises:
            return None
        if reader.encoder_version != self._encoder:
            self._encoder, self._after = reader.encoder_version, ""
        wanted = parts.shoppers.next_wanted()
        if wanted is not None or self._todo:
            return wanted if wanted is not None else self._todo.popleft()
        if not parts.lead.take():  # another process works through the store
            return None
        while not self._todo and self._after is not None:
            page = parts.store.stale_shoppers(self._after, self._encoder)
            self._after = page.last
            self._todo.extend(page.stale)
        if not self._todo and monotonic() - self._looked_s >= _LOOK_S:
            self._looked_s = monotonic()
            self._todo.extend(parts.store.expired_shoppers(parts.store_clock.behaviour_time(now)))
        return self._todo.popleft() if self._todo else None

    def work_out(self, parts: Components, shopper_id: str, now: datetime) -> None:
        """Work out one shopper's memory; nothing may change or erase what it rests on meanwhile."""
        marks = parts.follower.marks
        if marks.erasures != self._erasures:
            self._drop(parts)
            self._erasures = marks.erasures
        row = parts.pipeline.observer.reader.memory(shopper_id, now, marks.late_sales)
        if row is not None:
            self._pending.append(row)

    def store(self, parts: Components, *, all_of_them: bool = False) -> int:
        """Store what was worked out once a batch is full; returns the number of rows stored.

        Raises:
            StoreError: The store failed; what was worked out is lost.
        """
        rows = self._pending
        if not rows or (len(rows) < BATCH and not all_of_them):
            return 0
        self._pending = []
        try:
            kept = parts.store.keep_shopper_memories(rows, self._erasures)
        except BaseException:
            self._pending = rows
            self._drop(parts)
            raise
        if not kept:  # something was erased meanwhile
            self._pending = rows
            self._drop(parts)
        return len(rows) if kept else 0

    def _drop(self, parts: Components) -> None:
        """Have shoppers worked out again whose rows were not stored."""
        for row in self._pending:
            parts.shoppers.note_kept(row.shopper_id, None)
            parts.shoppers.want(row.shopper_id)
        self._pending = []
