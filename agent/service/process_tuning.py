"""Tuning of a process: its heaps, and once models and indexes are loaded garbage collection, threads and products."""

import ctypes
import gc
import sys
from typing import Final

from threadpoolctl import threadpool_limits

_YOUNG_REQUESTS: Final = 10_000
_YOUNG_BATCHES: Final = 50_000
_OLD: Final = 1_000_000
_OLDEST: Final = 20
_SWITCH_S: Final = 0.0005
_M_ARENA_MAX: Final = -8  # of glibc's malloc.h
_ARENAS: Final = 2


def limit_arenas() -> None:
    """Give all threads of this process and of those forked from it two heaps together; glibc only.

    glibc gives up to eight a core, one to each thread that meets a busy one, and memory freed in one serves no thread
    of another: a worker that answers on forty threads took 285 MiB for its first thousands of quotes, and takes 160.
    To be called before threads start.
    """
    if sys.platform == "linux" and hasattr(allocator := ctypes.CDLL(None), "mallopt"):  # musl has none
        allocator.mallopt(_M_ARENA_MAX, _ARENAS)


def tune_for_batches() -> None:
    """Exclude loaded objects from garbage collection, collect the rest rarely; matrix products use one core.

    Blocks of a batch run on all cores beside each other: threads of their own for each product would only get in the
    way of those.

    Requests and answers contain no reference cycles, so that reference counting frees them; traversing a batch of them
    again and again would take a third of the time of scoring.
    """
    _tune(_YOUNG_BATCHES)
    threadpool_limits(1, user_api="blas")


def tune_for_requests() -> None:
    """Exclude loaded objects from garbage collection, collect in small steps, switch threads every 0.5 ms.

    Matrix products use one core: those of a page are a few million multiplications, which take half a millisecond, and
    up to forty times as long where their threads wait for a core that something else uses.

    A quote releases the interpreter lock some thirty times, at each SQL statement and matrix product, and each time may
    wait a whole switch interval for a thread that records an outcome or an event. With Python's default of 5 ms that
    adds up to a tenth of a second.
    """
    _tune(_YOUNG_REQUESTS)
    sys.setswitchinterval(_SWITCH_S)
    threadpool_limits(1, user_api="blas")


def _tune(young: int) -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, _OLD // young, _OLDEST)
