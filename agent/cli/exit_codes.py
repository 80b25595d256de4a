"""Exit codes: one table for every command."""

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final


class ExitCode(IntEnum):
    """Exit code of a command."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNAVAILABLE = 3
    BUG = 70
    INTERRUPTED = 130


MEANINGS: Final[Mapping[ExitCode, str]] = MappingProxyType(
    {
        ExitCode.DONE: "The command did what was asked, and every check passed.",
        ExitCode.FAILED: "A check failed, something got worse, rows were refused, or the work could not be done; "
        "standard error says why and what to do.",
        ExitCode.USAGE: "An option, argument or setting is unknown, missing or not allowed; nothing was done.",
        ExitCode.UNAVAILABLE: "The server or the database did not answer; the same command may succeed later.",
        ExitCode.BUG: "An error that Pricesmith did not expect; its traceback is on standard error. Please report it.",
        ExitCode.INTERRUPTED: "Stopped by Ctrl-C.",
    }
)
"""One sentence for each code, as `pricesmith --help` and the reference print it."""
