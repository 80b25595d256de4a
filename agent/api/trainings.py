"""HTTP handlers for trainings: model versions from the shop's own outcomes, made by a process of their own."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Controller, Response, get, post
from pydantic import BaseModel, TypeAdapter

from agent.api import examples
from agent.api.body import validate
from agent.api.context import AnyRequest, AppContext
from agent.api.idempotency import answer, answer_once
from agent.api.jobs import (
    JobId,
    JobQuery,
    cancelled,
    cancelling,
    job_response,
    made,
    new_job_id,
    own_settings,
    page_of,
    read_job,
    submit,
)
from agent.api.openapi import SECURITY, operation
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.jobs import TrainingJob, TrainingJobs, training_job
from agent.api.responses.rendering import Made, json_response
from agent.domain.refusal import FieldProblem
from agent.service.auth.api_keys import Scope
from agent.service.jobs.training_request import TrainingRequest
from agent.store.data_folder import DataFolder
from agent.store.job_records import JobKind, NewJob
from models.registry.registry import ModelKind, Registry

_PATH: Final = "/v1/trainings"
_TRAINING: Final = TypeAdapter(TrainingRequest)


class TrainingController(Controller):
    """Trainings as jobs."""

    path = _PATH
    tags = ("trainings",)
    security = SECURITY

    @post(
        "/",
        status_code=202,
        operation_id="createTraining",
        operation_class=operation(TrainingRequest, TrainingJob, status=202, location=True, examples=examples.TRAINING),
        summary="Train on own outcomes",
    )
    async def create(self, request: AnyRequest) -> Response[bytes]:
        """Train the evaluator on the shop's own outcomes; a job does it, in minutes.

        Where the outcomes cannot teach how price moves demand, the job fails, says why, and changes nothing.
        """

        async def work(value: Any, context: AppContext) -> Made:
            asked = validate(_TRAINING, value)
            now, job_id = datetime.now(UTC), new_job_id(context)
            named = asked.model_copy(update={"version": asked.version or f"{now:%Y%m%d-%H%M%S}"})
            known = await context.run(context.store.job, job_id)
            if known is None:
                await context.run(_check_unused, context, named)
            job = known or await submit(
                context, NewJob(job_id, JobKind.TRAINING, context.caller, named.model_dump_json(), now)
            )
            return made(training_job(job), job.job_id, _PATH)

        return await answer(request, Scope.MERCHANT, work)

    @get(
        "/",
        operation_id="listTrainings",
        operation_class=operation(None, TrainingJobs, query=JobQuery),
        summary="List trainings",
    )
    async def all(self, request: AnyRequest) -> Response[bytes]:
        """Trainings of the last 30 days, newest first."""
        page = await page_of(request, JobKind.TRAINING)
        items = [training_job(job) for job in page.jobs]
        return json_response(TrainingJobs(items=items, has_more=page.next is not None, next=page.next))

    @get(
        "/{job_id:str}",
        operation_id="getTraining",
        operation_class=operation(None, TrainingJob),
        summary="Read a training",
    )
    async def one(self, request: AnyRequest, job_id: JobId) -> Response[bytes]:
        """State, progress and report of a training; `Retry-After` says when to ask again while it is not ended."""
        job = await read_job(request, JobKind.TRAINING, job_id)
        return job_response(training_job(job), job)

    @post(
        "/{job_id:str}/cancel",
        status_code=200,
        operation_id="cancelTraining",
        operation_class=operation(None, TrainingJob),
        summary="Cancel a training",
    )
    async def cancel(self, request: AnyRequest, job_id: JobId) -> Response[bytes]:
        """Cancel a waiting or running training; no version is made. Safe to repeat."""
        context = await cancelling(request)

        async def work(own: AppContext) -> BaseModel:
            return training_job(await cancelled(own, JobKind.TRAINING, job_id))

        return await answer_once(request, context, f"{request.method} {request.url.path}", work)


def _check_unused(context: AppContext, asked: TrainingRequest) -> None:
    """Check that the version is new: one in use would be overwritten.

    Raises:
        Problem: 422, for a version that exists.
    """
    registry, version = Registry(DataFolder(own_settings(context).data_dir).models), asked.version or ""
    if registry.has(ModelKind.EVALUATOR, version):
        problem = FieldProblem("version", "names a version that exists", version, "a new name, or none")
        raise Problem(
            422, f"the version {version!r} exists; allowed: a new name, or none", [problem], code=Code.VERSION_EXISTS
        )
