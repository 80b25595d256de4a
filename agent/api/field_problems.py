"""Pydantic validation errors as one problem for each field that the sender wrote."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic_core import ErrorDetails

from agent.domain.refusal import FieldProblem

_SHOWN: Final = 80
_TIME: Final = "an RFC 3339 time with time zone, such as 2026-01-31T12:00:00Z"
_ALLOWED: Final = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "datetime_from_date_parsing": _TIME,
    "datetime_object_invalid": _TIME,
    "datetime_parsing": _TIME,
    "datetime_type": _TIME,
    "dict_type": "an object",
    "enum": "{expected}",
    "extra_forbidden": "no such field",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than": "more than {gt}",
    "greater_than_equal": "{ge} or more",
    "int_type": "a whole number",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "list_type": "a list",
    "missing": "a value; the field is required",
    "model_type": "an object",
    "string_pattern_mismatch": "text matching {pattern}",
    "string_too_long": "up to {max_length} characters",
    "string_too_short": "at least {min_length} characters",
    "string_type": "text",
    "timezone_aware": _TIME,
    "too_long": "at most {max_length} entries",
    "too_short": "at least {min_length} entries",
}


def field_problems(errors: Sequence[ErrorDetails], document: Any, prefix: str = "") -> list[FieldProblem]:
    """One problem a field, in the order of the schema.

    For a field of several allowed types pydantic reports errors of every type. Type errors are dropped where another
    type fitted: a profile text that is too long is not reported as "not an object" too.
    """
    by_field: dict[tuple[str, ...], list[ErrorDetails]] = defaultdict(list)
    for error in errors:
        by_field[_path(error, document)].append(error)
    found = []
    for path, group in by_field.items():
        real = [error for error in group if not error["type"].endswith("_type")]
        deeper = any(other[: len(path)] == path and other != path for other in by_field)
        if real or not deeper:
            found.append(_problem(path, real or group, prefix))
    return found


def _path(error: ErrorDetails, document: Any) -> tuple[str, ...]:
    """Part of an error's location that lies in the document; the rest names branches of pydantic unions."""
    parts: list[str] = []
    value = document
    for part in error["loc"]:
        if _contains(value, part):
            value = value[part]
            parts.append(str(part))
    if error["type"] == "missing":
        parts.append(str(error["loc"][-1]))
    return tuple(parts)


def _contains(value: Any, part: int | str) -> bool:
    if isinstance(value, list):
        return isinstance(part, int) and part < len(value)
    return isinstance(value, dict) and part in value


def _problem(path: tuple[str, ...], errors: Sequence[ErrorDetails], prefix: str) -> FieldProblem:
    messages = dict.fromkeys(error["msg"].removeprefix("Value error, ") for error in errors)
    allowed = dict.fromkeys(_allowed(error) for error in errors)
    field = ".".join(part for part in (prefix, *path) if part)
    received = "" if errors[0]["type"] == "missing" else _excerpt(errors[0]["input"])
    return FieldProblem(field or "body", "; ".join(messages), received, " or ".join(allowed))


def _allowed(error: ErrorDetails) -> str:
    limits: Mapping[str, Any] = error.get("ctx", {})
    template = _ALLOWED.get(error["type"])
    if template is None:
        return error["msg"].removeprefix("Value error, ")
    return template.format(**{name: f"{v:,}" if isinstance(v, int) else v for name, v in limits.items()})


def _excerpt(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=True, default=str) if not isinstance(value, str) else value
    printable = "".join(char if char.isprintable() else " " for char in text[: _SHOWN + 1])
    return printable if len(text) <= _SHOWN else printable[:_SHOWN] + "…"
