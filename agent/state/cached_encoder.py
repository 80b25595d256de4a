"""An encoder with an LRU cache by the text's digest."""

from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np

from agent.state.shopper_memory import digest_of
from agent.store.recent_map import RecentMap
from models.encoder.encoder import Encoder, Vectors


class CachedEncoder:
    """Encoder with a bounded cache. Safe for several threads, of which one encodes at a time."""

    def __init__(self, encoder: Encoder, capacity: int = 20_000) -> None:
        """Cache at most `capacity` texts (1.7 kB each)."""
        self._encoder = encoder
        self._known: RecentMap[bytes, Vectors] = RecentMap(capacity)
        self._encoding = Lock()

    @property
    def version(self) -> str:
        """Version of the wrapped encoder."""
        return self._encoder.version

    @property
    def dim(self) -> int:
        """Dimensions of a state."""
        return self._encoder.dim

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Unit vectors `(n, dim)` of texts; repeated and cached texts are not encoded again."""
        return self._look_up(texts, self._encoder.encode, remember=True)

    def encode_each(self, texts: Sequence[str], *, remember: bool = True) -> Vectors:
        """Unit vectors `(n, dim)` of texts, equal to those of each text by itself; batches differ in the last bits."""
        return self._look_up(texts, self._encoder.encode_each, remember=remember)

    def _look_up(self, texts: Sequence[str], encode: Callable[[Sequence[str]], Vectors], *, remember: bool) -> Vectors:
        vectors = np.empty((len(texts), self.dim), np.float32)
        rows_of: dict[str, list[int]] = {}
        for row, text in enumerate(texts):
            rows_of.setdefault(text, []).append(row)
        digests = {text: digest_of(text) for text in rows_of}
        missing = []
        for text, rows in rows_of.items():
            known = self._known.get(digests[text])
            if known is None:
                missing.append(text)
            else:
                vectors[rows] = known
        if missing:
            with self._encoding:
                fresh = encode(missing)
            for text, vector in zip(missing, fresh, strict=True):
                vectors[rows_of[text]] = vector
                if remember:
                    self.put(digests[text], vector.copy())
        return vectors

    def put(self, digest: bytes, state: Vectors) -> None:
        """Cache the state of a text by its digest, as this version of the encoder computed it; not to be changed."""
        self._known.put(digest, state)

    def forget(self) -> None:
        """Empty the cache."""
        self._known.clear()
