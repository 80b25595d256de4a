"""An encoder that remembers: texts seen lately cost nothing. Keyed by text, so a changed text is a new state."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import numpy as np

from models.encoder.encoder import DIM, Encoder, Vectors


class CachedEncoder:
    """Wraps an encoder with a bounded cache; safe for several threads, one of which encodes at a time."""

    def __init__(self, encoder: Encoder, capacity: int = 20_000) -> None:
        """Remember up to `capacity` texts (1.5 kB each)."""
        self._encoder = encoder
        self._capacity = capacity
        self._known: OrderedDict[str, Vectors] = OrderedDict()
        self._lock = Lock()
        self._encoding = Lock()

    @property
    def version(self) -> str:
        """The wrapped encoder's version."""
        return self._encoder.version

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors `(n, 384)` in the order given; texts that repeat or are known are not encoded again."""
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
        """Drop everything remembered."""
        with self._lock:
            self._known.clear()

    def _remember(self, texts: Sequence[str], vectors: Vectors) -> None:
        with self._lock:
            for text, vector in zip(texts, vectors, strict=True):
                self._known[text] = vector.copy()
            while len(self._known) > self._capacity:
                self._known.popitem(last=False)
