"""How Python itself is set in a process that has loaded its models and index."""

import gc
import sys
from typing import Final

_SERVED: Final = 10_000
_IN_BATCHES: Final = 50_000
_OLD: Final = 1_000_000
_OLDEST: Final = 20
_TURN_S: Final = 0.0005


def tune_for_batches() -> None:
    """Leave what is loaded out of every later collection of cyclic garbage, and collect the rest rarely.

    Requests and answers hold no cycles, so that reference counting frees them; looking through a batch of them again
    and again would cost a third of scoring's time.
    """
    _settle(_IN_BATCHES)


def tune_for_requests() -> None:
    """The same in smaller portions, since whoever asks meanwhile waits; and threads take turns of half a millisecond.

    A quote gives the interpreter up some thirty times, at every statement and every product of matrices. Each time it
    waits for its turn while another thread counts an outcome or an event, with Python's default of five milliseconds
    up to a tenth of a second in all.
    """
    _settle(_SERVED)
    sys.setswitchinterval(_TURN_S)


def _settle(young: int) -> None:
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, _OLD // young, _OLDEST)
