"""Shopper keeper: works out the memory of shoppers ahead of quotes, one at a time, and stores it in small batches.

Where no quotes are made, after preparation and imports, it works through larger batches.

It first serves shoppers who were told of or quoted without memory, then all shoppers of the store once, then those
whose session has ended, where this process leads. All of it may be lost at any time: what is missing is worked out
again.
"""

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from time import monotonic
from typing import Final

from agent.pricing.shopper_reader import PlannedMemory
from agent.service.components import Components
from agent.store.shopper_memory import ShopperMemory
from models.progress import Progress

BATCH: Final = 16
"""Rows a transaction."""
FILL: Final = 64
"""Shoppers that are read together where no quote waits."""
ENCODED: Final = 512
"""Shoppers whose texts are encoded together: many of them are equally long, which makes batches."""
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

    def next(self, parts: Components, now: datetime, *, alone: bool = False) -> str | None:
        """The next shopper to work out; None when all are done.

        The whole store is walked by the process that leads, or by one that is told to do it `alone`.
        """
        reader = parts.pipeline.observer.reader
        if not reader.personalises:
            return None
        if reader.encoder_version != self._encoder or parts.shoppers.take_overflow():
            self._encoder, self._after = reader.encoder_version, ""
        wanted = parts.shoppers.next_wanted()
        if wanted is not None or self._todo:
            return wanted if wanted is not None else self._todo.popleft()
        if not alone and not parts.lead.take():  # another process works through the store
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
        self._begin(parts)
        reader = parts.pipeline.observer.reader
        self._pending += reader.memories(reader.plan_memories([shopper_id], now), parts.follower.marks.late_sales)

    def fill(self, parts: Components, now: datetime, most: int | None, progress: Progress) -> int:
        """Work out and store the memory of all shoppers who need it, at most of `most`; returns their number.

        Shoppers are read in batches, and encoded beside that. Nothing in this process may change or erase what memory
        rests on meanwhile; where another process erases something, the rest is left for later.

        Raises:
            StoreError: The store failed; what was stored before is kept.
        """
        total = sum(1 for _ in parts.store.shopper_ids()) if most is None else most
        reader, late_sales = parts.pipeline.observer.reader, parts.follower.marks.late_sales
        done, ended = 0, False
        waiting: Future[list[ShopperMemory]] | None = None
        self._begin(parts)
        with ThreadPoolExecutor(1) as encoding:
            while not ended or waiting is not None:
                planned: list[PlannedMemory] = []
                while not ended and len(planned) < ENCODED:
                    ids = self._some(parts, now, FILL if most is None else min(FILL, most - done))
                    planned += reader.plan_memories(ids, now)
                    done, ended = done + len(ids), not ids
                    progress(f"shoppers: {done}", min(0.99, done / max(1, total)))
                if waiting is not None:
                    self._pending += waiting.result()
                    if self._pending and not self.store(parts, all_of_them=True):
                        break
                waiting = encoding.submit(reader.memories, planned, late_sales) if planned else None
        progress("shoppers", 1.0)
        return done

    def _some(self, parts: Components, now: datetime, count: int) -> list[str]:
        """The next shoppers to work out, at most `count`."""
        found: list[str] = []
        while len(found) < count and (shopper_id := self.next(parts, now, alone=True)) is not None:
            found.append(shopper_id)
        return list(dict.fromkeys(found))

    def _begin(self, parts: Components) -> None:
        """Work out again what was worked out before an erasure and is not stored."""
        erasures = parts.follower.marks.erasures
        if erasures != self._erasures:
            self._drop(parts)
            self._erasures = erasures

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
