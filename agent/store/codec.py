"""Decisions as JSON text and back, strictly: a decision is read exactly as it was written, or an error is raised.

Personal data is in a text of its own, so that it can be erased without touching the rest: the shopper's id, the request
as used, the lesson (it names profile fields) and the token (everybody who has it can read it).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from agent.domain.decision import Decision
from agent.store.errors import InvalidRecord, StoreError
from models.evaluator.lesson import Lesson

Request = Mapping[str, JsonValue]
"""A request as the pipeline may use it, JSON."""

# Applies to the nested dataclasses too, which have no configuration of their own.
_STRICT: Final = ConfigDict(
    frozen=True, strict=True, extra="forbid", allow_inf_nan=False, revalidate_instances="always"
)


class _Public(BaseModel):
    """The part that is never erased; `format` identifies the schema of the JSON."""

    model_config = _STRICT

    format: Literal[2] = 2
    decision: Decision


class _Personal(BaseModel):
    """The personal part, which can be erased."""

    model_config = _STRICT

    shopper_id: str | None
    token: str
    lesson: Lesson | None = None
    request: dict[str, JsonValue] | None = None


@dataclass(frozen=True, slots=True)
class EncodedDecision:
    """A decision as stored; `personal` is None after its erasure."""

    body: str
    personal: str | None


@dataclass(frozen=True, slots=True)
class Offer:
    """The fields of a decision that its outcomes need, read without the rest.

    Attributes:
        evaluator: Label of the evaluator in the decision's versions.
    """

    id: str
    at: datetime
    shopper_id: str | None
    product_id: str | None
    currency: str
    quantity: int
    price_minor: int
    reference_minor: int
    propensity: float
    evaluator: str
    lesson: Lesson | None


class _Evaluator(BaseModel):
    evaluator: str


class _OfferDecision(BaseModel):
    id: str
    at: datetime
    product_id: str | None
    currency: str
    quantity: int
    price_minor: int
    reference_minor: int
    propensity: float
    versions: _Evaluator


class _OfferBody(BaseModel):
    format: Literal[2]
    decision: _OfferDecision


class _OfferPersonal(BaseModel):
    shopper_id: str | None
    lesson: Lesson | None = None


_NOBODY: Final = _OfferPersonal(shopper_id=None)


def encode_decision(decision: Decision, request: Request | None = None) -> EncodedDecision:
    """Encode a decision and its request, as far as the pipeline used it.

    Raises:
        InvalidRecord: A field has the wrong type, or a number is NaN or infinite.
    """
    try:
        personal = _Personal(
            shopper_id=decision.shopper_id,
            token=decision.token,
            lesson=decision.lesson,
            request=None if request is None else dict(request),
        )
        public = _Public(decision=replace(decision, shopper_id=None, token="", lesson=None))
        return EncodedDecision(public.model_dump_json(), personal.model_dump_json())
    except ValidationError as error:
        raise InvalidRecord(f"decision {decision.id} cannot be stored: {_first(error)}") from error


def decode_decision(encoded: EncodedDecision) -> Decision:
    """Decode a decision; shopper, token and lesson are missing after an erasure.

    Raises:
        StoreError: The text is not a decision in a known format.
    """
    try:
        decision = _Public.model_validate_json(encoded.body).decision
    except ValidationError as error:
        raise _unreadable(error) from error
    own = _personal(encoded)
    if own is None:
        return decision
    return replace(decision, shopper_id=own.shopper_id, token=own.token, lesson=own.lesson)


def decode_offer(encoded: EncodedDecision) -> Offer:
    """Decode the offer of a decision, which skips candidates, evidence and the request.

    Raises:
        StoreError: The text is not a decision in a known format.
    """
    try:
        decision = _OfferBody.model_validate_json(encoded.body).decision
        own = _NOBODY if encoded.personal is None else _OfferPersonal.model_validate_json(encoded.personal)
    except ValidationError as error:
        raise _unreadable(error) from error
    return Offer(
        id=decision.id,
        at=decision.at,
        shopper_id=own.shopper_id,
        product_id=decision.product_id,
        currency=decision.currency,
        quantity=decision.quantity,
        price_minor=decision.price_minor,
        reference_minor=decision.reference_minor,
        propensity=decision.propensity,
        evaluator=decision.versions.evaluator,
        lesson=own.lesson,
    )


def decode_request(encoded: EncodedDecision) -> Request | None:
    """Decode the request of a decision; None when it was not stored or was erased.

    Raises:
        StoreError: The text is not in a known format.
    """
    own = _personal(encoded)
    return None if own is None else own.request


def _personal(encoded: EncodedDecision) -> _Personal | None:
    if encoded.personal is None:
        return None
    try:
        return _Personal.model_validate_json(encoded.personal)
    except ValidationError as error:
        raise _unreadable(error) from error


def _unreadable(error: ValidationError) -> StoreError:
    return StoreError(
        f"a stored decision cannot be read: {_first(error)}; remedy: use the Pricesmith version that wrote it"
    )


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"
