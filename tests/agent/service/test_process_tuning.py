"""Waiting times of a thread for other threads and for the garbage collector, and the heaps of threads."""

import ctypes
import gc
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.service.process_tuning import tune_for_requests

ROUNDS = 60
PAIRS = 10  # where other processes hold the cores, a thread at times waits for those and not for this lock


DEFAULT_TURN_S = 0.005


@pytest.fixture(autouse=True)
def default_settings() -> Iterator[None]:
    turn_s, thresholds = sys.getswitchinterval(), gc.get_threshold()
    sys.setswitchinterval(DEFAULT_TURN_S)
    yield
    sys.setswitchinterval(turn_s)
    gc.set_threshold(*thresholds)


def waited_s() -> float:
    """Seconds to release and reacquire the interpreter lock `ROUNDS` times while another thread computes."""
    done = threading.Event()

    def compute() -> None:
        while not done.is_set():
            sum(range(1_000))

    worker = threading.Thread(target=compute)
    worker.start()
    try:
        began = time.perf_counter()
        for _ in range(ROUNDS):
            time.sleep(0)
        return time.perf_counter() - began
    finally:
        done.set()
        worker.join()


def test_short_turns_keep_a_thread_from_waiting_for_another() -> None:
    def shortened() -> bool:
        sys.setswitchinterval(DEFAULT_TURN_S)
        usual = waited_s()
        tune_for_requests()
        return waited_s() < usual / 2

    assert any(shortened() for _ in range(PAIRS))


def test_a_pass_over_cyclic_garbage_is_short() -> None:
    tune_for_requests()
    pauses: list[float] = []
    began = 0.0

    def measure(phase: str, _info: dict[str, int]) -> None:
        nonlocal began
        if phase == "start":
            began = time.perf_counter()
        else:
            pauses.append(time.perf_counter() - began)

    gc.callbacks.append(measure)
    try:
        kept = [{"price": [number]} for number in range(60_000)]
    finally:
        gc.callbacks.remove(measure)
    assert len(kept) == 60_000
    assert len(pauses) >= 10  # of 120,000 objects, ten thousand at a time
    assert sorted(pauses)[len(pauses) // 2] < 0.05


COUNT_HEAPS = """
import ctypes, sys, threading
from agent.service.process_tuning import limit_arenas
if "limited" in sys.argv:
    limit_arenas()
here = threading.Barrier(8)
allocator = ctypes.CDLL(None)
allocator.malloc.restype = allocator.fopen.restype = ctypes.c_void_p
def allocate():
    here.wait()
    for _ in range(500):
        allocator.malloc(50_000)  # the call releases the interpreter lock, so that threads meet
    here.wait()
threads = [threading.Thread(target=allocate) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
out = ctypes.c_void_p(allocator.fopen(sys.argv[1].encode(), b"w"))
allocator.malloc_info(0, out)
allocator.fclose(out)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_info"), reason="the allocator is not glibc's")
def test_all_threads_share_two_heaps(tmp_path: Path) -> None:
    def heaps(*options: str) -> int:
        told = tmp_path / "heaps.xml"
        subprocess.run([sys.executable, "-c", COUNT_HEAPS, str(told), *options], check=True)  # noqa: S603 our own
        return told.read_text().count("<heap nr=")

    assert heaps() > 2
    assert heaps("limited") == 2
