"""Request bodies: strict JSON, then validation against a schema, with every bad field named."""

import json
import math
from collections.abc import Sequence
from typing import Any, Final, NoReturn, TypeVar

import msgspec
from pydantic import TypeAdapter, ValidationError

from agent.api.context import AnyRequest
from agent.api.field_problems import field_problems
from agent.api.problem_codes import Code
from agent.api.problems import Problem
from agent.api.responses.rendering import JSON
from agent.domain.refusal import FieldProblem

T = TypeVar("T")

_MAX_ERRORS: Final = 50
_NAMED: Final = 3
_NAME_SHOWN: Final = 80
_MAX_DEPTH: Final = 32
_MEDIA: Final = (JSON, "application/x-www-form-urlencoded", "")  # curl -d says the second of any text
_UTF8_BOM: Final = b"\xef\xbb\xbf"
_COMPRESSED: Final = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"\x78\x9c": "deflate"}
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


async def read_body(request: AnyRequest) -> bytes:
    """Read the body of a request.

    Raises:
        Problem: 415, for a compressed body or another content type than JSON.
    """
    coding = request.headers.get("content-encoding", "").strip().lower()
    if coding not in ("", "identity"):
        raise _compressed(repr(coding[:_NAME_SHOWN]))
    media = request.headers.get("content-type", JSON).split(";")[0].strip().lower()
    if media not in _MEDIA:
        detail = f"content type {media[:_NAME_SHOWN]!r} is not supported; allowed: {JSON}"
        raise Problem(415, detail, code=Code.MEDIA_TYPE_UNSUPPORTED)
    return await request.body()


def parse_json(raw: bytes) -> Any:
    """Parse strict JSON: UTF-8, no duplicate names, no NaN or Infinity, at most 32 levels.

    Raises:
        Problem: 400, with the position where it is known; 415 for a compressed body.
    """
    if not raw.strip():
        raise Problem(400, "the body is empty; allowed: a JSON document", code=Code.BODY_EMPTY)
    _refuse_other_formats(raw)
    try:
        value = _DECODER.decode(raw.removeprefix(_UTF8_BOM).decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _malformed(f"the body is not UTF-8: byte {error.start} cannot be decoded") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"malformed JSON at line {error.lineno}, column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise _malformed(f"the JSON is nested too deeply; allowed: {_MAX_DEPTH} levels") from None
    except ValueError as error:
        raise _malformed(f"malformed JSON: {str(error)[:200]}") from None
    if raw.count(b"{") + raw.count(b"[") > _MAX_DEPTH and _depth(value) > _MAX_DEPTH:
        raise _malformed(f"the JSON is nested too deeply; allowed: {_MAX_DEPTH} levels")
    if b"\\u" in raw and not _is_unicode(value):
        raise _malformed("the JSON contains half of a surrogate pair (\\ud800 to \\udfff); allowed: whole characters")
    return value


def validate(adapter: TypeAdapter[T], value: Any, prefix: str = "") -> T:
    """Validate a parsed document, or a part of one; `prefix` precedes the names of bad fields.

    Raises:
        Problem: 422, with one error a bad field, at most 50.
    """
    try:
        return adapter.validate_json(_document(value), strict=True)
    except ValidationError as error:
        problems = field_problems(error.errors(include_url=False), value, prefix)[:_MAX_ERRORS]
        count = len(problems)
        named = ", ".join([*(one.field for one in problems[:_NAMED]), *(["..."] if count > _NAMED else [])])
        detail = f"{count} invalid field{'s' if count > 1 else ''}: {named}"
        raise Problem(422, detail, problems, code=Code.FIELDS_INVALID) from None


def rows_of(value: Any, name: str, most: int) -> list[Any]:
    """Rows of `{name: [...]}`, of a bare list, or of one bare object.

    Raises:
        Problem: 422, for no rows or more than `most`.
    """
    if isinstance(value, dict) and set(value) == {name}:
        value = value[name]
    rows = value if isinstance(value, list) else [value]
    if not 1 <= len(rows) <= most:
        allowed = f"1 to {most:,} rows"
        problem = FieldProblem(name, "wrong number of rows", str(len(rows)), allowed)
        detail = f"{name} has {len(rows):,} rows; allowed: {allowed}"
        raise Problem(422, detail, [problem], code=Code.FIELDS_INVALID)
    return rows


def _document(value: Any) -> bytes | str:
    """A parsed document as JSON again: in JSON mode strict validation reads times and words from text."""
    try:
        return msgspec.json.encode(value)
    except (OverflowError, TypeError):  # of more than 64 bits, or infinite: some bound refuses it
        return json.dumps(value)


def _refuse_other_formats(raw: bytes) -> None:
    """Name a compressed or UTF-16 document, which would fail as text that is not UTF-8."""
    for start, coding in _COMPRESSED.items():
        if raw.startswith(start):
            raise _compressed(coding)
    if raw.startswith(_UTF16):
        raise _malformed("the body is UTF-16; allowed: a JSON document in UTF-8")


def _compressed(coding: str) -> Problem:
    return Problem(
        415,
        f"the body is compressed ({coding}); allowed: a body without Content-Encoding; remedy: send it uncompressed",
        headers={"Accept-Encoding": "identity"},
        code=Code.BODY_COMPRESSED,
    )


def _malformed(detail: str) -> Problem:
    return Problem(400, detail, code=Code.BODY_MALFORMED)


def _no_duplicates(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {twice[:_NAME_SHOWN]!r} appears twice in one object")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class _Infinite(float):
    """A number such as 1e999, of a type that the fast encoder refuses: it would write null."""


def _number(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _Infinite(found)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_no_duplicates, parse_constant=_no_constant, parse_float=_number)


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level and depth <= _MAX_DEPTH:
        depth += 1
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
        ]
    return depth
