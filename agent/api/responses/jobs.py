"""Answers about jobs: imports and trainings."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field, JsonValue

from agent.api.responses.answer import Answer
from agent.service.ingest.import_request import ImportRequest
from agent.service.ingest.summary import ImportSummary
from agent.service.jobs import JobProblem
from agent.service.jobs.training_request import TrainingRequest
from agent.store.job_records import JobRecord, JobState


class JobProgressAnswer(Answer):
    """Progress of a job: the share done, the step it is at, and the rows read so far where it reads rows."""

    fraction: float = Field(description="Share done, 0 to 1.")
    step: str = Field(description="What it is at.")
    rows: int | None = Field(default=None, description="Rows read so far.")


class JobFile(Answer):
    """The file that was uploaded: its name and size; it is deleted when the job ends."""

    name: str
    size_bytes: int


class Job(Answer):
    """Fields of jobs of all kinds."""

    id: str
    state: JobState = Field(description="waiting, running, or one of the final states: done, failed, cancelled.")
    progress: JobProgressAnswer
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    by: str = Field(description="Id of the API key that submitted it.")
    attempts: int = Field(description="Times it was begun: more than once if a server ended in the middle.")
    cancel_requested: bool = Field(description="Whether it is to be cancelled, which takes seconds while it runs.")
    problem: JobProblem | None = Field(default=None, description="Reason why it failed.")


class ImportOptionsAnswer(ImportRequest):
    """Options of an import, as they were given."""

    model_config = ConfigDict(extra="ignore")


class TrainingOptionsAnswer(TrainingRequest):
    """Options of a training, as they were given."""

    model_config = ConfigDict(extra="ignore")


class TrainingLine(Answer):
    """Measures of one model on the latest outcomes, the first line's Pricesmith's.

    `low` and `high` are the 95 % interval of the model's log loss less Pricesmith's.
    """

    name: str
    log_loss: float
    rig: float
    auc: float
    mean_over_rate: float
    low: float
    high: float


class TrainingReport(Answer):
    """Comparison of the new version with simpler models."""

    rows: dict[str, int] = {}
    lines: list[TrainingLine] = []
    elasticity: list[float] = Field(default=[], description="Mean elasticity at the reference price, low, high (90 %).")
    notes: list[str] = []


class TrainingResult(Answer):
    """The version that was made, and whether it is better than simpler models."""

    meta: dict[str, JsonValue] = Field(default={}, description="The version: its name, data, settings and measures.")
    report: TrainingReport = TrainingReport()
    proven_better: bool = Field(
        default=False,
        description="Whether it predicts the latest outcomes surely better than every simpler model. That it earns "
        "more only `pricesmith eval policy --log store` proves.",
    )


class ImportJob(Job):
    """An import."""

    kind: Literal["import"] = "import"
    options: ImportOptionsAnswer
    file: JobFile
    result: ImportSummary | None = Field(
        default=None, description="Report of a finished import; of a cancelled one what was stored until then."
    )


class TrainingJob(Job):
    """A training."""

    kind: Literal["training"] = "training"
    options: TrainingOptionsAnswer
    result: TrainingResult | None = None


class ImportJobs(Answer):
    """A page of imports, newest first; refused rows are in each import's own answer."""

    items: list[ImportJob]
    has_more: bool
    next: str | None = None


class TrainingJobs(Answer):
    """A page of trainings, newest first."""

    items: list[TrainingJob]
    has_more: bool
    next: str | None = None


def import_job(record: JobRecord) -> ImportJob:
    """An import with its report."""
    result = None if record.result is None else ImportSummary.model_validate_json(record.result)
    options = ImportOptionsAnswer.model_validate_json(record.options)
    file = JobFile(name=record.file or "", size_bytes=record.file_bytes or 0)
    return ImportJob(**_common(record), options=options, file=file, result=result)


def listed_import(record: JobRecord) -> ImportJob:
    """An import as lists show it: rows are counted, not listed."""
    found = import_job(record)
    if found.result is None:
        return found
    short = found.result.model_copy(update={"problems": [], "problems_left_out": found.result.bad})
    return found.model_copy(update={"result": short})


def training_job(record: JobRecord) -> TrainingJob:
    """A training with its report."""
    result = None if record.result is None else TrainingResult.model_validate_json(record.result)
    return TrainingJob(
        **_common(record), options=TrainingOptionsAnswer.model_validate_json(record.options), result=result
    )


def _common(record: JobRecord) -> Mapping[str, Any]:
    names = ("state", "created_at", "started_at", "ended_at", "by", "attempts", "cancel_requested")
    progress = JobProgressAnswer(fraction=record.fraction, step=record.step, rows=record.rows)
    problem = None if record.problem is None else JobProblem.model_validate(json.loads(record.problem))
    return {
        "id": record.job_id,
        "progress": progress,
        "problem": problem,
        **{name: getattr(record, name) for name in names},
    }
