"""Records of jobs: long work that was asked for over HTTP and is carried out by a process of its own."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class JobKind(StrEnum):
    """Kind of work."""

    IMPORT = "import"
    TRAINING = "training"


class JobState(StrEnum):
    """State of a job; the last three are final."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """Whether nothing changes any more."""
        return self not in UNFINISHED


UNFINISHED = (JobState.WAITING, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class JobProgress:
    """Progress of a job: the share done, 0-1, the step that it is at, and the rows handled so far."""

    fraction: float = 0.0
    step: str = "waiting"
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it was asked for.

    Attributes:
        by: Id of the API key.
        options: JSON object of the kind's own form.
        file: Name of the uploaded file, which lies in the spool folder under the job's id.
    """

    job_id: str
    kind: JobKind
    by: str
    options: str
    created_at: datetime
    file: str | None = None
    file_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job as it stands.

    Attributes:
        attempts: Number of times that it was begun; more than one after a server ended in the middle.
        owner: The process that runs it, until `lease_until` unless it renews the lease.
        result: JSON object of the kind's own form; of a cancelled job what was done so far.
        problem: JSON object of a failed job: `code` and `detail`.
    """

    job_id: str
    kind: JobKind
    state: JobState
    by: str
    options: str
    file: str | None
    file_bytes: int | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    fraction: float
    step: str
    rows: int | None
    cancel_requested: bool
    attempts: int
    owner: str | None
    lease_until: datetime | None
    result: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class JobLease:
    """Outcome of renewing a lease: whether the job is still the caller's, and whether it is to be cancelled."""

    held: bool
    cancel_requested: bool = False


@dataclass(frozen=True, slots=True)
class JobEnd:
    """Final state of a job with its result or problem, JSON objects, and the number of rows that it read."""

    job_id: str
    state: JobState
    result: str | None = None
    problem: str | None = None
    rows: int | None = None
