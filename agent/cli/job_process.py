"""Process of one job, started by a server: `python -m agent.cli.job_process`, with its order on standard input."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from pydantic import JsonValue

from agent.service.jobs.import_work import run_import
from agent.service.jobs.training_request import TrainingRequest
from agent.service.jobs.worker import JobInput, Teller, Work, run_order
from agent.store.job_records import JobKind, JobProgress

# Stages of a training: where each begins and how long it takes, as shares of the whole.
_SHARES: Final[Mapping[str, tuple[float, float]]] = {
    "load models and indexes": (0.0, 0.05),
    "read outcomes": (0.05, 0.05),
    "observe outcomes": (0.1, 0.3),
    "gather evidence": (0.4, 0.1),
    "train": (0.5, 0.5),
}


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
        begin, length = _SHARES.get(what.partition(":")[0], (0.0, 0.0))
        teller.tell(JobProgress(begin + length * min(1.0, max(0.0, share)), what))

    return training_summary(trained_on_store(job.settings, version, tell, activate=asked.activate))


WORKS: Final[dict[JobKind, Work]] = {JobKind.IMPORT: run_import, JobKind.TRAINING: run_training}

if __name__ == "__main__":
    run_order(WORKS)
