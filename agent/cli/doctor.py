"""`doctor`: a check-up of this installation."""

import os
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, home_settings
from agent.cli.output import print_json, progress_bar
from agent.service.doctor.finding import Finding, Level
from agent.service.settings_reading import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_COLOURS: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_WIDTH: Final = max(map(len, Level))


def doctor(data_dir: DataDir = None, json: Json = False) -> None:
    """Check this installation and say how to repair it.

    Looks at settings, processor, memory, disk, models, database, indexes, keys and port, and changes nothing. A warning
    says that Pricesmith works, but slower or not for long; a problem, that a command or the server cannot work. Exit
    code 1 when there is a problem.

    Example: pricesmith doctor --data-dir ./data
    """
    findings = _findings(data_dir, json)
    problems = sum(one.level is Level.PROBLEM for one in findings)
    warnings = sum(one.level is Level.WARNING for one in findings)
    if json:
        print_json({"problems": problems, "warnings": warnings, "findings": [asdict(one) for one in findings]})
    else:
        _print(findings)
        typer.echo(f"\n{_counted(problems, 'problem')}, {_counted(warnings, 'warning')}")
    if problems:
        raise typer.Exit(ExitCode.FAILED)


def _findings(data_dir: "Path | None", json: bool) -> list[Finding]:
    try:
        settings = home_settings(data_dir)
    except SettingsError as error:
        return [Finding("settings", Level.PROBLEM, one, "change or unset the variable") for one in error.problems]
    from agent.service.doctor.checkup import check_up  # loads FAISS and the store: not for help and completion

    with progress_bar(quiet=json) as progress:
        return list(check_up(settings, os.environ, progress))


def _print(findings: Sequence[Finding]) -> None:
    width = max(len(one.check) for one in findings)
    indent = " " * (_WIDTH + width + 4)
    for one in findings:
        level = typer.style(f"{one.level:<{_WIDTH}}", fg=_COLOURS[one.level])
        typer.echo(f"{level}  {one.check:<{width}}  {one.detail}")
        if one.remedy:
            typer.echo(f"{indent}remedy: {one.remedy}")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" + ("" if count == 1 else "s")
