"""Storage of runs and baselines, and the final step of every `eval` command."""

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
    """Options of a command: baseline to compare with, name to save the run under, tolerated loss."""

    baseline: str | None = None
    save: str | None = None
    tolerance: float = TOLERANCE

    def __post_init__(self) -> None:
        """Validate the name before anything runs."""
        if self.save is not None and not _NAME.fullmatch(self.save):
            raise GateError(
                f"{self.save!r} is not a valid baseline name; allowed: up to 64 letters, digits, '.', '_', '-', "
                "starting with a letter or digit"
            )

    def check(self, command: str, folder: Path) -> None:
        """Check that the baseline exists, before anything runs.

        Raises:
            GateError: It does not exist.
        """
        if self.baseline is not None:
            load_baseline(command, self.baseline, folder)


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Identity of a run: command, mode (which of its cases), and prompt labels."""

    command: str
    mode: str
    prompts: tuple[str, ...]


def compare_run(run: RunSpec, rows: Sequence[Row], gate: Gate, settings: Settings, *, json: bool) -> list[str]:
    """Store the rows of a run and compare them with the baseline; returns the groups that got worse."""
    folder = DataFolder(settings.data_dir)
    versions = current_versions(Registry(folder.models), run.prompts)
    summary = Summary(command=run.command, mode=run.mode, made_at=now(), versions=versions, rows=rows)
    comparison = finish(summary, gate, folder.root / "eval", quiet=json)
    return [] if comparison is None else comparison.regressions


def finish(summary: Summary, gate: Gate, folder: Path, *, quiet: bool, logs: Path | None = None) -> Comparison | None:
    """Store a run under its version key, compare it with the baseline, and save it as a baseline, as `gate` requires.

    Args:
        summary: The run.
        gate: Options of the command.
        folder: Folder `eval` in the data folder.
        quiet: Whether to print nothing.
        logs: Logs to move next to the summary.

    Returns:
        The comparison, None without a baseline.

    Raises:
        GateError: The baseline does not exist or is not comparable.
    """
    stored = folder / "runs" / summary.command / f"{summary.made_at:%Y%m%dT%H%M%S}-{summary.versions.key}"
    summary.save(stored / "summary.json")
    write_summary(summary, stored / "summary.html")
    if logs is not None:
        shutil.move(logs, stored / "log")
    comparison = None
    if gate.baseline is not None:
        baseline = load_baseline(summary.command, gate.baseline, folder)
        comparison = compare(baseline, summary, gate.tolerance)
        facts = jsonlib.dumps(_facts(comparison), indent=1, ensure_ascii=False)
        (stored / "comparison.json").write_text(facts, "utf-8")
        write_comparison(comparison, stored / "comparison.html")
        if not quiet:
            print_comparison(comparison)
    if gate.save is not None:
        summary.save(_baseline_path(summary.command, gate.save, folder))
    return comparison


def load_baseline(command: str, name: str, folder: Path) -> Summary:
    """Load a baseline by name (from the data folder, else from those shipped with Pricesmith) or by path.

    Raises:
        GateError: It does not exist.
    """
    if name.endswith(".json"):
        if not Path(name).is_file():
            raise GateError(f"there is no baseline file {name}; remedy: save a good run with --save-baseline NAME")
        return Summary.load(Path(name))
    saved = _baseline_path(command, name, folder)
    if saved.is_file():
        return Summary.load(saved)
    shipped = files("eval") / "baselines" / f"{command}-{name}.json"
    if not shipped.is_file():
        raise GateError(
            f"there is no baseline {name!r} of eval {command}; remedy: save a good run with --save-baseline {name}"
        )
    with as_file(shipped) as path:
        return Summary.load(path)


def _baseline_path(command: str, name: str, folder: Path) -> Path:
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
