"""Operations of the OpenAPI document: types of bodies and answers, errors, scopes, headers, examples.

Handlers read raw bodies, so that nothing of this follows from their signatures. `agent.api.openapi_document` writes the
document.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypedDict, Unpack

from litestar.openapi.spec import Operation
from pydantic import BaseModel

from agent.service.auth.api_keys import Scope

SECURITY: Final[tuple[dict[str, list[str]], ...]] = ({"apiKey": []},)
"""Marks controllers and handlers that need an API key."""


@dataclass(frozen=True, slots=True)
class Example:
    """A request body that a test sends; `summary` says what for."""

    summary: str
    value: Any


Examples = Mapping[str, Example]
"""Examples by name."""


@dataclass
class DeclaredOperation(Operation):
    """An operation with its types and answers in class variables.

    Attributes:
        takes, gives: Types of request and response body; None without one.
        errors: Statuses answered with problem details; None for those that follow from method, path and body.
        also: Further statuses with the same response body.
        streams: Whether the response may be a stream of server-sent events.
        lines: Type of a line where the response may come as rows, one a line; None where it may not.
        text: Media type of a plain-text response.
        status: Of success.
        location: Whether the answer has a Location header (201, 202).
        scopes: Scopes of which a key needs one.
        examples: Request bodies.
        query: Model whose fields are the query parameters, where the handler reads the query itself.
        media: Request bodies that are no JSON, by content type: types, or JSON Schemas; examples are of the first.
    """

    takes: ClassVar[Any] = None
    gives: ClassVar[Any] = None
    errors: ClassVar[tuple[int, ...] | None] = None
    also: ClassVar[tuple[int, ...]] = ()
    streams: ClassVar[bool] = False
    lines: ClassVar[Any] = None
    text: ClassVar[str] = ""
    status: ClassVar[int] = 200
    location: ClassVar[bool] = False
    scopes: ClassVar[tuple[Scope, ...]] = (Scope.MERCHANT,)
    examples: ClassVar[Examples] = {}
    query: ClassVar[type[BaseModel] | None] = None
    media: ClassVar[Mapping[str, Any]] = {}


class Declared(TypedDict, total=False):
    """Further fields of `DeclaredOperation`."""

    streams: bool
    lines: Any
    status: int
    location: bool
    scopes: tuple[Scope, ...]
    examples: Examples
    query: type[BaseModel]
    media: Mapping[str, Any]


def operation(
    takes: Any,
    gives: Any,
    errors: tuple[int, ...] | None = None,
    also: tuple[int, ...] = (),
    **more: Unpack[Declared],
) -> type[Operation]:
    """Build a class for Litestar's `operation_class`.

    Args:
        takes: Type of the request body; None without one.
        gives: Type of the response body: a pydantic model or a union of such.
        errors: Statuses answered with problem details; None for those that follow from method, path and body.
        also: Further statuses with the same response body.
        **more: Other fields of `DeclaredOperation`.
    """
    return _declared({"takes": takes, "gives": gives, "errors": errors, "also": also, **more})


def text_operation(
    media_type: str, errors: tuple[int, ...], scopes: tuple[Scope, ...] = (Scope.MERCHANT,)
) -> type[Operation]:
    """Build an `operation_class` for a plain-text response and no request body."""
    return _declared({"text": media_type, "errors": errors, "scopes": scopes})


def _declared(fields: dict[str, Any]) -> type[Operation]:
    return dataclass(type("DeclaredOperation", (DeclaredOperation,), fields))
