"""A map that keeps the entries used last."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class RecentMap(Generic[K, V]):
    """A map of at most `most` entries: beyond, those unused for longest go. Safe for several threads."""

    def __init__(self, most: int) -> None:
        """Start empty."""
        self._most = most
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._clearings = 0
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        """The value of a key, used now; None where there is none."""
        with self._lock:
            found = self._entries.get(key)
            if found is not None:
                self._entries.move_to_end(key)
            return found

    @property
    def clearings(self) -> int:
        """Number of times that everything was forgotten."""
        return self._clearings

    def put(self, key: K, value: V, clearings: int | None = None) -> None:
        """Set the value of a key; not if it was read before everything was forgotten again, after `clearings` times."""
        with self._lock:
            if clearings is not None and clearings != self._clearings:
                return
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self._most:
                self._entries.popitem(last=False)

    def drop(self, key: K) -> None:
        """Forget a key, if it is there."""
        with self._lock:
            self._entries.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
            self._clearings += 1
