"""What handlers share: the opened service, its lane, a few threads for other blocking calls, and metrics."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import anyio
from anyio import CapacityLimiter
from litestar import Request

from agent.api.metrics import Metrics
from agent.api.schemas import QuoteRequest
from agent.decision import Decision
from agent.keys import ApiKey, KeyRing
from agent.lane import Lane
from agent.rate_limits import RateLimiter
from agent.refusal import Refusal
from agent.service import PricingService
from agent.settings import Settings
from agent.store import Store

T = TypeVar("T")

CONTEXT = "context"


@dataclass(frozen=True, slots=True)
class Opened:
    """What the app opens when it starts and closes when it stops; `open_merchant` opens the others' by id."""

    service: PricingService
    store: Store
    keys: KeyRing
    open_merchant: "Callable[[str], Opened] | None" = None


@dataclass(frozen=True, slots=True)
class AppContext:
    """One app's parts; `key` is the caller's, once it was checked."""

    settings: Settings
    opened: Opened
    lane: Lane[QuoteRequest, Decision | Refusal]
    limiter: CapacityLimiter
    metrics: Metrics
    limits: RateLimiter
    key: ApiKey | None = None

    @property
    def caller(self) -> str:
        """The id of the caller's key."""
        return self.key.key_id if self.key is not None else ""

    async def run(self, call: Callable[..., T], *arguments: object, **named: object) -> T:
        """A blocking call in a worker thread."""
        return await anyio.to_thread.run_sync(partial(call, *arguments, **named), limiter=self.limiter)


def context_of(request: Request[Any, Any, Any]) -> AppContext:
    """The app's own parts, the default merchant's; what a key may see is `exchange.authorise`'s to say."""
    context: AppContext = request.app.state[CONTEXT]
    return context
