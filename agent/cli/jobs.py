"""`jobs`: imports and trainings that were asked for over HTTP."""

import json as json_module
from typing import Annotated, Any

import typer

from agent.cli.errors import CommandError
from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table
from agent.domain.clock import SystemClock
from agent.service.opening import open_store
from agent.store.job_records import JobRecord, JobState

_COLUMNS = ("id", "kind", "state", "done", "step", "submitted", "ended", "by")
_JSON = ("options", "result", "problem")

JobId = Annotated[str, typer.Argument(help="Id of the job, as `pricesmith jobs list` shows it.")]

app = typer.Typer(no_args_is_help=True, help="List, show and cancel imports and trainings asked for over HTTP.")


@app.command("list")
def list_jobs(
    state: Annotated[JobState | None, typer.Option(help="Jobs in this state alone.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1_000, help="Jobs to list.")] = 50,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """List jobs, newest first.

    Jobs are kept for 30 days after their end. A running server carries them out, one at a time.

    Example: pricesmith jobs list --state running
    """
    with open_store(settings_for(data_dir)) as store:
        found = store.jobs(states=() if state is None else (state,), limit=limit)
    if json:
        print_json([_facts(job, whole=False) for job in found])
        return
    rows = [(j.job_id, j.kind, j.state, f"{j.fraction:.0%}", j.step, j.created_at, j.ended_at, j.by) for j in found]
    print_table("Jobs", _COLUMNS, rows)


@app.command("show")
def show(job_id: JobId, data_dir: DataDir = None, json: Json = False) -> None:
    """Show a job, with its report or its failure.

    Example: pricesmith jobs show 01920f6e-5b3c-7d21-9a4e-0c1d2e3f4a5b
    """
    with open_store(settings_for(data_dir)) as store:
        facts = _facts(_known(store.job(job_id), job_id), whole=True)
    print_json(facts) if json else print_facts(_shown(facts))


@app.command("cancel")
def cancel(job_id: JobId, data_dir: DataDir = None, json: Json = False) -> None:
    """Cancel a waiting or running job.

    The server that runs it ends it within seconds; rows that an import has stored stay. Exit code 1 when it had ended
    otherwise.

    Example: pricesmith jobs cancel 01920f6e-5b3c-7d21-9a4e-0c1d2e3f4a5b
    """
    with open_store(settings_for(data_dir)) as store:
        job = _known(store.cancel_job(job_id, SystemClock().now()), job_id)
    facts = _facts(job, whole=False)
    print_json(facts) if json else print_facts(_shown(facts))
    if job.state in (JobState.DONE, JobState.FAILED):
        raise typer.Exit(ExitCode.FAILED)


def _known(job: JobRecord | None, job_id: str) -> JobRecord:
    if job is None:
        raise CommandError(f"no job has the id {job_id[:80]!r}; remedy: pricesmith jobs list shows all")
    return job


def _facts(job: JobRecord, *, whole: bool) -> dict[str, Any]:
    names = ("kind", "state", "created_at", "started_at", "ended_at", "by", "attempts", "cancel_requested")
    progress = {"fraction": job.fraction, "step": job.step, "rows": job.rows}
    facts = {"id": job.job_id, **{name: getattr(job, name) for name in names}, "progress": progress, "file": job.file}
    if whole:
        texts = {name: getattr(job, name) for name in _JSON}
        facts |= {name: None if text is None else json_module.loads(text) for name, text in texts.items()}
    return facts


def _shown(facts: dict[str, Any]) -> dict[str, object]:
    """Facts for people: those that have a value, nested ones in JSON."""
    return {
        name: json_module.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
        for name, value in facts.items()
        if value is not None
    }
