"""A decision as JSON text and back, strictly: what is read equals what was written, or it is an error.

Beside the decision lies the request that it answers, as the pipeline may use it: a what-if runs it again, changed.
"""

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from agent.decision import Decision
from agent.store.errors import InvalidRecord, StoreError


class _Envelope(BaseModel):
    """The stored text. `format` lets a later version tell old decisions from its own.

    The configuration reaches into the dataclasses inside, which carry none of their own.
    """

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always"
    )

    format: Literal[1] = 1
    decision: Decision
    request: dict[str, JsonValue] | None = None


def encode_decision(decision: Decision, request: Mapping[str, JsonValue] | None = None) -> str:
    """The text to store.

    Raises:
        InvalidRecord: A field has the wrong type, or a number is NaN or infinite.
    """
    try:
        return _Envelope(decision=decision, request=None if request is None else dict(request)).model_dump_json()
    except ValidationError as error:
        raise InvalidRecord(f"decision {decision.id} cannot be stored: {_first(error)}") from error


def decode_decision(text: str) -> Decision:
    """The decision that `text` holds.

    Raises:
        StoreError: The text is not a decision of a format known here.
    """
    return _decoded(text).decision


def decode_request(text: str) -> Mapping[str, JsonValue] | None:
    """The request beside the decision, None when it was not kept.

    Raises:
        StoreError: The text is not a decision of a format known here.
    """
    return _decoded(text).request


def _decoded(text: str) -> _Envelope:
    try:
        return _Envelope.model_validate_json(text)
    except ValidationError as error:
        raise StoreError(
            f"a stored decision cannot be read: {_first(error)}; remedy: use the Pricesmith version that wrote it"
        ) from error


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
