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
from models.training.identified_by import IdentifiedBy


class JobProgressAnswer(Answer):
    """Progress of a job: the share done, the step it is at, and the rows read so far where it reads rows."""

    fraction: float = Field(description="Share done, 0 to 1.")
    step: str = Field(description="What it is at.")
    rows: int | None = Field(default=None, description="Rows read so far.")


class JobFile(Answer):
    """The file that was uploaded: its name and size; it is deleted when the job ends."""

    name: str
    """Its name."""
    size_bytes: int
    """Its size as it was sent."""


class Job(Answer):
    """Fields of jobs of all kinds."""

    id: str
    """Id of the job."""
    state: JobState = Field(description="waiting, running, or one of the final states: done, failed, cancelled.")
    progress: JobProgressAnswer
    """How far it is."""
    created_at: datetime
    """When it was submitted."""
    started_at: datetime | None = None
    """When it was first begun."""
    ended_at: datetime | None = None
    """When it ended."""
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
    """Name of the model."""
    log_loss: float
    """Mean negative log likelihood of what shoppers did; less is better."""
    rig: float
    """Share of the entropy that the model explains; more is better."""
    auc: float
    """Area under the ROC curve."""
    mean_over_rate: float
    """Mean prediction over the share bought; 1 is right on average."""
    low: float
    """Lower end of the interval of its log loss less Pricesmith's."""
    high: float
    """Upper end of it."""


class TrainingSegment(Answer):
    """Demand of one product or category."""

    by: str
    """`product` or `product.category`."""
    name: str
    """Id of the product, or the category."""
    offers: int
    """Number of offers seen."""
    elasticity: list[float]
    """Elasticity of demand at the reference price, low, high (90 %)."""
    lowest: float
    """Lowest price offered, over the reference price."""
    highest: float
    """Highest price offered, over the reference price."""


class SatisfactionEvidence(Answer):
    """Evidence of one kind of report of sales, judged on the latest of them."""

    evidence: str
    """`returns`, `ratings` or `repurchases`."""
    reports: int
    """Sales with such a report."""
    held_out: int
    """Of these, the latest, on which it is judged."""
    log_loss: float | None
    """Log loss on those; null where they are too few."""
    constant: float | None
    """Log loss of the mean of earlier reports (of repurchases: of each product's)."""
    mean_over_rate: float | None
    """Mean prediction over what was reported; 1 is right on average."""
    used: str
    """`effects` of price, product and category; the `mean` alone; the price `slope` alone; or `nothing`."""


class TrainingSatisfaction(Answer):
    """Satisfaction: the probability, given that the shopper buys at this price, that they are content.

    A sale that was returned counts 0, one rated r of 5 counts (r - 1) / 4.
    """

    source: str
    """`learned`, or `prior` where nothing was reported that tells of it."""
    reports: int
    """Sales with a report that is used."""
    measures: list[SatisfactionEvidence] = Field(default=[])
    """Evidence by kind of report."""
    at_reference: list[float]
    """At the reference price, of an average product: value, low, high (90 %)."""
    at_more: list[float]
    """That at a price 10 % higher."""
    notes: list[str] = Field(default=[])
    """What to know about it."""


class TrainingReport(Answer):
    """Comparison of the new version with simpler models."""

    rows: dict[str, int] = Field(default={})
    """Numbers of outcomes, by use."""
    lines: list[TrainingLine] = Field(default=[])
    """Measures of each model, Pricesmith's first."""
    elasticity: list[float] = Field(
        default=[], description="Elasticity of demand at the reference price, low, high (90 %)."
    )
    segments: list[TrainingSegment] = Field(default=[])
    """Elasticities of the products and categories offered most."""
    notes: list[str] = Field(default=[])
    """What to know about the data."""
    identified_by: IdentifiedBy | None = Field(default=None)
    """Source of the knowledge of the price response: random prices, changes of cost, or only the inputs
    that were imported."""
    satisfaction: TrainingSatisfaction | None = None
    """Knowledge of satisfaction; null in earlier jobs."""
    priors: list[str] = Field(
        default=[], description="Of `intent`, `rival`, `trend`, `satisfaction`: what no outcome told anything of."
    )


class TrainingResult(Answer):
    """The version that was made, and whether it is better than simpler models."""

    meta: dict[str, JsonValue] = Field(default={}, description="The version: its name, data, settings and measures.")
    report: TrainingReport = TrainingReport()
    """The comparison with simpler models."""
    proven_better: bool = Field(
        default=False,
        description="Whether it predicts the latest outcomes surely better than every simpler model. That it earns "
        "more only `pricesmith eval policy --log store` proves.",
    )


class ImportJob(Job):
    """An import."""

    kind: Literal["import"] = "import"
    """Kind of the job."""
    options: ImportOptionsAnswer
    """What was asked for."""
    file: JobFile
    """The file that was uploaded."""
    result: ImportSummary | None = Field(
        default=None, description="Report of a finished import; of a cancelled one what was stored until then."
    )


class TrainingJob(Job):
    """A training."""

    kind: Literal["training"] = "training"
    """Kind of the job."""
    options: TrainingOptionsAnswer
    """What was asked for."""
    result: TrainingResult | None = None
    """The version that was made."""


class ImportJobs(Answer):
    """A page of imports, newest first; refused rows are in each import's own answer."""

    items: list[ImportJob]
    """Jobs of the page."""
    has_more: bool
    """Whether older ones follow."""
    next: str | None = None
    """Cursor of the next page, to be sent as `after`; null at the end."""


class TrainingJobs(Answer):
    """A page of trainings, newest first."""

    items: list[TrainingJob]
    """Jobs of the page."""
    has_more: bool
    """Whether older ones follow."""
    next: str | None = None
    """Cursor of the next page, to be sent as `after`; null at the end."""


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
