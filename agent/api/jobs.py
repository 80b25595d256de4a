"""Requests about jobs, the same for every kind: submit, read, list, cancel."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Final

from litestar import Response
from litestar.params import PathParameter
from pydantic import BaseModel, Field
from uuid_utils import uuid7

from agent.api.authorisation import authorise
from agent.api.body import parse_json, read_body
from agent.api.context import AnyRequest, AppContext
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.query import PageQuery, read_query
from agent.api.responses.rendering import Made, json_response
from agent.domain.refusal import FieldProblem
from agent.service.auth.api_keys import Scope
from agent.service.jobs import MOST_WAITING, Spool
from agent.service.merchants import settings_of
from agent.service.settings import DEFAULT_MERCHANT, Settings
from agent.store.data_folder import DataFolder
from agent.store.job_records import JobKind, JobRecord, JobState, NewJob
from agent.store.lists import PageOf

JobId = Annotated[str, PathParameter(description="Id of a job.")]

_RETRY: Final = {"Retry-After": "1"}


class JobQuery(PageQuery):
    """Parameters of the lists of jobs."""

    keys: ClassVar[tuple[type, ...]] = (str,)

    state: Annotated[JobState | None, Field(description="Jobs in this state alone.")] = None


@dataclass(frozen=True, slots=True)
class Page:
    """Jobs of one page, and the cursor of the next one."""

    jobs: list[JobRecord]
    next: str | None


def own_settings(context: AppContext) -> Settings:
    """Settings of the caller's merchant."""
    return settings_of(context.settings, _merchant(context))


def spool_of(context: AppContext) -> Spool:
    """The spool of the caller's merchant."""
    return Spool(DataFolder(own_settings(context).data_dir).spool)


def new_job_id(context: AppContext) -> str:
    """An id for a new job: the same in every attempt of one request with an idempotency key."""
    return context.id_of(0) or str(uuid7())


async def submit(context: AppContext, new: NewJob) -> JobRecord:
    """Put a job into the queue.

    Raises:
        Problem: 429, when too many wait.
    """
    job = await context.run(context.store.add_job, new, MOST_WAITING)
    if job is None:
        detail = (
            f"{MOST_WAITING} jobs wait already, the most allowed; remedy: try again when some have ended, or cancel"
        )
        raise Problem(429, detail, headers={"Retry-After": "60"}, code=Code.TOO_MANY_JOBS)
    if context.jobs is not None:
        context.jobs.nudge(_merchant(context))
    return job


async def read_job(request: AnyRequest, kind: JobKind, job_id: str) -> JobRecord:
    """A job of a kind; what an ended one stored is in this process's memory when this returns.

    Raises:
        Problem: 404, for an unknown id.
    """
    context = await authorise(request, Scope.MERCHANT)
    job = await _found(context, kind, job_id)
    if job.kind is JobKind.IMPORT and job.state.ended:
        await context.run(context.service.follow)
    return job


def job_response(model: BaseModel, job: JobRecord) -> Response[bytes]:
    """A job's answer; while it is not ended, with the time after which to ask again."""
    return json_response(model, headers=None if job.state.ended else _RETRY)


async def page_of(request: AnyRequest, kind: JobKind) -> Page:
    """A page of jobs, newest first.

    Raises:
        Problem: 422, for a parameter that is not of its form.
    """
    context = await authorise(request, Scope.MERCHANT)
    query = read_query(JobQuery, request)
    states = () if query.state is None else (query.state,)
    before = None if query.start is None else str(query.start[0])
    found = await context.run(context.store.jobs, kind, states, before, query.limit + 1)
    shown = found[: query.limit]
    last = (shown[-1].job_id,) if len(found) > query.limit else None
    return Page(shown, query.next(PageOf(shown, last)))


async def cancelling(request: AnyRequest) -> AppContext:
    """The caller's context, for a request that cancels a job.

    Raises:
        Problem: 422, for a body with fields.
    """
    context = await authorise(request, Scope.MERCHANT)
    raw = await read_body(request)
    if raw.strip() and parse_json(raw) != {}:
        problem = FieldProblem("body", "has fields", "", "no body, or {}")
        raise Problem(422, "a cancellation takes no fields", [problem], code=Code.FIELDS_INVALID)
    return context


async def cancelled(context: AppContext, kind: JobKind, job_id: str) -> JobRecord:
    """Cancel a job; a running one ends soon.

    Raises:
        Problem: 404 for an unknown id, 409 for a job that has ended otherwise.
    """
    await _found(context, kind, job_id)
    job = await context.run(context.store.cancel_job, job_id, datetime.now(UTC))
    if job is None:
        raise _unknown(job_id)
    if job.state in (JobState.DONE, JobState.FAILED):
        raise Problem(409, f"the job is {job.state} and cannot be cancelled", code=Code.JOB_ENDED)
    if job.state is JobState.CANCELLED:
        await context.run(spool_of(context).remove, job_id)
    return job


def made(model: BaseModel, job_id: str, path: str) -> Made:
    """A submitted job: 202 with its path."""
    return Made(model, f"{path}/{job_id}", 202)


def _merchant(context: AppContext) -> str:
    return DEFAULT_MERCHANT if context.key is None else context.key.merchant


async def _found(context: AppContext, kind: JobKind, job_id: str) -> JobRecord:
    job = await context.run(context.store.job, job_id)
    if job is None or job.kind is not kind:
        raise _unknown(job_id)
    return job


def _unknown(job_id: str) -> Problem:
    return Problem(404, f"no such job has the id {job_id[:80]!r}; jobs are kept for 30 days", code=Code.NOT_FOUND)
