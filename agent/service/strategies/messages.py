"""Messages between a server and the process that writes strategies, one JSON value a line.

The server writes a start, then lists of situations; the process answers each with one answer. It exits when the
server's end of the pipe closes.
"""

from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, TypeAdapter

from models.strategist.facts import StrategistFacts
from models.strategist.proposals import WrittenRow

FACTS: Final = TypeAdapter(list[StrategistFacts])
"""Situations to write strategies for."""


class Start(BaseModel):
    """The strategist to load, and its prompt.

    Attributes:
        folder, version: Of the strategist.
        prompt_version: Of the prompt `strategist`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    folder: Path
    version: str
    prompt_version: int


class Answer(BaseModel):
    """Strategies of each situation, in order, or why there are none."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    written: list[list[WrittenRow]] = []
    trouble: str | None = None
