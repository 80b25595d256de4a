"""Messages between a server and the process that runs a job for it, one JSON object a line.

The server writes an order, then one byte with each renewal of the job's lease. The process answers with progress, and
last with an end. It exits when the server's end of the pipe closes, or when no byte comes for as long as a lease is.
"""

import traceback
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from agent.service.settings import Settings
from agent.store.job_records import JobKind, JobProgress

_SECRETS = {"bootstrap_key", "writer_key"}


class Order(BaseModel):
    """Order to a process.

    Attributes:
        settings: Of the merchant, without secrets.
        options: JSON object of the kind's own form.
        file: The uploaded file.
        lease_s: Seconds without a sign of life of the server after which the process exits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: dict[str, JsonValue]
    job_id: str
    kind: JobKind
    options: str
    file: Path | None
    lease_s: float

    def read_settings(self) -> Settings:
        """The merchant's settings, whatever this process's environment says."""
        given: dict[str, Any] = self.settings
        return Settings(**given)


class End(StrEnum):
    """End of the work."""

    DONE = "done"
    STOPPED = "stopped"
    FAILED = "failed"


class JobProblem(BaseModel):
    """Reason why a job failed: a word for programs, and a text with the remedy."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    code: str
    """The word for programs."""
    detail: str = ""
    """What went wrong, and the remedy."""


class Told(BaseModel):
    """One message of the process.

    Attributes:
        fraction, step, rows: Progress.
        result: Of the whole work, or of what was done so far.
        end: Set in the last message.
        place: Where in the code an unexpected error arose, for the log; without its message, which may quote the file.
    """

    model_config = ConfigDict(frozen=True)

    fraction: float = 0.0
    step: str = ""
    rows: int | None = None
    result: dict[str, JsonValue] | None = None
    end: End | None = None
    problem: JobProblem | None = None
    place: list[str] = []

    @property
    def progress(self) -> JobProgress:
        """Progress as the store keeps it."""
        return JobProgress(self.fraction, self.step, self.rows)


def settings_for_order(settings: Settings) -> dict[str, JsonValue]:
    """Settings as an order has them, the data folder as an absolute path."""
    own = settings.model_copy(update={"data_dir": settings.data_dir.resolve()})
    found: dict[str, JsonValue] = own.model_dump(mode="json", exclude=_SECRETS)
    return found


def place_of(error: BaseException) -> list[str]:
    """Kind of an error and its place in the code, without its message, which may quote a file's rows."""
    frames = traceback.extract_tb(error.__traceback__)
    return [type(error).__qualname__, *(f"{one.filename}:{one.lineno} {one.name}" for one in frames)]
