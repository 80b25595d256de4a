"""Shared state of the handlers: service, store, keys, quote batcher, worker threads, metrics, limits."""

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
from agent.domain.decision import Decision
from agent.domain.request import QuoteRequest
from agent.pricing.standing_quotes import Priced
from agent.service.auth.api_keys import ApiKey, KeyRing
from agent.service.auth.rate_limits import RateLimiter
from agent.service.jobs import JobRunner
from agent.service.metrics import Metrics
from agent.service.service import Service
from agent.service.settings import Settings
from agent.service.worker_metrics import WorkerMetrics
from agent.store import Store

T = TypeVar("T")
AnyRequest = Request[Any, Any, Any]

CONTEXT = "context"
REQUEST_ID: Final = "x-request-id"

_RANDOM_BITS: Final = (0xFFF << 64) | ((1 << 62) - 1)  # of a UUID 7 (RFC 9562)


@dataclass(frozen=True, slots=True)
class Resources:
    """Resources of one merchant, opened when first needed and closed with the app.

    Attributes:
        open_merchant: Opens the resources of another merchant by id; the default merchant's alone have it.
    """

    service: Service
    store: Store
    keys: KeyRing
    open_merchant: "Callable[[str], Resources] | None" = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a request with an idempotency key; its quotes get the same ids in every attempt.

    Attributes:
        quote_id: Id of the request's first quote.
        repeated: An earlier attempt got no answer, so that its quotes may be recorded already.
    """

    quote_id: str
    repeated: bool

    def id_of(self, position: int) -> str:
        """Id of the quote at a position among the request's quotes: a UUID 7 with the first one's timestamp."""
        if not position:
            return self.quote_id
        first = UUID(self.quote_id)
        random = int.from_bytes(hashlib.sha256(first.bytes + position.to_bytes(4)).digest()[:10])
        kept = first.int & ~_RANDOM_BITS  # timestamp, version and variant
        return str(UUID(int=kept | (random & _RANDOM_BITS)))


@dataclass(frozen=True, slots=True)
class AppContext:
    """Context of a handler: settings, service, metrics, and the caller.

    Attributes:
        batcher: Prices single quotes together, off the event loop.
        limiter: Worker threads for all other blocking calls.
        key: The caller's key, once checked.
        attempt: Set when the request brings an idempotency key.
        arrived_s: Arrival of the request, by `time.perf_counter`.
        request_id: Id of the request, as its answer and the log have it.
        jobs: Runs imports and trainings, of all merchants.
        workers: Metrics of all processes; None where this one serves alone.
    """

    settings: Settings
    resources: Resources
    batcher: MicroBatcher[QuoteRequest, Priced]
    limiter: CapacityLimiter
    metrics: Metrics
    rate_limits: RateLimiter
    key: ApiKey | None = None
    attempt: Attempt | None = None
    arrived_s: float | None = None
    request_id: str = ""
    jobs: JobRunner | None = None
    workers: WorkerMetrics | None = None

    @property
    def service(self) -> Service:
        """The merchant's service."""
        return self.resources.service

    @property
    def store(self) -> Store:
        """The merchant's store."""
        return self.resources.store

    @property
    def caller(self) -> str:
        """Id of the caller's key."""
        return self.key.key_id if self.key is not None else ""

    def id_of(self, position: int) -> str | None:
        """Id for the quote at a position of this request; None lets the service choose one."""
        return self.attempt.id_of(position) if self.attempt is not None else None

    def tagged(self, quote: QuoteRequest, position: int) -> QuoteRequest:
        """The quote request with its id, and with its time of arrival, from which its deadline counts."""
        return quote.tagged(self.id_of(position), self.arrived_s)

    async def recorded_earlier(self, quotes: int) -> dict[int, Decision]:
        """Decisions that an earlier attempt of this request recorded before it was cut off, by position."""
        if self.attempt is None or not self.attempt.repeated:
            return {}
        ids = [self.attempt.id_of(position) for position in range(quotes)]
        found = await self.run(lambda: [self.service.decision(quote_id) for quote_id in ids])
        return {position: one for position, one in enumerate(found) if one is not None}

    async def exposition(self) -> bytes:
        """Metrics in the text format of Prometheus, those of other processes too."""
        self.metrics.learned(self.service.learned())
        own = self.metrics.exposition()
        return own if self.workers is None else await self.run(self.workers.merged, own)

    async def publish_metrics(self) -> None:
        """Have other processes tell the metrics of this one."""
        if self.workers is not None:
            self.metrics.learned(self.service.learned())
            await self.run(self.workers.publish, self.metrics.exposition())

    async def run(self, call: Callable[..., T], *arguments: object, **named: object) -> T:
        """Make a blocking call in a worker thread."""
        return await anyio.to_thread.run_sync(partial(call, *arguments, **named), limiter=self.limiter)


def context_of(request: AnyRequest) -> AppContext:
    """The app's own context, which is the default merchant's; `authorise` returns that of a key's merchant."""
    context: AppContext = request.app.state[CONTEXT]
    return context


def request_id_of(request: AnyRequest) -> str:
    """Id of a request: its X-Request-Id, set by the instrumentation where the sender gave none."""
    return request.headers.get(REQUEST_ID, "")
