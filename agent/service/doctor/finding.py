"""One finding of a check."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """Severity of a finding."""

    OK = "ok"
    WARNING = "warning"
    """Pricesmith works, but slower, less safely or not for long."""
    PROBLEM = "problem"
    """A command or the server cannot work as it is."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of a check.

    Attributes:
        check: Name of what was checked.
        detail: The state that was found.
        remedy: What to do about it; empty when nothing is to be done.
    """

    check: str
    level: Level
    detail: str
    remedy: str = ""


def of_error(check: str, error: Exception, level: Level = Level.PROBLEM) -> Finding:
    """An error as a finding; a remedy that its message names goes where remedies are shown."""
    detail, _, remedy = str(error).partition("; remedy: ")
    return Finding(check, level, detail, remedy)
