"""The OpenAPI 3.1 document: operations as declared, every schema, error, header and shared parameter once."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import yaml
from litestar import Litestar
from litestar.openapi import OpenAPIConfig
from litestar.openapi.spec import Operation

from agent.api.component_schemas import Body, Schema, component_schemas, query_parameters
from agent.api.openapi import DeclaredOperation
from agent.api.openapi_parts import (
    DONE,
    IDEMPOTENCY_PARAMETER,
    INFO,
    PARAMETERS,
    REPLAYED_HEADER,
    REQUEST_ID_HEADER,
    SECURITY_SCHEMES,
    TAGS,
    error_name,
    error_responses,
    headers_of,
)
from agent.api.problems import TITLES, ProblemDetails
from agent.api.responses.rendering import JSON, NDJSON
from agent.api.responses.stream import StreamEvent

METHODS: Final = ("get", "post", "put", "patch", "delete")
_EVENTS: Final = "text/event-stream"
_DROPPED: Final = ("allowEmptyValue", "allowReserved", "deprecated")  # Litestar writes them, all false


@dataclass(frozen=True)
class Document:
    """The document, and its bytes as they are served."""

    content: dict[str, Any]

    @cached_property
    def json(self) -> bytes:
        """As JSON."""
        return json.dumps(self.content, ensure_ascii=False, separators=(",", ":")).encode()

    @cached_property
    def yaml(self) -> bytes:
        """As YAML."""
        return str(yaml.safe_dump(json.loads(self.json), sort_keys=False, allow_unicode=True, width=120)).encode()


@dataclass(frozen=True, slots=True)
class _Found:
    """An operation and where it stands."""

    path: str
    method: str
    operation: DeclaredOperation


def document_of(routes: Sequence[Any]) -> Document:
    """Write the document of route handlers and controllers.

    Raises:
        TypeError: A route declares no operation.
        NameClashError: Two schemas have one public name.
    """
    config = OpenAPIConfig(title=INFO["title"], version=INFO["version"], use_handler_docstrings=True)
    found = list(_operations(Litestar(route_handlers=list(routes), openapi_config=config)))
    bodies = [Body(ProblemDetails, "serialization"), *(body for one in found for body in _bodies(one.operation))]
    schemas, components = component_schemas(bodies)
    written = iter(schemas[1:])
    paths: dict[str, dict[str, Any]] = {}
    used: dict[int, None] = {}
    for one in found:
        inside = [next(written) for _ in _bodies(one.operation)]
        paths.setdefault(one.path, {})[one.method] = _operation(one, inside)
        used.update(dict.fromkeys(_errors(one)))
    tags = {tag for one in found for tag in one.operation.tags or ()}
    responses = error_responses(sorted(used), schemas[0])
    return Document(
        {
            "openapi": "3.1.0",
            "info": INFO,
            "servers": [{"url": "/"}],
            "tags": [{"name": name, "description": told} for name, told in TAGS.items() if name in tags],
            "paths": dict(sorted(paths.items())),
            "components": {
                "schemas": components,
                "responses": responses,
                "parameters": PARAMETERS,
                "headers": headers_of(json.dumps([paths, responses])),
                "securitySchemes": SECURITY_SCHEMES,
            },
        }
    )


def _operations(app: Litestar) -> Iterator[_Found]:
    for path, item in sorted((app.openapi_schema.paths or {}).items()):
        for method in METHODS:
            operation: Operation | None = getattr(item, method)
            if operation is None:
                continue
            if not isinstance(operation, DeclaredOperation):
                raise TypeError(
                    f"{method.upper()} {path} declares no operation; remedy: operation_class=operation(...)"
                )
            yield _Found(path, method, operation)


def _bodies(operation: DeclaredOperation) -> list[Body]:
    found = [] if operation.takes is None else [Body(operation.takes, "validation")]
    found += [Body(kind, "validation") for kind in operation.media.values() if isinstance(kind, type)]
    if operation.streams:
        found.append(Body(StreamEvent, "serialization"))
    if operation.lines is not None:
        found.append(Body(operation.lines, "serialization"))
    return found if operation.gives is None else [*found, Body(operation.gives, "serialization")]


def _operation(found: _Found, schemas: Sequence[Schema]) -> dict[str, Any]:
    """One operation; `schemas` are those of its bodies."""
    operation = found.operation
    made: dict[str, Any] = {
        "operationId": operation.operation_id,
        "tags": operation.tags or [],
        "summary": operation.summary,
        "description": _described(operation),
    }
    if operation.security:
        made["security"] = [{"apiKey": [scope.value]} for scope in operation.scopes]
    asked = [_parameter(one.to_schema()) for one in operation.parameters or ()]
    if operation.query is not None:
        asked += query_parameters(operation.query)
    if found.method == "post":
        asked.append(IDEMPOTENCY_PARAMETER)
    if asked:
        made["parameters"] = asked
    if operation.takes is not None:
        made["requestBody"] = {"required": True, "content": {JSON: {"schema": schemas[0], **_examples(operation)}}}
    if operation.media:
        made["requestBody"] = {"required": True, "content": _media(operation, iter(schemas))}
    made["responses"] = _responses(found, schemas)
    return made


def _media(operation: DeclaredOperation, schemas: Iterator[Schema]) -> dict[str, Any]:
    """Request bodies that are no JSON, by content type."""
    content: dict[str, Any] = {
        name: {"schema": next(schemas) if isinstance(kind, type) else kind} for name, kind in operation.media.items()
    }
    next(iter(content.values())).update(_examples(operation))
    return content


def _examples(operation: DeclaredOperation) -> dict[str, Any]:
    shown = {name: {"summary": one.summary, "value": one.value} for name, one in operation.examples.items()}
    return {"examples": shown} if shown else {}


def _described(operation: DeclaredOperation) -> str:
    """Join the lines of each paragraph, and say which scope is needed."""
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n", operation.description or "")]
    scopes = " or ".join(f"`{scope.value}`" for scope in operation.scopes)
    return "\n\n".join([*paragraphs, f"Scope: {scopes}." if operation.security else "Needs no key."])


def _parameter(written: dict[str, Any]) -> dict[str, Any]:
    """A parameter as Litestar writes it, without what says nothing: a parameter left out is not null."""
    made = {key: value for key, value in written.items() if key not in _DROPPED and (key, value) != ("required", False)}
    schema = made["schema"]
    kinds = [one for one in schema.get("oneOf", ()) if one.get("type") != "null"]
    if len(kinds) == 1:
        schema = {**kinds[0], **{key: value for key, value in schema.items() if key != "oneOf"}}
    return {**made, "schema": schema}


def _responses(found: _Found, schemas: Sequence[Schema]) -> dict[str, Any]:
    operation, made = found.operation, {}
    named = {"X-Request-Id": REQUEST_ID_HEADER}
    if found.method == "post":
        named["Idempotency-Replayed"] = REPLAYED_HEADER
    for status in (operation.status, *operation.also):
        answer: dict[str, Any] = {"description": TITLES.get(status) or DONE.get(status, "OK"), "headers": dict(named)}
        if operation.location and status in (201, 202):
            answer["headers"]["Location"] = {"$ref": "#/components/headers/Location"}
        if status >= 500:
            answer["headers"]["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
        if operation.text:
            answer["content"] = {operation.text: {"schema": {"type": "string"}}}
        elif operation.gives is not None:
            answer["content"] = {JSON: {"schema": schemas[-1]}}
        if operation.streams:  # OpenAPI 3.1 has no schema for a whole stream: that of one event
            answer["content"][_EVENTS] = {"schema": schemas[-2]}
        if operation.lines is not None:  # that of one line
            answer["content"][NDJSON] = {"schema": schemas[-2]}
        made[str(status)] = answer
    for status in _errors(found):
        made[str(status)] = {"$ref": f"#/components/responses/{error_name(status)}"}
    return dict(sorted(made.items()))


def _errors(found: _Found) -> tuple[int, ...]:
    """Statuses of problem details: as declared, else what method, path, parameters and key can lead to."""
    operation = found.operation
    if operation.errors is not None:
        return operation.errors
    statuses = {401, 403, 429, 503} if operation.security else {503}
    if operation.takes is not None or operation.media:
        statuses |= {400, 404, 413, 415, 422}
    if operation.parameters or operation.query is not None:
        statuses.add(422)
    if "{" in found.path:
        statuses.add(404)
    if found.method == "post":
        statuses |= {409, 422}
    return tuple(sorted(statuses))
