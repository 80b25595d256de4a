"""Field types of the HTTP contract: bounded text, money, times with time zone, finite numbers."""

import re
import unicodedata
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from agent.domain.characters import LINE_BREAKS, refused, with_needed_invisible, without_invisible
from agent.domain.money import MAX_MINOR, MoneyError, fraction_digits

_TIME: Final = re.compile(r"\d{4}(-\d\d){2}[Tt ]\d\d(:\d\d){2}(\.\d+)?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
MAX_ID: Final = 200
MAX_QUANTITY: Final = 10_000
_MAX_RAW_ID: Final = 4 * MAX_ID  # composing takes up to 4 code points for one
_NOT_IN_IDS: Final = ("Zl", "Zp", "Co")  # line and paragraph separators, private use
EARLIEST: Final = datetime.fromisoformat("1990-01-01T00:00:00+00:00")
LATEST: Final = datetime.fromisoformat("2100-01-01T00:00:00+00:00")
MAX_AHEAD: Final = timedelta(days=1)
"""Longest time by which an event or an outcome may lie ahead of the store's clock."""


def clean_text(text: str) -> str:
    """Text as it is stored: without invisible characters that change nothing a reader sees; line breaks stay.

    Raises:
        ValueError: It contains a control character, a surrogate or a noncharacter.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    _refuse(text)
    return with_needed_invisible(text).strip()


def normal_id(text: str) -> str:
    """The one form of an id at every door: composed (NFC), without invisible characters and outer white space.

    Raises:
        ValueError: It is empty, has more than 200 characters, or contains a line break, tab, control or private-use
            character.
    """
    if text.isascii() and text.isprintable():
        found = text.strip()
    else:
        text = text.strip(" " + LINE_BREAKS)
        _refuse(text)
        found = without_invisible(text).strip()
        if len(found) <= _MAX_RAW_ID:  # composing a long run of marks takes time that grows with its square
            found = unicodedata.normalize("NFC", found).strip()
        for char in found:
            if char in LINE_BREAKS or unicodedata.category(char) in _NOT_IN_IDS:
                raise ValueError(f"contains U+{ord(char):04X}; an id must not contain line breaks, tabs or private use")
    if not found:
        raise ValueError("must contain a visible character")
    if len(found) > MAX_ID:
        raise ValueError(f"has {len(found):,} characters; allowed: up to {MAX_ID}")
    return found


def _refuse(text: str) -> None:
    for position, char in enumerate(text):
        kind = refused(char)
        if kind is not None:
            raise ValueError(f"contains the {kind} U+{ord(char):04X} at position {position}; allowed: printable text")


def _strict_int(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    return value


def _known_currency(code: str) -> str:
    try:
        fraction_digits(code)
    except MoneyError as error:
        raise ValueError(str(error)) from None
    return code


def _in_range(at: datetime) -> datetime:
    if not EARLIEST <= at <= LATEST:
        raise ValueError(f"must be between {EARLIEST:%Y} and {LATEST:%Y}")
    return at


def _rfc3339(value: Any) -> Any:
    """Accept RFC 3339 alone: pydantic would also read a bare date, or seconds since 1970 written as text."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError("must be an RFC 3339 time with time zone, such as 2026-01-31T12:00:00Z")
    return datetime.fromisoformat(value.upper())


Id = Annotated[str, AfterValidator(normal_id), WithJsonSchema({"type": "string", "minLength": 1, "maxLength": MAX_ID})]
Short = Annotated[str, Field(max_length=200), AfterValidator(clean_text)]
Title = Annotated[str, Field(max_length=500), AfterValidator(clean_text)]
Description = Annotated[str, Field(max_length=20_000), AfterValidator(clean_text)]
EventText = Annotated[str, Field(max_length=2_000), AfterValidator(clean_text)]
ProfileText = Annotated[str, Field(max_length=4_000), AfterValidator(clean_text)]
# Bounds stand before the validator: behind it pydantic writes them into JSON Schemas as `ge` and `le`.
Count = Annotated[int, Field(ge=0, le=10**9), BeforeValidator(_strict_int)]
Quantity = Annotated[int, Field(ge=1, le=MAX_QUANTITY), BeforeValidator(_strict_int)]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Rating = Annotated[float, Field(ge=0, le=5, allow_inf_nan=False)]
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
Time = Annotated[AwareDatetime, BeforeValidator(_rfc3339), AfterValidator(_in_range)]
Currency = Annotated[str, Field(min_length=3, max_length=3, pattern="^[A-Z]{3}$"), AfterValidator(_known_currency)]
AttributeName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(clean_text)]
AttributeValue = bool | Number | Annotated[str, Field(max_length=1_000), AfterValidator(clean_text)]


def _with_fraction_digits(schema: dict[str, Any]) -> None:
    """Describe in a schema of money the field that is read and dropped."""
    described = {"type": "integer", "minimum": 0, "maximum": 4, "description": "Decimals of the currency; not needed."}
    schema["properties"]["fraction_digits"] = described


class Strict(BaseModel):
    """Base of request schemas: frozen; unknown fields are refused; text below a field describes it."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Money(Strict):
    """An amount in minor units of an ISO 4217 currency; 279 in USD is 2.79 USD.

    `fraction_digits`, which answers add, may be sent back; it must be the currency's.
    """

    model_config = ConfigDict(json_schema_extra=_with_fraction_digits)

    amount_minor: Annotated[int, Field(ge=0, le=MAX_MINOR), BeforeValidator(_strict_int)]
    """Amount in the currency's smallest unit: cents of USD, whole yen of JPY."""
    currency: Currency
    """ISO 4217 code, such as USD."""

    @model_validator(mode="before")
    @classmethod
    def _as_answered(cls, given: Any) -> Any:
        """Drop `fraction_digits` once checked: it says nothing that the currency does not."""
        if not isinstance(given, dict) or "fraction_digits" not in given:
            return given
        kept = {name: value for name, value in given.items() if name != "fraction_digits"}
        digits = given["fraction_digits"]
        try:
            expected = fraction_digits(kept.get("currency", ""))
        except (MoneyError, TypeError):
            return kept  # the currency itself is refused
        if isinstance(digits, bool) or digits != expected:
            raise ValueError(
                f"has fraction_digits {str(digits)[:20]}, but {kept['currency']} has {expected}; allowed: {expected}, "
                "or no fraction_digits"
            )
        return kept


class Price(Money):
    """A positive amount of money."""

    amount_minor: Annotated[
        int, Field(ge=0, le=MAX_MINOR, json_schema_extra={"minimum": 1}), BeforeValidator(_strict_int)
    ]
    """Amount in the currency's smallest unit, at least 1."""

    @field_validator("amount_minor")
    @classmethod
    def _positive(cls, amount: int) -> int:
        if amount < 1:
            raise ValueError("must be at least 1 minor unit")
        return amount


def minor_of(money: Money | None) -> int | None:
    """The amount in minor units; None without money."""
    return None if money is None else money.amount_minor
