"""`prompts`: published prompts, their differences, and whether they are as they were published."""

import difflib
import re
import sys
from typing import Annotated

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.options import Json
from agent.cli.output import print_json, print_table
from prompts import Prompt, PromptError, golden, load_prompt, prompt_versions

app = typer.Typer(no_args_is_help=True, help="List, show, compare and test prompts.")
_LABEL = re.compile(r"([a-z_]+)/v(\d{3})")

Label = Annotated[str, typer.Argument(help="Name and version of a prompt, for example strategist/v001.")]


@app.command("list")
def list_prompts(json: Json = False) -> None:
    """List every published version.

    Example: pricesmith prompts list
    """
    rows = [(label, ", ".join(_prompt(label).variables), _prompt(label).sha256[:12]) for label in prompt_versions()]
    columns = ("prompt", "variables", "sha256")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("Prompts", columns, rows)


@app.command("show")
def show(label: Label, json: Json = False) -> None:
    """Show the text of one version.

    Example: pricesmith prompts show strategist/v001
    """
    prompt = _prompt(label)
    if json:
        variables = {name: variable.model_dump() for name, variable in prompt.variables.items()}
        print_json({"prompt": prompt.label, "system": prompt.system, "user": prompt.user, "variables": variables})
    else:
        sys.stdout.write(f"{_text(prompt)}\n")


@app.command("diff")
def diff(first: Label, second: Label, json: Json = False) -> None:
    """Show the lines in which two versions differ.

    Example: pricesmith prompts diff strategist/v001 strategist/v002
    """
    one, other = _text(_prompt(first)).splitlines(), _text(_prompt(second)).splitlines()
    lines = list(difflib.unified_diff(one, other, first, second, lineterm=""))
    if json:
        print_json({"first": first, "second": second, "diff": lines})
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines)


@app.command("test")
def test(json: Json = False) -> None:
    """Check every version against its lock and its golden text.

    Exit code 1 when one was changed after it was published, or renders otherwise than its golden text.

    Example: pricesmith prompts test
    """
    found = {label: _problem(label) for label in prompt_versions()}
    rows = [(label, problem or "ok") for label, problem in found.items()]
    print_json(dict(rows)) if json else print_table("Prompts", ("prompt", "result"), rows)
    if any(found.values()):
        raise typer.Exit(ExitCode.FAILED)


def _problem(label: str) -> str | None:
    """Problem of a prompt: it differs from lock or golden text, or a variable does not reach the text."""
    try:
        prompt = _prompt(label)
        expected = golden(prompt.name, prompt.version)
        found = prompt.render(**expected.values).text
        if found != expected.text:
            return "\n".join(difflib.unified_diff([expected.text], [found], "golden", "rendered", lineterm=""))
        marks = {name: f"mark{index}" for index, name in enumerate(prompt.variables)}
        rendered = prompt.render(**marks).text
    except PromptError as error:
        return str(error)
    lost = [name for name, mark in marks.items() if mark not in rendered]
    return f"variables {', '.join(lost)} do not reach the text" if lost else None


def _prompt(label: str) -> Prompt:
    match = _LABEL.fullmatch(label)
    if match is None:
        raise PromptError(f"no prompt is called {label[:60]!r}; allowed: {', '.join(prompt_versions())}")
    return load_prompt(match.group(1), int(match.group(2)))


def _text(prompt: Prompt) -> str:
    return "\n".join(part for part in (prompt.system, prompt.user) if part)
