"""HTTP handlers for imports: files of products, events and outcomes, imported by a process of their own."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Controller, Response, get, post
from pydantic import BaseModel, Field, ValidationError, WithJsonSchema

from agent.api import examples
from agent.api.authorisation import authorise
from agent.api.context import AnyRequest, AppContext
from agent.api.field_problems import field_problems
from agent.api.idempotency import answer_once, idempotency_key
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
    spool_of,
    submit,
)
from agent.api.openapi import SECURITY, operation
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.jobs import ImportJob, ImportJobs, import_job, listed_import
from agent.api.responses.rendering import Made, json_response
from agent.api.uploads import FORM, MEDIA, Upload, receive
from agent.domain.refusal import FieldProblem
from agent.service.auth.api_keys import Scope
from agent.service.ingest import WrongStoreError, check_takes_own_data
from agent.service.ingest.errors import OptionError
from agent.service.ingest.import_request import ImportRequest, option_errors
from agent.store.job_records import JobKind, JobRecord, NewJob

_PATH: Final = "/v1/imports"
_SHOWN: Final = 80
_ERRORS: Final = (400, 401, 403, 404, 409, 413, 415, 422, 429, 503, 507)
_BINARY: Final[dict[str, Any]] = {"type": "string", "format": "binary"}
_NAMES: Final = {field.alias or name: field for name, field in ImportRequest.model_fields.items()}
_REPEATABLE: Final = frozenset(name for name, field in _NAMES.items() if field.default == ())


class ImportForm(ImportRequest):
    """A form with the file, and options as fields; those of the query hold too."""

    file: Annotated[str, WithJsonSchema(_BINARY)] = Field(description="The file, with its own name.")


class ImportController(Controller):
    """Imports as jobs."""

    path = _PATH
    tags = ("imports",)
    security = SECURITY

    @post(
        "/",
        status_code=202,
        operation_id="createImport",
        operation_class=operation(
            None,
            ImportJob,
            _ERRORS,
            status=202,
            location=True,
            media={**dict.fromkeys(MEDIA, _BINARY), FORM: ImportForm},
            query=ImportRequest,
            examples=examples.IMPORTS,
        ),
        request_max_body_size=None,
        summary="Import a file",
    )
    async def create(self, request: AnyRequest) -> Response[bytes]:
        """Upload a file of products, events or outcomes; a job imports it.

        The file is the body, its format said by Content-Type (text also packed, with `Content-Encoding: gzip`), or the
        field `file` of a form. Options are those of `pricesmith import`, in the query or as fields of the form. With
        `dry_run` nothing is stored, and the report names every problem of the file.
        """
        context = await authorise(request, Scope.MERCHANT)
        idempotency_key(request)  # a malformed one is refused before the file is read
        query = _query(request)
        if not _is_form(request):
            await _checked(query, context)  # likewise
        upload = await receive(request, spool_of(context), own_settings(context).upload_limit_bytes)
        try:
            asked = await _checked(_merged(query, upload.fields), context)
            digest = f"{request.method} {_PATH} {upload.name} {upload.sha256} {asked.model_dump_json()}"

            async def work(own: AppContext) -> Made:
                job = await _submitted(own, asked, upload)
                return made(import_job(job), job.job_id, _PATH)

            return await answer_once(request, context, hashlib.sha256(digest.encode()).hexdigest(), work)
        finally:
            await upload.discard()

    @get(
        "/",
        operation_id="listImports",
        operation_class=operation(None, ImportJobs, query=JobQuery),
        summary="List imports",
    )
    async def all(self, request: AnyRequest) -> Response[bytes]:
        """Imports of the last 30 days, newest first, without the rows of their reports."""
        page = await page_of(request, JobKind.IMPORT)
        items = [listed_import(job) for job in page.jobs]
        return json_response(ImportJobs(items=items, has_more=page.next is not None, next=page.next))

    @get(
        "/{job_id:str}",
        operation_id="getImport",
        operation_class=operation(None, ImportJob),
        summary="Read an import",
    )
    async def one(self, request: AnyRequest, job_id: JobId) -> Response[bytes]:
        """State, progress and report of an import; `Retry-After` says when to ask again while it is not ended."""
        job = await read_job(request, JobKind.IMPORT, job_id)
        return job_response(import_job(job), job)

    @post(
        "/{job_id:str}/cancel",
        status_code=200,
        operation_id="cancelImport",
        operation_class=operation(None, ImportJob),
        summary="Cancel an import",
    )
    async def cancel(self, request: AnyRequest, job_id: JobId) -> Response[bytes]:
        """Cancel a waiting or running import; rows that are stored stay, and its report counts them. Safe to repeat."""
        context = await cancelling(request)

        async def work(own: AppContext) -> BaseModel:
            return import_job(await cancelled(own, JobKind.IMPORT, job_id))

        return await answer_once(request, context, f"{request.method} {request.url.path}", work)


async def _submitted(context: AppContext, asked: ImportRequest, upload: Upload) -> JobRecord:
    """Put an import into the queue; one that an earlier attempt of the request submitted is left as it stands."""
    job_id, spool = new_job_id(context), spool_of(context)
    if (known := await context.run(context.store.job, job_id)) is not None:
        return known
    await context.run(spool.keep, upload.folder, job_id)
    options = asked.model_dump_json(by_alias=True, exclude_defaults=True)
    new = NewJob(job_id, JobKind.IMPORT, context.caller, options, datetime.now(UTC), upload.name, upload.size_bytes)
    try:
        return await submit(context, new)
    except BaseException:
        await context.run(spool.remove, job_id)
        raise


async def _checked(given: Mapping[str, Sequence[str]], context: AppContext) -> ImportRequest:
    """Options as an import takes them, for a store that takes own data.

    Raises:
        Problem: 422, with every option that is not of its form; 409 for the demo store.
    """
    asked = import_request(given)
    try:
        await context.run(check_takes_own_data, context.store, into_demo=asked.into_demo)
    except WrongStoreError as error:
        raise Problem(409, str(error), code=Code.WRONG_STORE) from None
    return asked


def import_request(given: Mapping[str, Sequence[str]]) -> ImportRequest:
    """Options from a query or a form; an empty text counts as not given, as forms send empty fields.

    Raises:
        Problem: 422, with every option that is not of its form.
    """
    document: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, values in given.items():
        texts = [value for value in values if value.strip()]
        if name not in _NAMES:
            problems.append(FieldProblem(name[:_SHOWN], "is no option", "", ", ".join(_NAMES)))
        elif name in _REPEATABLE:
            document[name] = texts
        elif len(texts) > 1:
            problems.append(FieldProblem(name, f"is given {len(texts)} times", texts[-1][:_SHOWN], "once"))
        elif texts:
            document[name] = texts[0]
    asked, unreadable = _read(document)
    problems += unreadable
    if asked is not None:
        problems += map(_problem, option_errors(asked))
    if asked is None or problems:
        named = ", ".join(problem.field for problem in problems)
        raise Problem(
            422,
            f"{len(problems)} invalid option{'s' if len(problems) > 1 else ''}: {named}",
            problems,
            code=Code.FIELDS_INVALID,
        )
    return asked


def _read(document: dict[str, Any]) -> tuple[ImportRequest | None, list[FieldProblem]]:
    """Options with the types of the schema, as far as they can be read, and a problem for each of the others."""
    try:
        return ImportRequest.model_validate(document), []
    except ValidationError as error:
        problems = field_problems(error.errors(include_url=False), document)
        rest = {name: value for name, value in document.items() if all(name != one.field for one in problems)}
        return (_read(rest)[0] if "kind" in rest else None), problems


def _problem(error: OptionError) -> FieldProblem:
    return FieldProblem(
        error.option.replace("-", "_"), error.problem.removeprefix(": "), error.received[:_SHOWN], error.allowed
    )


def _query(request: AnyRequest) -> dict[str, list[str]]:
    return {name: request.query_params.getall(name) for name in request.query_params}


def _merged(query: Mapping[str, list[str]], fields: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name: [*query.get(name, ()), *fields.get(name, ())] for name in dict.fromkeys((*query, *fields))}


def _is_form(request: AnyRequest) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip().lower() == FORM
