"""Outcome index: retrieval of past outcomes by similarity of shopper and product."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from agent.domain.clock import StoreClock
from agent.domain.records import OutcomeRecord, OutcomeType
from agent.state.catalogue import Catalogue
from agent.state.shopper_histories import ShopperHistories
from agent.store import Store
from agent.store.rows import chunks
from models.evaluator.evaluator import Evaluator
from models.evaluator.evidence import Neighbours, item_states
from models.shopper.history import RecentItems
from retrieval import MemoryRow, OutcomeMemory, SimilarOutcomes

_BATCH = 100_000
_AFTER_SALE = (OutcomeType.RETURNED, OutcomeType.RATED)
_READ = 5_000
_KEYS = 5_000  # keys computed at a time: their inputs take 10 KiB each


class OutcomeIndex:
    """Outcome memory with keys from catalogue states and shopper histories."""

    def __init__(
        self,
        memory: OutcomeMemory,
        evaluator: Evaluator,
        catalogue: Catalogue,
        shoppers: ShopperHistories,
        clock: StoreClock,
    ) -> None:
        """The evaluator computes keys from states of the catalogue; `clock` maps times of outcomes."""
        self.memory = memory
        self._evaluator = evaluator
        self._catalogue = catalogue
        self._shoppers = shoppers
        self._clock = clock

    def neighbours(
        self, recents: Sequence[RecentItems], products: NDArray[np.float32], at_s: Sequence[float], k: int
    ) -> tuple[Neighbours, list[list[MemoryRow]]]:
        """The `k` most similar past outcomes for each shopper and product, before each moment (Unix seconds).

        Arrays for the evaluator, and the rows that they come from.
        """
        found, rows = self.memory.neighbours(self._keys(recents, products), k, _micros(at_s))
        return _arrays(found), rows

    def alike(
        self, recents: Sequence[RecentItems], products: NDArray[np.float32], at_s: Sequence[float], k: int
    ) -> Neighbours:
        """The arrays of `neighbours` alone."""
        return _arrays(self.memory.alike(self._keys(recents, products), k, _micros(at_s)))

    def catch_up(self, store: Store, on_batch: Callable[[int], None] | None = None) -> int:
        """Add outcomes after the watermark; returns their number, and calls `on_batch` with it after each batch.

        Outcomes beyond the memory's capacity are skipped, oldest first.
        """
        added, last = 0, store.last_outcome()
        newest = store.newest_since(self.memory.watermark, self.memory.capacity)
        numbered = store.outcomes_since(self.memory.watermark, not_before=newest)
        for batch in chunks(self._rows(store, numbered), _BATCH):
            self._add([row for _, row in batch if row is not None], batch[-1][0])
            added += len(batch)
            if on_batch is not None:
                on_batch(added)
        self.memory.watermark = max(self.memory.watermark, last)
        return added

    def _add(self, rows: Sequence[MemoryRow], watermark: int) -> None:
        """Add rows of known products; `watermark` is the number of the last outcome of their batch."""
        state_of = cache(self._catalogue.state)  # batches repeat products
        known = [(row, state) for row in rows if (state := state_of(row.product_id)) is not None]
        keys = np.zeros((len(known), self.memory.dim), np.float32)
        for some in chunks(self._recents([row for row, _ in known]), _KEYS):
            places = [place for place, _ in some]
            products = np.stack([known[place][1] for place in places])
            keys[places] = self._keys([recent for _, recent in some], products)
        if known:
            self.memory.add([row for row, _ in known], keys, watermark)
        self.memory.watermark = max(self.memory.watermark, watermark)

    def _keys(self, recents: Sequence[RecentItems], products: NDArray[np.float32]) -> NDArray[np.float32]:
        return self._evaluator.memory_keys(item_states(recents, self._catalogue.known_states), products)

    def _recents(self, rows: Sequence[MemoryRow]) -> Iterator[tuple[int, RecentItems]]:
        """Place and recent items of each row's shopper before it, with one read of the store a shopper."""
        places_of: dict[str, list[int]] = defaultdict(list)
        for place, row in enumerate(rows):
            places_of[row.shopper_id].append(place)
        nothing = RecentItems((), ())
        for shopper_id, places in places_of.items():
            if not shopper_id:
                yield from ((place, nothing) for place in places)
                continue
            moments = [rows[place].at_us / 1e6 for place in places]
            yield from zip(places, self._shoppers.recents(shopper_id, moments), strict=True)

    def _rows(
        self, store: Store, numbered: Iterator[tuple[int, OutcomeRecord]]
    ) -> Iterator[tuple[int, MemoryRow | None]]:
        """Numbers of outcomes, each with the row that is kept of it; units sold in parts are one accepted offer."""
        for some in chunks(numbered, _READ):
            further = _further_purchases(store, [outcome for _, outcome in some])
            for number, outcome in some:
                yield number, None if outcome.outcome_id in further else self._row(outcome)

    def _row(self, outcome: OutcomeRecord) -> MemoryRow | None:
        """An outcome as it is kept, smaller than its record; None for returns, ratings and offers without a product."""
        if outcome.product_id is None or not outcome.reference_minor or outcome.type in _AFTER_SALE:
            return None
        return MemoryRow(
            outcome_id=outcome.outcome_id,
            product_id=outcome.product_id,
            shopper_id=outcome.shopper_id or "",
            at_us=round(self._behaviour(outcome.at).timestamp() * 1e6),
            price_ratio=outcome.price_minor / outcome.reference_minor,
            bought=outcome.type is OutcomeType.PURCHASED,
            weight=outcome.weight,
        )

    def _behaviour(self, at: datetime) -> datetime:
        return self._clock.behaviour_time(at)


def _further_purchases(store: Store, outcomes: Sequence[OutcomeRecord]) -> set[str]:
    """Ids of the purchases among some outcomes that are not the first at their quotes."""
    bought = [one for one in outcomes if one.quote_id is not None and one.type is OutcomeType.PURCHASED]
    stored = store.outcomes_by_quote({one.quote_id for one in bought if one.quote_id is not None}) if bought else {}
    first = {
        next(one.outcome_id for one in of_quote if one.type is OutcomeType.PURCHASED) for of_quote in stored.values()
    }
    return {one.outcome_id for one in bought} - first


def _arrays(found: SimilarOutcomes) -> Neighbours:
    return Neighbours(found.bought, found.weight, found.similarity, found.price_ratio, found.count)


def _micros(at_s: Sequence[float]) -> list[int]:
    return [int(moment * 1e6) for moment in at_s]
