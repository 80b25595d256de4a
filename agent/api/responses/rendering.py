"""Response bodies as JSON bytes: of response models, and encoded ones as they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from litestar import Response
from pydantic import BaseModel

JSON: Final = "application/json"
NDJSON: Final = "application/x-ndjson"

Body = BaseModel | bytes
"""A response model, or its JSON."""


@dataclass(frozen=True, slots=True)
class Made:
    """The body for something new: 201, or 202 while it is being made, and the path of it.

    Attributes:
        status: 200 where it was made by an earlier request.
    """

    body: Body
    location: str
    status: int = 201

    def response(self) -> Response[bytes]:
        """The response with its Location header."""
        return json_response(self.body, self.status, {"Location": self.location})


@dataclass(frozen=True, slots=True)
class Lines:
    """JSON values, one a line."""

    content: bytes

    def response(self) -> Response[bytes]:
        """The response, whole."""
        return Response(self.content, status_code=200, media_type=NDJSON)


def json_response(body: Body, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A response with the body; a model's fields under their names of the HTTP contract."""
    content = body if isinstance(body, bytes) else body.model_dump_json(by_alias=True).encode()
    return Response(content, status_code=status, media_type=JSON, headers=headers)
