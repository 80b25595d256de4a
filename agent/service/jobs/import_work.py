"""Work of an import job: the file into the store, in short transactions; servers follow the store."""

from typing import Final

from pydantic import JsonValue

from agent.domain.clock import SystemClock
from agent.service.ingest.import_request import ImportRequest, import_options
from agent.service.ingest.importer import import_file
from agent.service.ingest.readers import expected_rows
from agent.service.ingest.report import ImportReport
from agent.service.ingest.store_choice import check_takes_own_data
from agent.service.ingest.store_targets import dry, store_targets
from agent.service.ingest.summary import summary_of
from agent.service.jobs.worker import JobInput, Teller
from agent.service.opening import open_store
from agent.store.job_records import JobProgress

_BATCH_ROWS: Final = 500  # quotes wait for the database while a batch is written


def run_import(job: JobInput, teller: Teller) -> dict[str, JsonValue]:
    """Import the uploaded file, or check it; a repeated import stores nothing twice.

    Raises:
        ImportFormatError: The file or the options cannot be used.
        WrongStoreError: The store is the demo's.
        StoreError: The store failed.
        Stopped: The server asked to stop; rows so far are stored.
    """
    if job.file is None:
        raise AssertionError("an import has a file")
    asked = ImportRequest.model_validate_json(job.options)
    teller.tell(JobProgress(step="read products"))
    with open_store(job.settings) as store:
        check_takes_own_data(store, into_demo=asked.into_demo)
        targets = store_targets(store, SystemClock())
        expected = expected_rows(job.file)
        step = "check rows" if asked.dry_run else "import rows"

        def tell(report: ImportReport) -> None:
            counts: dict[str, JsonValue] = {"kind": asked.kind.value, "dry_run": asked.dry_run, **report.counts()}
            teller.tell(
                JobProgress(min(0.99, report.read / expected), step, report.read),
                counts,
                lambda: summary_of(report, dry_run=asked.dry_run).model_dump(mode="json"),
            )

        if asked.dry_run:
            targets = dry(targets)
        report = import_file(
            asked.kind, job.file, targets, import_options(asked, job.settings.currency), tell, _BATCH_ROWS
        )
    return summary_of(report, dry_run=asked.dry_run).model_dump(mode="json")
