"""Known strategies: what the language model wrote for situations met before, in memory and in the store."""

import json
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Final

from agent.domain.clock import Clock
from agent.store import Store, StoreError
from agent.store.recent_map import RecentMap
from agent.store.strategies import MOST_STRATEGIES
from models.strategist.proposals import Written, from_rows, to_rows

_PAGE: Final = 2_000


class KnownStrategies:
    """Strategies by situation of one strategist and prompt; the situations used last are kept. Thread-safe."""

    def __init__(self, made_with: str, store: Store, clock: Clock, capacity: int = MOST_STRATEGIES) -> None:
        """Start empty; `follow` reads what the store has. `made_with` names strategist and prompt."""
        self.made_with = made_with
        self._store = store
        self._clock = clock
        self._capacity = capacity
        self._known: RecentMap[str, tuple[Written, ...]] = RecentMap(capacity)
        self._read_to = 0
        self._storing = Lock()
        self._closed = False

    def find(self, situations: Sequence[str]) -> list[tuple[Written, ...] | None]:
        """Strategies of each situation; None where it is not known."""
        return [self._known.get(situation) for situation in situations]

    def add(self, written: Mapping[str, Sequence[Written]]) -> None:
        """Keep strategies by situation. A store that fails loses nothing but the work after a restart."""
        self._remember({situation: tuple(items) for situation, items in written.items()})
        rows = {situation: json.dumps(to_rows(items)) for situation, items in written.items()}
        with self._storing:
            if self._closed:
                return
            try:
                self._store.keep_strategies(self.made_with, rows, self._clock.now(), self._capacity)
            except StoreError:
                return

    def follow(self) -> None:
        """Take in what was stored since the last call, whichever process wrote it.

        Raises:
            StoreError: The store failed.
        """
        while True:
            rows = self._store.strategies_after(self.made_with, self._read_to, _PAGE)
            found = {}
            for row in rows:
                try:
                    found[row.situation] = from_rows(json.loads(row.written))
                except ValueError:  # of another release: the model writes it again
                    continue
            self._remember(found)
            self._read_to = rows[-1].seq if rows else self._read_to
            if len(rows) < _PAGE:
                return

    def close(self) -> None:
        """Leave the store alone from here on."""
        with self._storing:
            self._closed = True

    def _remember(self, found: Mapping[str, tuple[Written, ...]]) -> None:
        for situation, written in found.items():
            self._known.put(situation, written)
