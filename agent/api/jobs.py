"""Requests about jobs, the same for every kind: submit, read, list, cancel."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final
from uuid import UUID

from litestar import Response
from litestar.params import PathParameter, QueryParameter
from pydantic import BaseModel
from uuid_utils import uuid7

from agent.api.authorisation import authorise
from agent.api.body import parse_json, read_body
from agent.api.context import AnyRequest, AppContext
from agent.api.idempotency import answer_once
from agent.api.problems import Problem
from agent.api.responses.rendering import Made, json_response
from agent.domain.refusal import FieldProblem
from agent.service.auth.api_keys import Scope
from agent.service.jobs import MOST_WAITING, Spool
from agent.service.merchants import settings_of
from agent.service.settings import DEFAULT_MERCHANT, Settings
from agent.store.data_folder import DataFolder
from agent.store.job_records import JobKind, JobRecord, JobState, NewJob

JobId = Annotated[str, PathParameter(description="Id of a job.")]
After = Annotated[str | None, QueryParameter(description="`next` of the page before.")]
Limit = Annotated[int, QueryParameter(description="Items of a page.", ge=1, le=200)]
StateName = Annotated[JobState | None, QueryParameter(name="state", description="Jobs in this state alone.")]

_RETRY: Final = {"Retry-After": "1"}
_VERSION: Final = "1:"


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
        Problem: 503, when too many wait.
    """
    job = await context.run(context.store.add_job, new, MOST_WAITING)
    if job is None:
        detail = (
            f"{MOST_WAITING} jobs wait already, the most allowed; remedy: try again when some have ended, or cancel"
        )
        raise Problem(503, detail, headers={"Retry-After": "60"})
    if context.jobs is not None:
        context.jobs.nudge(_merchant(context))
    return job


async def read_job(request: AnyRequest, kind: JobKind, job_id: str) -> JobRecord:
    """A job of a kind.

    Raises:
        Problem: 404, for an unknown id.
    """
    context = await authorise(request, Scope.MERCHANT)
    return await _found(context, kind, job_id)


def job_response(model: BaseModel, job: JobRecord) -> Response[bytes]:
    """A job's answer; while it is not ended, with the time after which to ask again."""
    return json_response(model, headers=None if job.state.ended else _RETRY)


async def page_of(request: AnyRequest, kind: JobKind, state: JobState | None, after: str | None, limit: int) -> Page:
    """A page of jobs, newest first.

    Raises:
        Problem: 422, for an `after` that is no cursor.
    """
    context = await authorise(request, Scope.MERCHANT)
    before = None if after is None else _decoded(after)
    states = () if state is None else (state,)
    found = await context.run(context.store.jobs, kind, states, before, limit + 1)
    more = len(found) > limit
    return Page(found[:limit], _encoded(found[limit - 1].job_id) if more else None)


async def cancel(
    request: AnyRequest, kind: JobKind, job_id: str, answers: Callable[[JobRecord], BaseModel]
) -> Response[bytes]:
    """Cancel a job.

    Raises:
        Problem: 404 for an unknown id, 409 for a job that has ended otherwise.
    """
    context = await authorise(request, Scope.MERCHANT)
    raw = await read_body(request)
    if raw.strip() and parse_json(raw) != {}:
        raise Problem(422, "a cancellation takes no fields", [FieldProblem("body", "has fields", "", "no body, or {}")])

    async def work(own: AppContext) -> BaseModel:
        await _found(own, kind, job_id)
        job = await own.run(own.store.cancel_job, job_id, datetime.now(UTC))
        if job is None:
            raise _unknown(job_id)
        if job.state in (JobState.DONE, JobState.FAILED):
            raise Problem(409, f"the job is {job.state} and cannot be cancelled")
        if job.state is JobState.CANCELLED:
            await own.run(spool_of(own).remove, job_id)
        return answers(job)

    return await answer_once(request, context, f"{request.method} {request.url.path}", work)


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
    return Problem(404, f"no such job has the id {job_id[:80]!r}; jobs are kept for 30 days")


def _encoded(job_id: str) -> str:
    return urlsafe_b64encode(f"{_VERSION}{job_id}".encode()).decode().rstrip("=")


def _decoded(after: str) -> str:
    try:
        text = urlsafe_b64decode(after.encode() + b"=" * (-len(after) % 4)).decode()
        if text.startswith(_VERSION):
            return str(UUID(text.removeprefix(_VERSION)))
    except (Base64Error, ValueError):
        pass
    problem = FieldProblem("after", "is no cursor", after[:80], "`next` of an earlier page")
    raise Problem(422, "after is no cursor; allowed: `next` of an earlier page", [problem])
