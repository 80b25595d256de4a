"""OpenAPI operations for handlers that read raw bodies, with schemas from the pydantic models."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, cast

from litestar.openapi.spec import (
    OpenAPIHeader,
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Parameter,
    Reference,
    RequestBody,
    Schema,
)
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from agent.api.problems import PROBLEM_JSON, TITLES, ProblemDetails

SECURITY: Final[tuple[dict[str, list[str]], ...]] = ({"apiKey": []},)
"""Marks controllers and handlers that need an API key."""

# One event of a stream, as clients read it; OpenAPI 3.1 has no schema for a whole stream.
_SERVER_SENT_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["event", "data"],
}

_DONE: Final = {200: "OK", 201: "Created", 202: "Accepted"}
_LOCATION: Final = OpenAPIHeader(
    schema=Schema(type=OpenAPIType.STRING), description="Path of what was created.", required=True
)
_ERRORS = (400, 401, 403, 404, 409, 413, 415, 422, 429, 503)


@dataclass
class _Operation(Operation):
    """An operation whose request and response bodies come from class variables, not from the handler's signature."""

    takes: ClassVar[dict[str, Any] | None] = None
    gives: ClassVar[dict[str, Any] | None] = None
    errors: ClassVar[tuple[int, ...]] = _ERRORS
    also: ClassVar[tuple[int, ...]] = ()
    streams: ClassVar[bool] = False
    text: ClassVar[str] = ""
    status: ClassVar[int] = 200
    location: ClassVar[bool] = False
    media: ClassVar[Mapping[str, Any]] = {}
    asks: ClassVar[type[BaseModel] | None] = None

    def __post_init__(self) -> None:
        """Fill in request body, responses and errors."""
        if self.takes is not None:
            self.request_body = RequestBody(content={"application/json": _media(self.takes)}, required=True)
        if self.media:
            content = {name: _media(schema) for name, schema in self.media.items()}
            self.request_body = RequestBody(content=content, required=True)
        if self.asks is not None:
            self.parameters = [*(self.parameters or []), *_query_parameters(self.asks)]
        answers: dict[str, Any] = {}
        for status in () if self.gives is None else (self.status, *self.also):
            content = {"application/json": _media(self.gives or {})}
            if self.streams:
                content["text/event-stream"] = _media(_SERVER_SENT_EVENT)
            headers: dict[str, OpenAPIHeader | Reference] = {}
            if self.location and status in (201, 202):
                headers["Location"] = _LOCATION
            answers[str(status)] = OpenAPIResponse(
                description=TITLES.get(status) or _DONE.get(status, "OK"), content=content, headers=headers or None
            )
        if self.text:
            content = {self.text: _media({"type": "string"})}
            answers["200"] = OpenAPIResponse(description="OK", content=content)
        problem = _media(schema_of(ProblemDetails))
        for status in self.errors:
            answers[str(status)] = OpenAPIResponse(description=TITLES[status], content={PROBLEM_JSON: problem})
        self.responses = answers


def _query_parameters(model: type[BaseModel]) -> list[Parameter]:
    """One parameter a field of a model; a list's items are given one parameter each."""
    schema = schema_of(model, "validation")
    return [
        Parameter(
            name=name,
            param_in="query",
            schema=cast(Schema, {key: value for key, value in field.items() if key != "description"}),
            description=field.get("description"),
            required=name in schema.get("required", ()),
            allow_empty_value=False,
        )
        for name, field in schema["properties"].items()
    ]


def _media(schema: dict[str, Any]) -> OpenAPIMediaType:
    return OpenAPIMediaType(schema=cast(Schema, schema))  # Litestar writes a plain JSON Schema as it stands


def operation(
    takes: Any,
    gives: Any,
    errors: tuple[int, ...] = _ERRORS,
    also: tuple[int, ...] = (),
    *,
    streams: bool = False,
    status: int = 200,
    location: bool = False,
    media: Mapping[str, Any] | None = None,
    asks: type[BaseModel] | None = None,
) -> type[Operation]:
    """Build a class for Litestar's `operation_class`.

    Args:
        takes: Type of the request body; None without one.
        gives: Type of the response body: a pydantic model or a union of such.
        errors: Statuses answered with problem details.
        also: Further statuses with the same response body.
        streams: Whether the response may be a stream of server-sent events.
        status: Of success.
        location: Whether the answer has a Location header with the path of what was created (201, 202).
        media: Schemas of request bodies that are no JSON, by content type.
        asks: Model whose fields are query parameters, for handlers that read the query themselves.
    """
    bodies = {"takes": None if takes is None else schema_of(takes, "validation"), "gives": schema_of(gives)}
    rest = {"errors": errors, "also": also, "streams": streams, "status": status, "location": location}
    rest |= {"media": media or {}, "asks": asks}
    return dataclass(type("Operation", (_Operation,), {**bodies, **rest}))


def text_operation(media_type: str, errors: tuple[int, ...]) -> type[Operation]:
    """Build an `operation_class` for a plain-text response and no request body."""
    return dataclass(type("Operation", (_Operation,), {"text": media_type, "errors": errors}))


def schema_of(kind: Any, mode: JsonSchemaMode = "serialization") -> dict[str, Any]:
    """JSON Schema (2020-12) of a type, its definitions inlined: OpenAPI resolves references from its own root."""
    schema = TypeAdapter(kind).json_schema(mode=mode)
    definitions = schema.pop("$defs", {})
    resolved = _inline(schema, definitions)
    if not isinstance(resolved, dict):
        raise AssertionError("a schema is an object")
    return resolved


def _inline(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_inline(child, definitions) for child in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        target = definitions[reference.rsplit("/", 1)[-1]]
        return _inline({**target, **{key: value for key, value in node.items() if key != "$ref"}}, definitions)
    return {key: _inline(value, definitions) for key, value in node.items()}
