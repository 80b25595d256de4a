"""Process of one job, started by a server: `python -m agent.cli.job_process`, with its order on standard input."""

from datetime import UTC, datetime
from typing import Final

from pydantic import JsonValue

from agent.service.jobs.import_work import run_import
from agent.service.jobs.training_request import TrainingRequest
from agent.service.jobs.worker import JobInput, Teller, Work, run_order
from agent.store.job_records import JobKind, JobProgress


def run_training(job: JobInput, teller: Teller) -> dict[str, JsonValue]:
    """Train on the store's outcomes.

    Raises:
        TrainingDataError: The outcomes do not identify a price response; nothing is changed.
        Stopped: The server asked to stop before the version was installed.
    """
    from agent.cli.training import trained_on_store, training_summary  # loads the registry; imports need none of it

    asked = TrainingRequest.model_validate_json(job.options)
    version = asked.version or f"{datetime.now(UTC):%Y%m%d-%H%M%S}"

    def tell(what: str, share: float) -> None:
        teller.tell(JobProgress(min(1.0, max(0.0, share)), what))

    return training_summary(trained_on_store(job.settings, version, tell, activate=asked.activate))


WORKS: Final[dict[JobKind, Work]] = {JobKind.IMPORT: run_import, JobKind.TRAINING: run_training}

if __name__ == "__main__":
    run_order(WORKS)
