"""What handlers share: the opened service, its batcher, a few threads for other blocking calls, and metrics."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from uuid import UUID

import anyio
from anyio import CapacityLimiter
from litestar import Request

from agent.api.batching import MicroBatcher
from agent.api.metrics import Metrics
from agent.domain.decision import Decision
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.service.auth.api_keys import ApiKey, KeyRing
from agent.service.auth.rate_limits import RateLimiter
from agent.service.service import Service
from agent.service.settings import Settings
from agent.store import Store

T = TypeVar("T")

CONTEXT = "context"

_DRAWN: Final = (0xFFF << 64) | ((1 << 62) - 1)  # the bits of a UUID 7 that are drawn (RFC 9562)


@dataclass(frozen=True, slots=True)
class Opened:
    """What the app opens when it starts and closes when it stops; `open_merchant` opens the others' by id."""

    service: Service
    store: Store
    keys: KeyRing
    open_merchant: "Callable[[str], Opened] | None" = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A request under an idempotency key: its quotes have the same ids whenever it is tried again.

    Attributes:
        again: It was begun before, so that its quotes may be recorded already.
    """

    quote_id: str
    again: bool

    def id_of(self, place: int) -> str:
        """The id of the quote at a place among the request's quotes: its moment is the first one's."""
        if not place:
            return self.quote_id
        first = UUID(self.quote_id)
        drawn = int.from_bytes(hashlib.sha256(first.bytes + place.to_bytes(4)).digest()[:10])
        kept = first.int & ~_DRAWN  # the moment, the version and the variant of a UUID 7
        return str(UUID(int=kept | (drawn & _DRAWN)))


@dataclass(frozen=True, slots=True)
class AppContext:
    """One app's parts; `key` is the caller's, once it was checked, whose request arrived at `arrived_s`."""

    settings: Settings
    opened: Opened
    batcher: MicroBatcher[QuoteRequest, Decision | Refusal]
    limiter: CapacityLimiter
    metrics: Metrics
    limits: RateLimiter
    key: ApiKey | None = None
    attempt: Attempt | None = None
    arrived_s: float | None = None

    @property
    def caller(self) -> str:
        """The id of the caller's key."""
        return self.key.key_id if self.key is not None else ""

    def id_of(self, place: int) -> str | None:
        """The id that the quote at a place of this request shall have, None where that is the service's to choose."""
        return self.attempt.id_of(place) if self.attempt is not None else None

    def marked(self, quote: QuoteRequest, place: int) -> QuoteRequest:
        """A quote of this request as the service takes it: with its id, and with the moment when it arrived."""
        return quote.marked(self.id_of(place), self.arrived_s)

    async def made_before(self, places: int) -> dict[int, Decision]:
        """Decisions that an earlier try of this request recorded before it was cut off, by place."""
        if self.attempt is None or not self.attempt.again:
            return {}
        ids = [self.attempt.id_of(place) for place in range(places)]
        found = await self.run(lambda: [self.opened.service.decision(quote_id) for quote_id in ids])
        return {place: one for place, one in enumerate(found) if one is not None}

    async def run(self, call: Callable[..., T], *arguments: object, **named: object) -> T:
        """A blocking call in a worker thread."""
        return await anyio.to_thread.run_sync(partial(call, *arguments, **named), limiter=self.limiter)


def context_of(request: Request[Any, Any, Any]) -> AppContext:
    """The app's own parts, the default merchant's; what a key may see is `exchange.authorise`'s to say."""
    context: AppContext = request.app.state[CONTEXT]
    return context
