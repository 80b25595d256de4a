"""Response models as JSON bytes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from litestar import Response
from pydantic import BaseModel

JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Made:
    """A response model for something new: 201, or 202 while it is being made, and the path of it."""

    model: BaseModel
    location: str
    status: int = 201

    def response(self) -> Response[bytes]:
        """The response with its Location header."""
        return json_response(self.model, self.status, {"Location": self.location})


def json_response(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A response with the model under its field names of the HTTP contract."""
    return Response(model.model_dump_json(by_alias=True).encode(), status_code=status, media_type=JSON, headers=headers)
