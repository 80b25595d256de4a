"""Rate limits of API keys: one token bucket a key, in the memory of one process.

The limit applies to each process by itself: a shared one would cost every request a write to the store, more than a
quote's own reads. `pricesmith serve` runs one process; with several, divide the limit by their number.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from time import monotonic
from typing import Final

BURST_S: Final = 10.0  # unused requests of this time may be made at once
_KEYS: Final = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class RateLimiter:
    """Token buckets by key. Safe for several threads."""

    def __init__(self, default_per_minute: int | None, clock: Callable[[], float] = monotonic) -> None:
        """`default_per_minute` applies to keys without a limit of their own; None leaves these unlimited."""
        self._default = default_per_minute
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._lock = Lock()

    def wait_s(self, key_id: str, per_minute: int | None) -> float:
        """Take one request from the key's bucket; returns 0, or the seconds to wait when it is empty."""
        limit = self._default if per_minute is None else per_minute
        if limit is None:
            return 0.0
        rate = limit / 60
        capacity = max(1.0, rate * BURST_S)
        now = self._clock()
        with self._lock:
            bucket = self._buckets.setdefault(key_id, _Bucket(capacity, now))
            self._buckets.move_to_end(key_id)
            while len(self._buckets) > _KEYS:
                self._buckets.popitem(last=False)
            bucket.tokens = min(capacity, bucket.tokens + (now - bucket.at) * rate)
            bucket.at = now
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return 0.0
            return (1 - bucket.tokens) / rate
