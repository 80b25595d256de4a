"""Response models as JSON bytes."""

from collections.abc import Mapping
from typing import Final

from litestar import Response
from pydantic import BaseModel

JSON: Final = "application/json"


def json_response(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response[bytes]:
    """A response with the model under its field names of the HTTP contract."""
    return Response(model.model_dump_json(by_alias=True).encode(), status_code=status, media_type=JSON, headers=headers)
