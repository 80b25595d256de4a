"""`prompts`: published prompts, what changed between versions, and whether they are as they were published."""

import difflib
import re
import sys
from typing import Annotated

import typer

from agent.cli.options import Json
from agent.cli.output import print_json, print_table
from prompts import Prompt, PromptError, golden, load_prompt, prompt_versions

app = typer.Typer(no_args_is_help=True, help="List, show, compare and test prompts.")
_LABEL = re.compile(r"([a-z_]+)/v(\d{3})")

Label = Annotated[str, typer.Argument(help="For example strategist/v001.")]


@app.command("list")
def list_prompts(json: Json = False) -> None:
    """Every published version. Example: pricesmith prompts list."""
    rows = [(label, ", ".join(_prompt(label).variables), _prompt(label).sha256[:12]) for label in prompt_versions()]
    columns = ("prompt", "variables", "sha256")
    print_json([dict(zip(columns, row, strict=True)) for row in rows]) if json else print_table(
        "Prompts", columns, rows
    )


@app.command("show")
def show(label: Label, json: Json = False) -> None:
    """One version's text. Example: pricesmith prompts show strategist/v001."""
    prompt = _prompt(label)
    if json:
        variables = {name: variable.model_dump() for name, variable in prompt.variables.items()}
        print_json({"prompt": prompt.label, "system": prompt.system, "user": prompt.user, "variables": variables})
    else:
        sys.stdout.write(f"{_text(prompt)}\n")


@app.command("diff")
def diff(first: Label, second: Label) -> None:
    """What changed from one version to another. Example: pricesmith prompts diff strategist/v001 strategist/v002."""
    one, other = _text(_prompt(first)).splitlines(), _text(_prompt(second)).splitlines()
    sys.stdout.writelines(f"{line}\n" for line in difflib.unified_diff(one, other, first, second, lineterm=""))


@app.command("test")
def test(json: Json = False) -> None:
    """Load each version against the lock and render it as its golden text has it; exit code 1 when one fails.

    Example: pricesmith prompts test
    """
    found = {label: _problem(label) for label in prompt_versions()}
    rows = [(label, problem or "ok") for label, problem in found.items()]
    print_json(dict(rows)) if json else print_table("Prompts", ("prompt", "result"), rows)
    if any(found.values()):
        raise typer.Exit(1)


def _problem(label: str) -> str | None:
    """Why a prompt cannot be used: it differs from lock or golden text, or a variable does not reach the text."""
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
        raise PromptError(f"{label[:60]!r} names no prompt; allowed: {', '.join(prompt_versions())}")
    return load_prompt(match.group(1), int(match.group(2)))


def _text(prompt: Prompt) -> str:
    return "\n".join(part for part in (prompt.system, prompt.user) if part)
