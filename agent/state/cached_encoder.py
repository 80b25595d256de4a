"""An encoder with an LRU cache by text."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np

from models.encoder.encoder import DIM, Encoder, Vectors


class CachedEncoder:
    """Encoder with a bounded cache. Safe for several threads, of which one encodes at a time."""

    def __init__(self, encoder: Encoder, capacity: int = 20_000) -> None:
        """Cache at most `capacity` texts (1.5 kB each)."""
        self._encoder = encoder
        self._capacity = capacity
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()
        self._encoding = Lock()

    @property
    def version(self) -> str:
        """Version of the wrapped encoder."""
        return self._encoder.version

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors `(n, 384)` of texts; repeated and cached texts are not encoded again."""
        vectors = np.empty((len(texts), DIM), np.float32)
        missing: dict[str, list[int]] = {}
        with self._lock:
            for row, text in enumerate(texts):
                known = self._known.get(text)
                if known is None:
                    missing.setdefault(text, []).append(row)
                else:
                    self._known.move_to_end(text)
                    vectors[row] = known
        if missing:
            with self._encoding:
                fresh = self._encoder.encode(list(missing))
            for vector, rows in zip(fresh, missing.values(), strict=True):
                vectors[rows] = vector
            self._remember(list(missing), fresh)
        return vectors

    def forget(self) -> None:
        """Empty the cache."""
        with self._lock:
            self._known.clear()

    def _remember(self, texts: Sequence[str], vectors: Vectors) -> None:
        with self._lock:
            for text, vector in zip(texts, vectors, strict=True):
                self._known[text] = vector.copy()
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
