"""Decisions as JSON text and back, strictly: a decision is read exactly as it was written, or an error is raised.

Personal data is in a text of its own, so that it can be erased without touching the rest: the shopper's id, the request
as used, the lesson (it names profile fields) and the token (everybody who has it can read it).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from math import isfinite
from operator import attrgetter
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from agent.domain.candidates import Candidate, CandidateColumns, PastOutcome, PastOutcomeColumns
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

    format: Literal[3] = 3
    decision: Decision


class _Rows(BaseModel):
    """Candidates and past outcomes as format 2 had them: row by row."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", allow_inf_nan=False)

    candidates: tuple[Candidate, ...]
    evidence: tuple[PastOutcome, ...]


class _RowsBody(BaseModel):
    format: Literal[2]
    decision: _Rows


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
    cost_minor: int | None = None


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
    cost_minor: int | None = None


class _OfferBody(BaseModel):
    format: Literal[2, 3]
    decision: _OfferDecision


class _OfferPersonal(BaseModel):
    shopper_id: str | None
    lesson: Lesson | None = None


_NOBODY: Final = _OfferPersonal(shopper_id=None)


_FORMAT_2: Final = '{"format":2,'
_CANDIDATES: Final = TypeAdapter(CandidateColumns)
_EVIDENCE: Final = TypeAdapter(PastOutcomeColumns)
_FORMAT: Final = _Public.model_fields["format"].default
_WRITER: Final = TypeAdapter(Decision).serializer
_OWN_WRITER: Final = _Personal.__pydantic_serializer__
_NAMES: Final = tuple(field.name for field in fields(Decision))
_VALUES: Final = attrgetter(*_NAMES)
_PERSONAL: Final[Mapping[str, object]] = {"shopper_id": None, "token": "", "lesson": None}
_BLANK: Final = tuple((_NAMES.index(name), value) for name, value in _PERSONAL.items())
_MOST_SHAPES: Final = 1_000


def encode_decision(decision: Decision, request: Request | None = None) -> EncodedDecision:
    """Encode a decision and its request, as far as the pipeline used it.

    Most are written by the serialiser alone, which checks the types of nested fields. It writes NaN, infinity and None
    as `null`; where a `null` stands that no optional field accounts for, the text is checked in full.

    Raises:
        InvalidRecord: A field has the wrong type, or a number is NaN or infinite.
    """
    values = list(_VALUES(decision))
    for place, value in _BLANK:
        values[place] = value
    shape = tuple(map(type, values))
    try:
        if shape in _shapes and (request is None or _is_plain(request)):
            public = _WRITER.to_json(Decision(*values), warnings="error")
            if public.count(b"null") == _nulls(decision, values) and _is_finite(decision.interest):
                own = _Personal.model_construct(
                    shopper_id=decision.shopper_id,
                    token=decision.token,
                    lesson=decision.lesson,
                    request=None if request is None else dict(request),
                )
                personal = _OWN_WRITER.to_json(own, warnings="error")
                if personal.count(b"null") == (decision.shopper_id, decision.lesson, request).count(None):
                    return EncodedDecision(f'{{"format":{_FORMAT},"decision":{public.decode()}}}', personal.decode())
    except PydanticSerializationError:  # the check in full says why
        pass
    encoded = _encode_checked(decision, request)
    if len(_shapes) < _MOST_SHAPES:
        _shapes.add(shape)
    return encoded


_shapes: Final[set[tuple[type, ...]]] = set()
"""Types of the fields of decisions that were checked in full."""


def _encode_checked(decision: Decision, request: Request | None) -> EncodedDecision:
    """Check every field, nested ones too, then encode."""
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
    except PydanticSerializationError as error:
        raise InvalidRecord(f"decision {decision.id} cannot be stored: {error}") from error


def _nulls(decision: Decision, values: list[object]) -> int:
    """Number of optional fields without a value, nested ones included."""
    notice = decision.disclosure
    optional = (
        notice.jurisdiction,
        notice.law,
        notice.option,
        notice.reduction,
        notice.language,
        notice.placement,
        notice.consent,
    )
    nested = [product.price_minor for product in decision.similar]
    nested += [price.public for price in decision.competitor_prices]
    return values.count(None) + optional.count(None) + nested.count(None)


def _is_finite(number: float | None) -> bool:
    return number is None or isfinite(number)


def _is_plain(value: object) -> bool:
    """Whether a value is JSON of exact types, with finite numbers and without None."""
    kind = type(value)
    if kind is dict:
        return all(type(name) is str and _is_plain(one) for name, one in value.items())  # type: ignore[attr-defined]
    if kind is list:
        return all(map(_is_plain, value))  # type: ignore[call-overload]
    if kind is float:
        return isfinite(value)  # type: ignore[arg-type]
    return kind is str or kind is int or kind is bool


def decode_decision(encoded: EncodedDecision) -> Decision:
    """Decode a decision; shopper, token and lesson are missing after an erasure.

    Raises:
        StoreError: The text is not a decision in a known format.
    """
    try:
        body = _with_columns(encoded.body) if encoded.body.startswith(_FORMAT_2) else encoded.body
        decision = _Public.model_validate_json(body).decision
    except ValidationError as error:
        raise _unreadable(error) from error
    own = _personal(encoded)
    if own is None:
        return decision
    return replace(decision, shopper_id=own.shopper_id, token=own.token, lesson=own.lesson)


def _with_columns(body: str) -> str:
    """A text of format 2 in the present one.

    Raises:
        ValidationError: It is not of format 2.
    """
    rows = _RowsBody.model_validate_json(body).decision
    decision = json.loads(body)["decision"]
    decision["candidates"] = _CANDIDATES.dump_python(CandidateColumns.of(rows.candidates), mode="json")
    decision["evidence"] = _EVIDENCE.dump_python(PastOutcomeColumns.of(rows.evidence), mode="json")
    return json.dumps({"format": _FORMAT, "decision": decision})


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
        cost_minor=decision.cost_minor,
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
