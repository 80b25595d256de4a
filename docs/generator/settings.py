"""The page of settings: every field of `Settings` with its variable, bounds, default and docstring."""

import ast
import inspect
import re
from enum import EnumType
from itertools import pairwise
from typing import Any, Final

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from agent.service.settings import Settings
from docs.generator.markdown import table

_TYPES: Final = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "Path": "path",
    "HttpUrl": "URL",
    "SecretStr": "secret text",
}
_BOUNDS: Final = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_INTRO: Final = """# Settings

Settings are environment variables. They are read once, where a command or the service starts. `--data-dir` goes before
`PRICESMITH_DATA_DIR`; `pricesmith serve --host` and `--port` go before theirs. Limits, weights and exploration hold
until a version of the [rules](../explanation/trust.md#rules) says otherwise."""


def settings_page() -> str:
    """The page's text."""
    told = attribute_docstrings(Settings)
    prefix = str(Settings.model_config["env_prefix"])
    rows = [
        (f"`{prefix}{name.upper()}`", _kind(field), _default(field), told[name])
        for name, field in Settings.model_fields.items()
    ]
    return f"{_INTRO}\n\n{table(('variable', 'takes', 'default', 'meaning'), rows)}\n"


def attribute_docstrings(kind: type) -> dict[str, str]:
    """The string literal under each annotated field of a class."""
    body = getattr(ast.parse(inspect.getsource(kind)).body[0], "body", [])
    found = {}
    for field, below in pairwise(body):
        named = isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if named and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[field.target.id] = str(below.value.value)
    return found


def _kind(field: FieldInfo) -> str:
    """A field's type in words, with its bounds."""
    annotation: Any = field.annotation
    if annotation == tuple[str, ...]:
        return "list, separated by commas"
    if isinstance(annotation, EnumType):
        return ", ".join(f"`{member.value}`" for member in annotation)  # type: ignore[var-annotated]
    shown = annotation.__name__ if isinstance(annotation, type) else re.sub(r"[\w.]+\.", "", str(annotation))
    words = [word.strip() for word in shown.split("|") if word.strip() != "None"]
    bounds = [
        f"{text} {getattr(one, sign):,}"
        for one in field.metadata
        for sign, text in _BOUNDS.items()
        if hasattr(one, sign)
    ]
    return ", ".join([" or ".join(_TYPES.get(word, word) for word in words), *bounds])


def _default(field: FieldInfo) -> str:
    value = field.default
    if value is None or value == () or value is PydanticUndefined:
        return "none"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{getattr(value, 'value', value)}`"
