"""The command `pricesmith eval prompts`, from options to exit code."""

import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from agent.cli.output import print_json
from agent.service.ingest.preparation import prepare_models
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from eval.gate import Gate, finish
from eval.gate.report import print_summary, summary_rows
from eval.language.cases import Suite
from eval.language.run import Plan, broken, run
from models.progress import Progress
from prompts import Prompt, load_prompt, read_draft


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases, and prompts that are not published yet to put in place of the active ones."""

    suites: tuple[Suite, ...]
    quick: bool
    drafts: tuple[Path, ...]


def prompts_command(settings: Settings, wanted: Wanted, gate: Gate, progress: Progress, *, json: bool) -> bool:
    """Run, keep, compare and print; returns whether the run may pass."""
    folder = DataFolder(settings.data_dir)
    kept = folder.root / "eval"
    gate.check("prompts", kept)
    prepare_models(folder, progress)
    strategist, narrator = _prompts(settings, wanted.drafts)
    with TemporaryDirectory(prefix="pricesmith-log-") as logs:
        plan = Plan(folder.models, strategist, narrator, wanted.suites, wanted.quick, Path(logs) / "log")
        summary = run(plan, progress)
        comparison = finish(summary, gate, kept, quiet=json, logs=plan.logs)
    failed = broken(summary, None if comparison is None else comparison.baseline)
    lost = [] if comparison is None else comparison.regressions
    if json:
        print_json({"groups": summary_rows(summary), "failed": failed, "regressions": lost})
    else:
        print_summary(summary)
    for line in failed:
        sys.stderr.write(f"pricesmith: must never happen: {line}\n")
    for line in lost:
        sys.stderr.write(f"pricesmith: regression: {line}\n")
    return not failed and not lost


def _prompts(settings: Settings, drafts: tuple[Path, ...]) -> tuple[Prompt, Prompt]:
    """The active prompts of strategist and narrator, or the drafts that take their place."""
    own = {
        "strategist": load_prompt("strategist", settings.prompt_version),
        "explanation": load_prompt("explanation", 1),
    }
    for path in drafts:
        draft = read_draft(path)
        own[draft.name] = draft
    return own["strategist"], own["explanation"]
