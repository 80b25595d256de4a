"""Supervision: a serving process ends with the one that supervises it."""

import ctypes
import os
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def end_with_parent() -> None:
    """Have the system send SIGTERM to this process when its parent ends, in whatever way; Linux alone can do it.

    Without it a supervisor that is killed leaves its worker behind, which goes on answering and holds the port.
    """
    if not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:  # it ended before the system knew
        os.kill(os.getpid(), signal.SIGTERM)
