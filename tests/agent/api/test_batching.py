import asyncio
from collections.abc import Sequence
from threading import Event, current_thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.api.batching import BatcherClosedError, MicroBatcher, QueueFullError


class Gated:
    """Work that doubles numbers, fails on negative ones, and waits for its gate."""

    def __init__(self, *, open_gate: bool = True) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self.gate = Event()
        if open_gate:
            self.gate.set()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.batches.append(list(numbers))
        self.threads.add(current_thread().name)
        if not self.gate.wait(timeout=5):
            raise TimeoutError("the gate stayed shut")
        if any(number < 0 for number in numbers):
            raise ValueError(f"negative among {list(numbers)}")
        return [2 * number for number in numbers]


async def until(*, work: Gated, batches: int) -> None:
    """Wait until the worker has begun its n-th batch."""
    while len(work.batches) < batches:
        await asyncio.sleep(0.001)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 1_000), min_size=1, max_size=60), st.integers(1, 16))
def test_every_request_gets_its_own_answer_in_batches_of_bounded_size(numbers: list[int], most: int) -> None:
    work = Gated()

    async def scenario() -> list[int]:
        batcher = MicroBatcher(work, limit=100, max_batch=most)
        answers = await asyncio.gather(*(batcher.ask(number) for number in numbers))
        await batcher.close()
        return answers

    assert asyncio.run(scenario()) == [2 * number for number in numbers]
    assert [number for batch in work.batches for number in batch] == numbers
    assert max(map(len, work.batches)) <= most
    assert len(work.threads) == 1


def test_a_lone_request_starts_at_once_and_later_ones_share_the_next_batch() -> None:
    work = Gated(open_gate=False)

    async def scenario() -> list[int]:
        batcher = MicroBatcher(work, limit=10)
        first = asyncio.create_task(batcher.ask(1))
        await until(work=work, batches=1)
        others = [asyncio.create_task(batcher.ask(number)) for number in (2, 3, 4)]
        await asyncio.sleep(0)
        work.gate.set()
        return await asyncio.gather(first, *others)

    assert asyncio.run(scenario()) == [2, 4, 6, 8]
    assert work.batches == [[1], [2, 3, 4]]


def test_a_failing_batch_fails_its_own_requests_alone() -> None:
    work = Gated(open_gate=False)

    async def scenario() -> list[int | BaseException]:
        batcher = MicroBatcher(work, limit=10, max_batch=2)
        tasks = [asyncio.create_task(batcher.ask(number)) for number in (1, -1, 3)]
        work.gate.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, second, third = asyncio.run(scenario())
    assert isinstance(first, ValueError)
    assert isinstance(second, ValueError)
    assert third == 6


def test_a_wrong_number_of_answers_fails_the_batch_instead_of_leaving_it_waiting() -> None:
    async def scenario() -> None:
        batcher: MicroBatcher[int, int] = MicroBatcher(lambda _numbers: [1, 2, 3], limit=10)
        async with asyncio.timeout(5):
            with pytest.raises(RuntimeError, match="3 answers to 1 requests"):
                await batcher.ask(1)

    asyncio.run(scenario())


def test_a_full_queue_refuses_until_a_place_is_free() -> None:
    work = Gated(open_gate=False)

    async def scenario() -> None:
        batcher = MicroBatcher(work, limit=2)
        running = asyncio.create_task(batcher.ask(1))
        await until(work=work, batches=1)
        waiting = [asyncio.create_task(batcher.ask(number)) for number in (2, 3)]
        await asyncio.sleep(0)
        with pytest.raises(QueueFullError, match="2 requests are waiting"):
            await batcher.ask(4)
        waiting[0].cancel()
        await asyncio.gather(waiting[0], return_exceptions=True)
        late = asyncio.create_task(batcher.ask(5))
        await asyncio.sleep(0)
        work.gate.set()
        assert list(await asyncio.gather(running, waiting[1], late)) == [2, 6, 10]

    asyncio.run(scenario())
    assert work.batches == [[1], [3, 5]]


def test_a_request_cancelled_while_its_batch_runs_affects_no_other() -> None:
    work = Gated(open_gate=False)

    async def scenario() -> list[int]:
        batcher = MicroBatcher(work, limit=10)
        leaving, staying = (asyncio.create_task(batcher.ask(number)) for number in (1, 2))
        await until(work=work, batches=1)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        work.gate.set()
        return [await staying, await batcher.ask(3)]

    assert asyncio.run(scenario()) == [4, 6]
    assert work.batches == [[1, 2], [3]]


def test_closing_answers_waiting_requests_and_refuses_new_ones() -> None:
    work = Gated(open_gate=False)

    async def scenario() -> list[int]:
        batcher = MicroBatcher(work, limit=10, max_batch=1)
        tasks = [asyncio.create_task(batcher.ask(number)) for number in (1, 2, 3)]
        await until(work=work, batches=1)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        with pytest.raises(BatcherClosedError):
            await batcher.ask(4)
        work.gate.set()
        await closing
        assert all(task.done() for task in tasks)
        return await asyncio.gather(*tasks)

    assert asyncio.run(scenario()) == [2, 4, 6]


def test_the_event_loop_goes_on_while_a_batch_runs() -> None:
    work = Gated(open_gate=False)

    async def scenario() -> int:
        batcher = MicroBatcher(work, limit=10)
        asked = asyncio.create_task(batcher.ask(21))
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert not asked.done()
        work.gate.set()
        return await asked

    assert asyncio.run(scenario()) == 42
