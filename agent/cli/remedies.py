"""Remedies that can be typed as they stand: commands that they name get the data folder of the command that failed."""

import re
from collections.abc import Sequence
from shlex import quote
from typing import Final

_FOLDER: Final = "--data-dir"
_GROUPS: Final = frozenset(
    ("audit", "data", "eval", "import", "keys", "merchants", "models", "rules", "shoppers", "webhooks")
)
_NO_FOLDER: Final = frozenset(("init", "prompts"))
_CALL: Final = re.compile(r"\bpricesmith (?P<first>[a-z][a-z-]*)(?P<second> [a-z][a-z-]*)?(?P<rest>[^;,`]*)")


def with_data_dir(message: str, arguments: Sequence[str]) -> str:
    """An error message whose commands name the folder that `arguments` name; unchanged where they name none."""
    folder = _folder_of(arguments)
    return message if folder is None else _CALL.sub(lambda call: _with(call, folder), message)


def _folder_of(arguments: Sequence[str]) -> str | None:
    for place, word in enumerate(arguments):
        if word == _FOLDER and place + 1 < len(arguments):
            return arguments[place + 1]
        if word.startswith(f"{_FOLDER}="):
            return word.partition("=")[2]
    return None


def _with(call: "re.Match[str]", folder: str) -> str:
    first, second, rest = call["first"], call["second"] or "", call["rest"]
    if first in _NO_FOLDER or _FOLDER in rest or (first in _GROUPS and not second):
        return call.group()
    words = f"{first}{second}" if first in _GROUPS else first
    after = rest if first in _GROUPS else f"{second}{rest}"
    return f"pricesmith {words} {_FOLDER} {quote(folder)}{after}"
