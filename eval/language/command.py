"""Implementation of `pricesmith eval prompts`."""

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
from eval.language.run import Plan, run, strict_failures
from models.progress import Progress
from prompts import Prompt, load_prompt, read_draft


@dataclass(frozen=True, slots=True)
class CaseSelection:
    """Cases to run, and unpublished prompts that replace the active ones."""

    suites: tuple[Suite, ...]
    quick: bool
    drafts: tuple[Path, ...]


def prompts_command(
    settings: Settings, selection: CaseSelection, gate: Gate, progress: Progress, *, json: bool
) -> bool:
    """Run the cases, store, compare and print the results; returns whether the run passed."""
    folder = DataFolder(settings.data_dir)
    eval_folder = folder.root / "eval"
    gate.check("prompts", eval_folder)
    prepare_models(folder, progress)
    strategist, narrator = _prompts(settings, selection.drafts)
    with TemporaryDirectory(prefix="pricesmith-log-") as logs:
        plan = Plan(folder.models, strategist, narrator, selection.suites, selection.quick, Path(logs) / "log")
        summary = run(plan, progress)
        comparison = finish(summary, gate, eval_folder, quiet=json, logs=plan.logs)
    failed = strict_failures(summary, None if comparison is None else comparison.baseline)
    lost = [] if comparison is None else comparison.regressions
    if json:
        print_json({"groups": summary_rows(summary), "failed": failed, "regressions": lost})
    else:
        print_summary(summary)
    for line in failed:
        sys.stderr.write(f"pricesmith: strict case failed: {line}\n")
    for line in lost:
        sys.stderr.write(f"pricesmith: regression: {line}\n")
    return not failed and not lost


def _prompts(settings: Settings, drafts: tuple[Path, ...]) -> tuple[Prompt, Prompt]:
    """Load the active prompts of strategist and narrator, replaced by drafts of the same name."""
    prompts = {
        "strategist": load_prompt("strategist", settings.prompt_version),
        "explanation": load_prompt("explanation", 1),
    }
    for path in drafts:
        draft = read_draft(path)
        prompts[draft.name] = draft
    return prompts["strategist"], prompts["explanation"]
