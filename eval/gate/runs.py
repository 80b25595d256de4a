"""Where runs and baselines are kept, and what every `eval` command does at its end."""

import json as jsonlib
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Final

from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from eval.gate.compare import TOLERANCE, Comparison, compare
from eval.gate.report import print_comparison, write_comparison, write_summary
from eval.gate.rows import GateError, Row, Summary, current_versions, now
from models.registry.registry import Registry

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Gate:
    """What the options of a command ask for: a baseline to hold against, one to save, how much may be lost."""

    baseline: str | None = None
    save: str | None = None
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        """Check the name that a baseline is saved under, before anything runs."""
        if self.save is not None and not _NAME.fullmatch(self.save):
            raise GateError(f"{self.save!r} is no name of a baseline; allowed: letters, digits, '.', '_', '-'")

    def check(self, command: str, folder: Path) -> None:
        """See that the baseline is there, before anything runs.

        Raises:
            GateError: It is not.
        """
        if self.baseline is not None:
            load_baseline(command, self.baseline, folder)


@dataclass(frozen=True, slots=True)
class RunOf:
    """Which run it was: the command, which cases of it, and the prompts that it used."""

    command: str
    mode: str
    prompts: tuple[str, ...]


def gated(run: RunOf, rows: Sequence[Row], gate: Gate, settings: Settings, *, json: bool) -> list[str]:
    """Keep a run's rows, compare and print; returns what got worse than the baseline."""
    folder = DataFolder(settings.data_dir)
    versions = current_versions(Registry(folder.models), run.prompts)
    summary = Summary(command=run.command, mode=run.mode, made_at=now(), versions=versions, rows=rows)
    comparison = finish(summary, gate, folder.root / "eval", quiet=json)
    return [] if comparison is None else comparison.regressions


def finish(summary: Summary, gate: Gate, folder: Path, *, quiet: bool, logs: Path | None = None) -> Comparison | None:
    """Keep a run under its version key, compare it with its baseline, save it as one; None without a baseline.

    Args:
        summary: The run.
        gate: The command's options.
        folder: The data folder's `eval`.
        quiet: Whether to print nothing.
        logs: Logs to keep beside the summary; they are moved.

    Raises:
        GateError: There is no such baseline, or it cannot be compared.
    """
    kept = folder / "runs" / summary.command / f"{summary.made_at:%Y%m%dT%H%M%S}-{summary.versions.key}"
    summary.save(kept / "summary.json")
    write_summary(summary, kept / "summary.html")
    if logs is not None:
        shutil.move(logs, kept / "log")
    comparison = None
    if gate.baseline is not None:
        baseline = load_baseline(summary.command, gate.baseline, folder)
        comparison = compare(baseline, summary, gate.tolerance)
        (kept / "comparison.json").write_text(jsonlib.dumps(_facts(comparison), indent=1, ensure_ascii=False), "utf-8")
        write_comparison(comparison, kept / "comparison.html")
        if not quiet:
            print_comparison(comparison)
    if gate.save is not None:
        summary.save(_saved(summary.command, gate.save, folder))
    return comparison


def load_baseline(command: str, name: str, folder: Path) -> Summary:
    """A baseline by name, the data folder's before those that Pricesmith ships; or by the path of its file.

    Raises:
        GateError: There is none.
    """
    if name.endswith(".json"):
        if not Path(name).is_file():
            raise GateError(f"there is no baseline {name}; remedy: --save-baseline NAME on a run that is good")
        return Summary.load(Path(name))
    own = _saved(command, name, folder)
    if own.is_file():
        return Summary.load(own)
    shipped = files("eval") / "baselines" / f"{command}-{name}.json"
    if not shipped.is_file():
        raise GateError(
            f"there is no baseline {name!r} of eval {command}; remedy: --save-baseline {name} on a good run"
        )
    with as_file(shipped) as path:
        return Summary.load(path)


def _saved(command: str, name: str, folder: Path) -> Path:
    return folder / "baselines" / command / f"{name}.json"


def _facts(comparison: Comparison) -> dict[str, object]:
    return {
        "tolerance": comparison.tolerance,
        "regressions": comparison.regressions,
        "baseline": comparison.baseline.versions.model_dump(mode="json"),
        "current": comparison.current.versions.model_dump(mode="json"),
        "groups": [asdict(one) for one in comparison.groups],
        "new": list(comparison.new),
    }
