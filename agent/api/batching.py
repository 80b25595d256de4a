"""Dynamic batching of quotes: all that wait when the models become free are priced in one batch.

There is no batching window: a lone quote starts at once, and those that arrive while it runs form the next batch.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from agent.pricing.tracing import joined

Request = TypeVar("Request")
Answer = TypeVar("Answer")

MAX_BATCH: Final = 16


class QueueFullError(RuntimeError):
    """The queue is full; the sender should retry after a moment."""


class BatcherClosedError(RuntimeError):
    """The service is stopping and takes no new requests."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting(Generic[Request, Answer]):
    """A queued request, the future of its answer, and the trace context that it belongs to."""

    request: Request
    future: asyncio.Future[Answer]
    context: Context


class MicroBatcher(Generic[Request, Answer]):
    """Calls a synchronous batch function for requests of many coroutines, one batch at a time, off the event loop."""

    def __init__(
        self, work: Callable[[Sequence[Request]], Sequence[Answer]], *, limit: int, max_batch: int = MAX_BATCH
    ) -> None:
        """`work` returns one answer a request, in order; at most `limit` requests may wait."""
        self._work = work
        self._limit = limit
        self._max_batch = max_batch
        self._queue: list[_Waiting[Request, Answer]] = []
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="quotes")
        self._running = False
        self._idle: asyncio.Future[None] | None = None
        self._closed = False

    async def ask(self, request: Request) -> Answer:
        """Wait for one answer; an exception of the batch is raised for every request in it.

        Raises:
            QueueFullError: `limit` requests already wait.
            BatcherClosedError: The batcher is closed.
        """
        if self._closed:
            raise BatcherClosedError("the service is stopping; try again in a moment")
        if len(self._queue) >= self._limit:
            raise QueueFullError(f"{self._limit} requests are waiting, the most allowed; try again in a moment")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        waiting = _Waiting(request, future, copy_context())
        self._queue.append(waiting)
        if not self._running:
            self._running = True
            loop.call_soon(self._start, loop)  # what else arrives in this turn of the loop joins the batch
        try:
            return await future
        finally:
            if future.cancelled() and waiting in self._queue:  # cancelled while waiting: frees its place
                self._queue.remove(waiting)

    async def close(self) -> None:
        """Refuse new requests, answer those waiting, stop the worker."""
        self._closed = True
        if self._running:
            self._idle = self._idle or asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)
        self._worker.shutdown(wait=True)

    def _start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the worker the next batch, if requests wait. Futures and tasks of asyncio would cost more than that."""
        batch = self._queue[: self._max_batch]
        del self._queue[: self._max_batch]
        if batch:
            self._worker.submit(self._run, batch, loop)
            return
        self._running = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)

    def _run(self, batch: Sequence[_Waiting[Request, Answer]], loop: asyncio.AbstractEventLoop) -> None:
        """Work on a batch, in the worker."""
        found: Sequence[Answer] | Exception
        try:
            context = joined([waiting.context for waiting in batch])
            found = context.run(self._work, [waiting.request for waiting in batch])
            if len(found) != len(batch):
                raise RuntimeError(f"{len(found)} answers to {len(batch)} requests")
        except Exception as error:  # a failed batch fails each of its requests
            found = error
        loop.call_soon_threadsafe(self._done, batch, found, loop)

    def _done(
        self,
        batch: Sequence[_Waiting[Request, Answer]],
        found: Sequence[Answer] | Exception,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        """Start the next batch, then answer this one."""
        self._start(loop)
        for position, waiting in enumerate(batch):
            if waiting.future.done():
                continue
            if isinstance(found, Exception):
                waiting.future.set_exception(found)
            else:
                waiting.future.set_result(found[position])
