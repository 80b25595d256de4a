"""How often Python looks for cyclic garbage in a process that has loaded its models and index."""

import gc
from typing import Final

_YOUNG: Final = 50_000
_OLDER: Final = 20


def settle() -> None:
    """Leave what is loaded out of every later collection, and collect the rest rarely.

    Requests and answers hold no cycles, so that reference counting frees them; looking through a batch of them again
    and again would cost a third of scoring's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _OLDER)
