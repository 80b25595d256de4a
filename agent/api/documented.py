"""OpenAPI of handlers that read raw bodies: request and answer schemas straight from the pydantic models."""

from dataclasses import dataclass
from typing import Any, ClassVar, cast

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody, Schema
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from agent.api.problems import PROBLEM_JSON, TITLES, ProblemDetails

# One event of a stream, as clients read it; OpenAPI 3.1 knows no schema of a whole stream.
_SERVER_SENT_EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {"event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["event", "data"],
}

_ERRORS = (400, 401, 403, 404, 409, 413, 415, 422, 429, 503)


@dataclass
class _Documented(Operation):
    """An operation whose bodies are told by the handler, not by its signature."""

    takes: ClassVar[dict[str, Any] | None] = None
    gives: ClassVar[dict[str, Any] | None] = None
    errors: ClassVar[tuple[int, ...]] = _ERRORS
    also: ClassVar[tuple[int, ...]] = ()
    streams: ClassVar[bool] = False
    text: ClassVar[str] = ""

    def __post_init__(self) -> None:
        """Fill in bodies and errors."""
        if self.takes is not None:
            self.request_body = RequestBody(content={"application/json": _media(self.takes)}, required=True)
        answers: dict[str, Any] = {}
        for status in () if self.gives is None else (200, *self.also):
            description = TITLES.get(status, "OK")
            content = {"application/json": _media(self.gives or {})}
            if self.streams:
                content["text/event-stream"] = _media(_SERVER_SENT_EVENT)
            answers[str(status)] = OpenAPIResponse(description=description, content=content)
        if self.text:
            content = {self.text: _media({"type": "string"})}
            answers["200"] = OpenAPIResponse(description="OK", content=content)
        problem = _media(schema_of(ProblemDetails))
        for status in self.errors:
            answers[str(status)] = OpenAPIResponse(description=TITLES[status], content={PROBLEM_JSON: problem})
        self.responses = answers


def _media(schema: dict[str, Any]) -> OpenAPIMediaType:
    """Litestar writes a plain JSON Schema as it stands."""
    return OpenAPIMediaType(schema=cast(Schema, schema))


def documented(
    takes: Any,
    gives: type[BaseModel],
    errors: tuple[int, ...] = _ERRORS,
    also: tuple[int, ...] = (),
    *,
    streams: bool = False,
) -> type[Operation]:
    """An operation class for Litestar's `operation_class`.

    Args:
        takes: Type of the body, None for none.
        gives: Type of the answer.
        errors: Statuses that are answered with problem details.
        also: Further statuses that give what 200 gives.
        streams: Whether the answer may come as server-sent events.
    """
    told = {"takes": None if takes is None else schema_of(takes, "validation"), "gives": schema_of(gives)}
    return dataclass(type("Documented", (_Documented,), {**told, "errors": errors, "also": also, "streams": streams}))


def documented_text(media_type: str, errors: tuple[int, ...]) -> type[Operation]:
    """The same for an answer in plain text that takes no body."""
    return dataclass(type("Documented", (_Documented,), {"text": media_type, "errors": errors}))


def schema_of(kind: Any, mode: JsonSchemaMode = "serialization") -> dict[str, Any]:
    """JSON Schema (2020-12) with its definitions put in place, since OpenAPI resolves references from its own root."""
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
