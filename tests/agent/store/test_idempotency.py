import signal
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest

from agent.domain.clock import FixedClock
from agent.store import IdempotencyResult, IdempotencyState, Store, StoredResponse
from agent.store.idempotency import DEFAULT_TAKEOVER_S

_STARTED = IdempotencyResult(IdempotencyState.STARTED)
_IN_FLIGHT = IdempotencyResult(IdempotencyState.IN_FLIGHT)
_MISMATCH = IdempotencyResult(IdempotencyState.MISMATCH)
_THREADS = 8


def test_an_answer_is_replayed_byte_for_byte(store: Store) -> None:
    body = bytes(range(256))
    assert store.idempotency_begin("k", "i", "sha") == _STARTED
    assert store.idempotency_begin("k", "i", "sha") == _IN_FLIGHT
    store.idempotency_finish("k", "i", StoredResponse(201, body, "text/plain"))

    expected = IdempotencyResult(IdempotencyState.REPLAY, StoredResponse(201, body, "text/plain"))
    assert store.idempotency_begin("k", "i", "sha") == expected


@pytest.mark.parametrize("finished", [False, True])
def test_another_payload_is_a_mismatch(store: Store, finished: bool) -> None:
    store.idempotency_begin("k", "i", "sha")
    if finished:
        store.idempotency_finish("k", "i", StoredResponse(200, b"{}", "application/json"))

    assert store.idempotency_begin("k", "i", "other") == _MISMATCH


@pytest.mark.parametrize(("key_id", "idem_key"), [("k2", "i"), ("k", "i2")], ids=["API key", "idempotency key"])
def test_keys_of_different_senders_are_independent(store: Store, key_id: str, idem_key: str) -> None:
    store.idempotency_begin("k", "i", "sha")

    assert store.idempotency_begin(key_id, idem_key, "other") == _STARTED


def test_an_abandoned_key_can_be_tried_again_at_once(store: Store) -> None:
    store.idempotency_begin("k", "i", "sha")
    store.idempotency_abandon("k", "i")

    assert store.idempotency_begin("k", "i", "other") == _STARTED
    assert store.idempotency_begin("k", "i", "sha") == _MISMATCH


@pytest.mark.parametrize("how", ["abandoned", "crashed"])
def test_a_request_tried_again_has_the_same_quote_id_and_another_request_a_new_one(
    store: Store, clock: FixedClock, how: str
) -> None:
    first = store.idempotency_begin("k", "i", "sha")
    if how == "abandoned":
        store.idempotency_abandon("k", "i")
    else:
        clock.at += timedelta(seconds=60)
    again = store.idempotency_begin("k", "i", "sha")
    assert (first.again, again.again) == (False, True)
    assert first.quote_id == again.quote_id is not None

    store.idempotency_abandon("k", "i")
    other = store.idempotency_begin("k", "i", "other")
    assert not other.again
    assert other.quote_id != first.quote_id


def test_an_abandoned_key_is_kept_as_long_as_an_answer(store: Store, clock: FixedClock) -> None:
    """Otherwise a quote recorded but not answered would be made again under a new id after the next start."""
    first = store.idempotency_begin("k", "i", "sha")
    store.idempotency_abandon("k", "i")
    assert store.purge_idempotency(clock.at) == 0
    assert store.idempotency_begin("k", "i", "sha").quote_id == first.quote_id

    store.idempotency_abandon("k", "i")
    clock.at += timedelta(hours=1)
    assert store.purge_idempotency(clock.at) == 1


def test_a_finished_answer_cannot_be_abandoned_or_replaced(store: Store) -> None:
    store.idempotency_begin("k", "i", "sha")
    store.idempotency_finish("k", "i", StoredResponse(200, b"first", "application/json"))
    store.idempotency_abandon("k", "i")
    store.idempotency_finish("k", "i", StoredResponse(200, b"second", "application/json"))

    replay = store.idempotency_begin("k", "i", "sha").response
    assert replay is not None
    assert replay.body == b"first"


def test_a_claim_that_crashed_is_taken_over_once(store: Store, clock: FixedClock) -> None:
    store.idempotency_begin("k", "i", "sha")
    clock.at += timedelta(seconds=59)
    assert store.idempotency_begin("k", "i", "sha") == _IN_FLIGHT
    clock.at += timedelta(seconds=1)

    assert store.idempotency_begin("k", "i", "sha") == _STARTED
    assert store.idempotency_begin("k", "i", "sha") == _IN_FLIGHT


@pytest.mark.parametrize("crashed", [False, True], ids=["new key", "crashed claim"])
def test_exactly_one_of_concurrent_requests_starts(
    store: Store, store_url: str, clock: FixedClock, crashed: bool
) -> None:
    keys = [f"i{number}" for number in range(10)]
    if crashed:
        for key in keys:
            store.idempotency_begin("k", key, "sha")
        clock.at += timedelta(minutes=5)
    barrier = Barrier(_THREADS)

    # A second store on the same database shares nothing with the first, as if in another process.
    with Store.open(store_url, clock) as other, ThreadPoolExecutor(_THREADS) as pool:

        def request(number: int) -> list[IdempotencyState]:
            states = []
            for key in keys:
                barrier.wait()
                states.append((store, other)[number % 2].idempotency_begin("k", key, "sha").state)
            return states

        answers = list(pool.map(request, range(_THREADS)))

    for states in zip(*answers, strict=True):
        assert Counter(states) == {IdempotencyState.STARTED: 1, IdempotencyState.IN_FLIGHT: _THREADS - 1}


def test_purging_forgets_only_what_is_older(store: Store, clock: FixedClock) -> None:
    store.idempotency_begin("k", "old", "sha")
    clock.at += timedelta(hours=1)
    store.idempotency_begin("k", "new", "sha")

    assert store.purge_idempotency(clock.at) == 1
    assert store.idempotency_begin("k", "old", "other") == _STARTED
    assert store.idempotency_begin("k", "new", "other") == _MISMATCH


_CLAIM = (
    "import os, signal, sys\n"
    "from agent.store import Store\n"
    "store = Store.open(sys.argv[1])\n"
    "print(store.idempotency_begin('k', 'i', 'sha').state, flush=True)\n"
)


def _run(code: str, url: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", code, url], stdout=subprocess.PIPE, text=True)  # noqa: S603 own code


def test_a_claim_whose_process_was_killed_is_taken_over_in_the_end(store_url: str) -> None:
    killed = _run(_CLAIM + "os.kill(os.getpid(), signal.SIGKILL)\n", store_url)
    assert killed.communicate(timeout=60)[0] == "started\n"
    assert killed.returncode == -signal.SIGKILL

    clock = FixedClock(datetime.now(UTC))
    with Store.open(store_url, clock) as store:
        assert store.idempotency_begin("k", "i", "sha") == _IN_FLIGHT
        clock.at += timedelta(seconds=DEFAULT_TAKEOVER_S + 1)
        assert store.idempotency_begin("k", "i", "sha") == _STARTED
        assert store.idempotency_begin("k", "i", "sha") == _IN_FLIGHT


def test_of_processes_that_claim_at_once_one_does_the_work(store_url: str) -> None:
    with Store.open(store_url):
        pass
    states = [process.communicate(timeout=60)[0].strip() for process in [_run(_CLAIM, store_url) for _ in range(3)]]

    assert sorted(states) == ["in_flight", "in_flight", "started"]
