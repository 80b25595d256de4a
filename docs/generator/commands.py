"""The pages of commands and exit codes, from the command line's own objects."""

import inspect
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, get_args

import typer

from agent.cli.main import app
from docs.generator.markdown import table

EXIT_CODES: Final = "agent.cli.exit_codes"
_EXITS: Final[Mapping[int, str]] = {
    0: "The command did what it was asked.",
    1: "An expected error, told in one line with its remedy; or a check that found something wrong.",
    2: "The command line was not understood.",
}
_TYPES: Final = {int: "whole number", float: "number", str: "text", Path: "path", bool: "flag"}
_INTRO: Final = """# Commands

Every command has `--help`. The data folder is `--data-dir` or `PRICESMITH_DATA_DIR`, default `data`. `--json` prints
one JSON document instead of text. [Exit codes](exit-codes.md) are the same everywhere. The commands under
`pricesmith eval` need the extra `eval`."""


def commands_page() -> str:
    """Every command with its arguments and options."""
    sections = [_section(words, command) for words, command in commands() if not is_group(command) or command.params]
    return "\n\n".join([_INTRO, *sections]) + "\n"


def exit_codes_page() -> str:
    """The table of exit codes: the command line's own where it has one."""
    found: Mapping[Any, str] = _EXITS
    if find_spec(EXIT_CODES) is not None:
        module = import_module(EXIT_CODES)
        found = getattr(module, "MEANINGS", _EXITS)
    rows = [(f"`{int(code)}`", text) for code, text in found.items()]
    return f"# Exit codes\n\nThe number that a command gives back to the shell.\n\n{table(('code', 'means'), rows)}\n"


def commands() -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every group and command with the words that call it, groups before what is in them."""
    yield from _walk(typer.main.get_command(app), ("pricesmith",))


def is_group(command: Any) -> bool:
    """Whether a command holds others."""
    return hasattr(command, "list_commands")


def _walk(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, command
    if not is_group(command):
        return
    context = command.context_class(command, info_name=words[-1])
    for name in sorted(command.list_commands(context)):
        below = command.get_command(context, name)
        if below is not None and not below.hidden:
            yield from _walk(below, (*words, name))


def _section(words: tuple[str, ...], command: Any) -> str:
    """Heading, help, example and a table of parameters."""
    told, examples = _told(command.help or "")
    shown = [one for one in command.params if not getattr(one, "hidden", False) and one.name != "help"]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    options = [one for one in shown if one.param_type_name != "argument"]
    called = " ".join([*words, *(_called(one) for one in arguments)])
    called += (" [OPTIONS]" if options else "") + (" COMMAND" if is_group(command) else "")
    parts = [f"## {' '.join(words)}", told, f"```text\n{called}\n```"]
    if examples:
        parts.append("\n".join(["For example:", "", "```sh", *examples, "```"]))
    rows = [(f"`{_called(one).strip('[]')}`", *_meaning(one)) for one in arguments]
    for one in options:
        names = [*one.opts, *one.secondary_opts]
        rows.append((", ".join(f"`{name}`" for name in names), *_meaning(one)))
    if rows:
        parts.append(table(("parameter", "takes", "meaning"), rows))
    return "\n\n".join(part for part in parts if part)


def _told(text: str) -> tuple[str, list[str]]:
    """A help text without its examples, and those."""
    flat = inspect.cleandoc(text)
    examples = [found.strip().removesuffix(".") for found in re.findall(r"Example: (.*)", flat)]
    return re.sub(r"[ \n]*Example: .*", "", flat).strip(), examples


def _called(argument: Any) -> str:
    name = str(argument.metavar or argument.name).upper()
    name += "..." if argument.nargs == -1 or argument.multiple else ""
    return name if argument.required else f"[{name}]"


def _meaning(parameter: Any) -> tuple[str, str]:
    """The values that a parameter takes, and its help with default and repetition."""
    told = [" ".join(str(parameter.help or "").split())]
    default = None if callable(parameter.default) else parameter.default
    flag = getattr(parameter, "is_flag", False)
    if parameter.required:
        told.append("Required.")
    elif default not in (None, (), []) and not flag:
        values = default if isinstance(default, list | tuple) else [default]
        told.append(f"Default: {', '.join(f'`{_plain(value)}`' for value in values)}.")
    elif flag and default is True:
        told.append("On by default.")
    if parameter.multiple and not flag and "epeatable" not in told[0]:
        told.append("Repeatable.")
    return _taken(parameter), " ".join(part for part in told if part)


def _taken(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return "flag"
    kind = parameter.type_descriptor.annotation
    while get_args(kind):
        kind = get_args(kind)[0]
    if hasattr(kind, "__members__"):
        return ", ".join(f"`{member.value}`" for member in kind)
    bounds = [f"at least {parameter.min:,}"] if parameter.min is not None else []
    bounds += [f"at most {parameter.max:,}"] if parameter.max is not None else []
    name = _TYPES.get(kind, "time" if kind is datetime else "text")
    return name + (f" ({', '.join(bounds)})" if bounds else "")


def _plain(value: Any) -> str:
    return str(getattr(value, "value", value))
