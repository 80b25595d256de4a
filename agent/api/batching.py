"""One batcher for quotes: whatever waits when the models are free goes through them together.

Nothing waits for company: a lone quote starts at once, and the quotes that arrive while it runs form the next batch.
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
    """Too many requests wait; the sender should come back in a moment."""


class BatcherClosedError(RuntimeError):
    """The service is stopping and takes no new requests."""


@dataclass(frozen=True, slots=True, eq=False)
class _Place(Generic[Request, Answer]):
    """One who waits: what was asked, where the answer goes, and the trace that it belongs to."""

    request: Request
    future: asyncio.Future[Answer]
    context: Context


class MicroBatcher(Generic[Request, Answer]):
    """Feeds a synchronous batch function from many coroutines, one batch at a time, off the event loop."""

    def __init__(
        self, work: Callable[[Sequence[Request]], Sequence[Answer]], *, limit: int, max_batch: int = MAX_BATCH
    ) -> None:
        """`work` answers a batch in order; up to `limit` requests may wait."""
        self._work = work
        self._limit = limit
        self._max_batch = max_batch
        self._waiting: list[_Place[Request, Answer]] = []
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="quotes")
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    async def ask(self, request: Request) -> Answer:
        """One answer; an exception of the batch reaches every request in it.

        Raises:
            QueueFullError: `limit` requests already wait.
            BatcherClosedError: The batcher is closed.
        """
        if self._closed:
            raise BatcherClosedError("the service is stopping")
        if len(self._waiting) >= self._limit:
            raise QueueFullError(f"{self._limit} requests already wait")
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        place = _Place(request, future, copy_context())
        self._waiting.append(place)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._drain())
        try:
            return await future
        finally:
            if future.cancelled() and place in self._waiting:  # gone before its turn: others may wait in its place
                self._waiting.remove(place)

    async def close(self) -> None:
        """Refuse new requests, answer those that wait, stop the worker."""
        self._closed = True
        if self._running is not None:
            await asyncio.shield(self._running)
        self._worker.shutdown(wait=True)

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._waiting[: self._max_batch]
            del self._waiting[: self._max_batch]
            try:
                context = joined([place.context for place in batch])
                asked = [place.request for place in batch]
                answers = await loop.run_in_executor(self._worker, context.run, self._work, asked)
                if len(answers) != len(batch):
                    raise RuntimeError(f"{len(answers)} answers to {len(batch)} requests")
            except Exception as error:  # the batch's failure is each waiter's to tell
                for place in batch:
                    if not place.future.done():
                        place.future.set_exception(error)
                continue
            for place, answer in zip(batch, answers, strict=True):
                if not place.future.done():
                    place.future.set_result(answer)
