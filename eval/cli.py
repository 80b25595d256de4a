"""Measure prompts, models and policies, and tell what got worse.

The first line is what `pricesmith --help` says of `eval`. Protocols are imported when they are run.
"""

import json as jsonlib
import sys
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.errors import MissingExtra
from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_json, progress_bar
from agent.store.data_folder import DataFolder
from eval.encoder.command import encoder
from eval.fairness.command import fairness
from eval.options import Out
from eval.own_command import own

app = typer.Typer(no_args_is_help=True, help="Measure prompts, models and policies, and tell what got worse.")


Baseline = Annotated[
    str | None,
    typer.Option(help="Baseline to compare with, by name or file; exit code 1 when something is worse."),
]
SaveBaseline = Annotated[
    str | None, typer.Option("--save-baseline", help="Name under which this run is kept as a baseline.")
]
Tolerance = Annotated[
    float, typer.Option(min=0, max=1, help="With --baseline: share of a group's mean that may be lost.")
]


class Split(StrEnum):
    """Weeks of the demo data that are scored: 41 to 44 for choosing, 45 to 52 for one final report."""

    VALIDATION = "validation"
    TEST = "test"


@app.callback()
def group() -> None:
    """Measure prompts, models and policies, and tell what got worse."""


@app.command("prompts")
def prompts(
    suites: Annotated[
        list[str] | None, typer.Option("--only", help="Suite of cases, repeatable. Default: all.", show_default=False)
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Run a fixed fifth of the cases, which takes about a minute.")
    ] = False,
    drafts: Annotated[
        list[Path] | None,
        typer.Option("--prompt", help="Prompt file to use in place of the active prompt of its name, repeatable."),
    ] = None,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    tolerance: Tolerance = 0.02,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Run the cases of proposals, explanations, questions, injections.

    665 cases in English and Chinese, without network. Needs the extra `eval`: pip install 'pricesmith[eval]'. Models
    are installed first where they are not. Exit code 1 when a case that must never fail does (an invalid proposal, an
    invented number, a leak), or when something is worse than the baseline.

    Example: pricesmith eval prompts --quick --baseline quick

    Example: pricesmith eval prompts --prompt my-strategist.yaml --baseline main
    """
    try:
        from eval.gate import Gate
        from eval.language.cases import Suite
        from eval.language.command import CaseSelection, prompts_command
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name, "eval") from None
    unknown = [name for name in suites or () if name not in tuple(Suite)]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; allowed: {', '.join(Suite)}", param_hint="--only")
    selection = CaseSelection(tuple(map(Suite, suites or Suite)), quick, tuple(drafts or ()))
    with progress_bar(quiet=json) as progress:
        gate = Gate(baseline, save_baseline, tolerance)
        if not prompts_command(settings_for(data_dir), selection, gate, progress, json=json):
            raise typer.Exit(ExitCode.FAILED)


app.command("fairness")(fairness)


@app.command("models")
def models(
    split: Annotated[
        Split, typer.Option(help="Weeks to score: validation for choosing, test for one final report.")
    ] = Split.VALIDATION,
    quick: Annotated[
        bool, typer.Option("--quick", help="Leave out learning curve and ablations: a third of the time.")
    ] = False,
    out: Out = None,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    tolerance: Tolerance = 0.02,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure demand, next basket and strategist beside their peers.

    On the demo data; peers are trained again each time. Needs the extra `eval` and the demo store. Takes about twenty
    minutes on two cores. Exit code 1 when a probability rises with price, the log loss is above LightGBM's or the
    candidates' regret is clearly above its goal, or when something is worse than the baseline.

    Example: pricesmith eval models --split test

    Example: pricesmith eval models --quick --baseline main --tolerance 0.005
    """
    try:
        from eval.gate import Gate, RunSpec, compare_run
        from eval.gate.models_rows import models_rows
        from eval.models.baskets import evaluate_baskets
        from eval.models.report import print_report, write_page
        from eval.models.run import evaluate_demand, regressions
        from eval.strategist.protocol import evaluate_strategist
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name, "eval") from None
    from models.registry.registry import Registry
    from prompts import load_prompt

    settings = settings_for(data_dir)
    folder = DataFolder(settings.data_dir)
    registry, target = Registry(folder.models), out or folder.root / "eval"
    target.mkdir(parents=True, exist_ok=True)
    gate = Gate(baseline, save_baseline, tolerance)
    gate.check("models", folder.root / "eval")
    with progress_bar(quiet=json) as progress:
        report = evaluate_demand(registry, folder.root / "eval", split.value, progress, full=not quick)
        report = evaluate_baskets(report, registry, progress)
        prompt = load_prompt("strategist", settings.prompt_version)
        strategist = evaluate_strategist(registry, folder.root / "eval", split.value, prompt, progress)
        report = replace(report, strategist=strategist)
    facts = asdict(report)
    (target / f"models-{split}.json").write_text(jsonlib.dumps(facts, indent=1) + "\n", "utf-8")
    write_page(report, target / f"models-{split}.html")
    if json:
        print_json(facts)
    else:
        print_report(report)
        sys.stdout.write(f"report: {target / f'models-{split}.html'}\n")
    run = RunSpec("models", f"{split}{', quick' if quick else ''}", (prompt.label,))
    lost = regressions(report) + compare_run(run, models_rows(report), gate, settings, json=json)
    for line in lost:
        sys.stderr.write(f"pricesmith: regression: {line}\n")
    if lost:
        raise typer.Exit(ExitCode.FAILED)


app.command("own")(own)
app.command("encoder")(encoder)


class PolicySuite(StrEnum):
    """Experiments on simulated shops."""

    SIMULATORS = "simulators"
    COLD_START = "cold-start"
    WEIGHTS = "weights"
    REDRAWN = "redrawn"


class PolicyPeers(StrEnum):
    """Policies beside Pricesmith: the built-in ones, or also those of other packages."""

    OWN = "own"
    ALL = "all"


class PolicyOver(StrEnum):
    """Way to ask for quotes: in this process, or over HTTP."""

    PROCESS = "process"
    HTTP = "http"


@app.command("policy")
def policy(
    suite: Annotated[
        PolicySuite,
        typer.Option(
            help="simulators: whole shops; redrawn: 20 shops (with --seeds 20) of each of four kinds of demand; "
            "cold-start: launches of new products; weights: profit against satisfaction."
        ),
    ] = PolicySuite.SIMULATORS,
    worlds: Annotated[
        list[str] | None, typer.Option("--world", help="Simulated shop, repeatable. Default: all.")
    ] = None,
    visits: Annotated[int, typer.Option(min=100, help="Visits to each shop in a run.")] = 5_000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each shop and policy.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="Run 1,000 visits with one seed.")] = False,
    peers: Annotated[
        PolicyPeers, typer.Option(help="own: built-in policies; all: also those that `make peers` installs.")
    ] = PolicyPeers.OWN,
    only: Annotated[
        list[str] | None, typer.Option("--policy", help="Policy by name, repeatable. Default: all.")
    ] = None,
    over: Annotated[
        PolicyOver, typer.Option(help="process: in this process; http: from a server that is started for it.")
    ] = PolicyOver.PROCESS,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep finished runs, and go on after those that are kept.")
    ] = False,
    log: Annotated[
        str | None,
        typer.Option(help="Judge on a decision log instead: `store` for the data folder's, a SQLite file or a URL."),
    ] = None,
    candidate: Annotated[
        list[str] | None,
        typer.Option(help="With --log: KIND/VERSION to judge, repeatable. Default: the active versions."),
    ] = None,
    estimators: Annotated[
        bool, typer.Option("--estimators", help="Measure bias and coverage of the estimators that --log uses.")
    ] = False,
    out: Out = None,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    tolerance: Tolerance = 0.02,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure pricing policies on simulated shops, or on your own log.

    Needs the extra `eval` and installed models. On simulated shops, whose truth is known, exit code 1 says that a price
    left its limits, that Pricesmith earned less than holding the reference price, or that something is worse than the
    baseline. With --log it says that the candidate may not go live: its lower bound does not beat the best price for
    everyone, or the log is too short to tell. The proof that it may go live is kept for `pricesmith models activate`.

    Example: pricesmith eval policy --suite simulators --world courses --world rooms --visits 2000

    Example: pricesmith eval policy --quick --baseline main

    Example: pricesmith eval policy --log store --candidate evaluator/v5
    """
    if log is not None or estimators:
        _off_policy(log, candidate or [], out, data_dir, json=json, quick=quick)
        return
    try:
        from eval.gate import Gate, RunSpec, compare_run
        from eval.gate.policy_rows import policy_rows
        from eval.policy import command
        from eval.policy.clients import Over
        from eval.policy.suites import WORLDS, Peers, Suite, regressions
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name, "eval") from None
    unknown = [name for name in worlds or () if name not in WORLDS]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; allowed: {', '.join(WORLDS)}", param_hint="--world")
    settings = settings_for(data_dir)
    folder = DataFolder(settings.data_dir)
    target = out or folder.root / "eval"
    target.mkdir(parents=True, exist_ok=True)
    gate = Gate(baseline, save_baseline, tolerance)
    gate.check("policy", folder.root / "eval")
    chosen, count = (1_000, 1) if quick else (visits, seeds)
    wanted = Suite(
        worlds=tuple(worlds or WORLDS),
        visits=chosen,
        seeds=count,
        models=folder.models,
        peers=Peers(peers),
        over=Over(over),
        only=tuple(only or ()),
        keep=target / "policy-runs" if resume else None,
    )
    with progress_bar(quiet=json) as progress:
        if suite is PolicySuite.COLD_START:
            command.cold_start_command(wanted, target, progress, json=json)
            return
        if suite is PolicySuite.WEIGHTS:
            command.weights_command(wanted, target, progress, json=json)
            return
        if suite is PolicySuite.REDRAWN:
            command.redrawn_command(wanted, target, count, progress, json=json)
            return
        report = command.simulators_command(wanted, target, progress, json=json)
    run = RunSpec("policy", f"{chosen} visits, {count} seeds", ())
    lost = regressions(report) + compare_run(run, policy_rows(report), gate, settings, json=json)
    for line in lost:
        sys.stderr.write(f"pricesmith: regression: {line}\n")
    if lost:
        raise typer.Exit(ExitCode.FAILED)


def _off_policy(
    log: str | None, candidate: list[str], out: Path | None, data_dir: Path | None, *, json: bool, quick: bool
) -> None:
    from eval.off_policy.command import estimators_command, log_command

    settings = settings_for(data_dir)
    target = out or DataFolder(settings.data_dir).root / "eval"
    target.mkdir(parents=True, exist_ok=True)
    with progress_bar(quiet=json) as progress:
        if log is None:
            estimators_command(target, progress, json=json, quick=quick)
            return
        promotes = log_command(settings, (log, candidate), target, progress, json=json)
    if not promotes:
        raise typer.Exit(ExitCode.FAILED)
