"""`pricesmith eval`: regression runs over prompts, models and policies."""

import json as jsonlib
import sys
from dataclasses import asdict, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_json, progress_bar
from agent.store.data_folder import DataFolder
from eval.fairness.command import fairness

app = typer.Typer(no_args_is_help=True, help="Measure prompts, models and policies, and tell what got worse.")


Baseline = Annotated[
    str | None,
    typer.Option(help="A baseline, by name or file, to compare with; exit code 1 when worse."),
]
SaveBaseline = Annotated[str | None, typer.Option("--save-baseline", help="Keep this run as a baseline.")]
Tolerance = Annotated[float, typer.Option(min=0, max=1, help="How much of a group's mean may be lost.")]


class Split(StrEnum):
    """Weeks that are scored: 41-44 to choose on, 45-52 to report once."""

    VALIDATION = "validation"
    TEST = "test"


@app.callback()
def group() -> None:
    """Measure prompts, models and policies, and tell what got worse."""


@app.command("prompts")
def prompts(
    suites: Annotated[
        list[str] | None, typer.Option("--only", help="Suites of cases; all when left out.", show_default=False)
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A fixed fifth of the cases, about a minute.")] = False,
    drafts: Annotated[
        list[Path] | None,
        typer.Option("--prompt", help="A prompt file to evaluate in place of the active one of its name."),
    ] = None,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    tolerance: Tolerance = 0.02,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Proposals, explanations, understanding and injections: over 300 cases, English and Chinese, no network.

    Needs the extra `eval`; models are prepared where they are not. Exit code 1 when a case that may never fail does
    (an invalid proposal, an invented number, a leak), or when something got worse than the baseline.

    Example: pricesmith eval prompts --quick --baseline quick
    Example: pricesmith eval prompts --prompt my-strategist.yaml --baseline main
    """
    try:
        from eval.gate import Gate
        from eval.language.cases import Suite
        from eval.language.command import CaseSelection, prompts_command
    except ModuleNotFoundError as error:
        _missing(error)
    unknown = [name for name in suites or () if name not in tuple(Suite)]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; allowed: {', '.join(Suite)}", param_hint="--only")
    selection = CaseSelection(tuple(map(Suite, suites or Suite)), quick, tuple(drafts or ()))
    with progress_bar(quiet=json) as progress:
        gate = Gate(baseline, save_baseline, tolerance)
        if not prompts_command(settings_for(data_dir), selection, gate, progress, json=json):
            raise typer.Exit(1)


app.command("fairness")(fairness)


@app.command("models")
def models(
    split: Annotated[Split, typer.Option(help="Choose on validation, report test once.")] = Split.VALIDATION,
    quick: Annotated[bool, typer.Option("--quick", help="Leave out learning curve and ablations.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default DATA/eval.")] = None,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    tolerance: Tolerance = 0.02,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Demand, next-basket and strategist protocols on the demo store, all peers rerun beside the active versions.

    Needs the extra `eval`. About twenty minutes on two cores, a third of it with --quick. Exit code 1 when a goal that
    must never be lost is lost: a probability that rises with price, a log loss above LightGBM's,
    or candidate regret clearly above its goal; and when something got worse than the baseline.

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
        _missing(error)
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
        raise typer.Exit(1)


@app.command("own")
def own(
    shops: Annotated[list[str] | None, typer.Option("--shop", help="A generated shop; all when left out.")] = None,
    sizes: Annotated[list[int] | None, typer.Option("--size", min=2_000, help="Outcomes to train on.")] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 3,
    first_seed: Annotated[int, typer.Option(help="Below 100 to choose settings on.")] = 100,
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default DATA/eval.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Training on a merchant's own outcomes, on generated shops, beside a logit in log price and LightGBM.

    Needs the extra `eval`, no prepared data. 2,000 outcomes take seconds a run, 200,000 minutes. Exit code 1 when
    either is surely better on the same outcomes.

    Example: pricesmith eval own --size 2000 --seeds 5
    """
    try:
        from eval.own_store.comparison import SIZES, OwnDataSuite, print_report, regressions, run_own_data
        from eval.own_store.shops import SHOPS
    except ModuleNotFoundError as error:
        sys.stderr.write(f"pricesmith: {error.name} is missing; remedy: pip install 'pricesmith[eval]'\n")
        raise typer.Exit(1) from None
    unknown = [name for name in shops or () if name not in SHOPS]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; allowed: {', '.join(SHOPS)}", param_hint="--shop")
    target = out or DataFolder(settings_for(data_dir).data_dir).root / "eval"
    target.mkdir(parents=True, exist_ok=True)
    suite = OwnDataSuite(tuple(shops or SHOPS), tuple(sizes or SIZES), seeds, first_seed)
    with progress_bar(quiet=json) as progress:
        report = run_own_data(suite, progress)
    facts = asdict(report)
    (target / "own.json").write_text(jsonlib.dumps(facts, indent=1) + "\n", "utf-8")
    if json:
        print_json(facts)
    else:
        print_report(report)
    lost = regressions(report)
    for line in lost:
        sys.stderr.write(f"pricesmith: regression: {line}\n")
    if lost:
        raise typer.Exit(1)


class PolicySuite(StrEnum):
    """What `eval policy` runs on simulated shops."""

    SIMULATORS = "simulators"
    COLD_START = "cold-start"
    WEIGHTS = "weights"


class PolicyPeers(StrEnum):
    """Whom it runs beside Pricesmith."""

    OWN = "own"
    ALL = "all"


class PolicyOver(StrEnum):
    """How it asks for quotes."""

    PROCESS = "process"
    HTTP = "http"


@app.command("policy")
def policy(
    suite: Annotated[
        PolicySuite, typer.Option(help="Whole shops, launches of new products, or what the weights trade.")
    ] = PolicySuite.SIMULATORS,
    worlds: Annotated[list[str] | None, typer.Option("--world", help="A simulated shop; all when left out.")] = None,
    visits: Annotated[int, typer.Option(min=100, help="Visits to each shop.")] = 5_000,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="1,000 visits, one seed.")] = False,
    peers: Annotated[
        PolicyPeers, typer.Option(help="all: also those of the environment that `make peers` makes.")
    ] = PolicyPeers.OWN,
    only: Annotated[list[str] | None, typer.Option("--policy", help="A policy by name; all when left out.")] = None,
    over: Annotated[PolicyOver, typer.Option(help="http: a server of its own on this machine.")] = PolicyOver.PROCESS,
    resume: Annotated[bool, typer.Option("--resume", help="Keep finished runs, and take up those kept.")] = False,
    log: Annotated[
        str | None, typer.Option(help="Judge on a decision log instead: a database, or `store` for the data folder's.")
    ] = None,
    candidate: Annotated[
        list[str] | None, typer.Option(help="KIND/VERSION to judge on the log; what is active when left out.")
    ] = None,
    estimators: Annotated[bool, typer.Option("--estimators", help="Hold the estimators against the truth.")] = False,
    out: Annotated[Path | None, typer.Option(help="Folder of the report; default DATA/eval.")] = None,
    baseline: Baseline = None,
    save_baseline: SaveBaseline = None,
    tolerance: Tolerance = 0.02,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Pricing policies: on simulated shops with known truth beside their peers, or on your own log of decisions.

    Needs the extra `eval`, and prepared models. On simulated shops exit code 1 says that a price left its limits, or
    that Pricesmith ended below holding the reference price. With --log it says that the candidate may not go live:
    its lower bound does not beat the best price for everyone, or the log cannot tell; the proof that it may is kept
    for `models activate`. --estimators shows bias and coverage of the estimators that --log uses.

    Example: pricesmith eval policy --suite simulators --world courses --world rooms --visits 2000
    Example: pricesmith eval policy --quick --baseline main
    Example: pricesmith eval policy --log store --candidate evaluator/v4
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
        _missing(error)
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
        report = command.simulators_command(wanted, target, progress, json=json)
    run = RunSpec("policy", f"{chosen} visits, {count} seeds", ())
    lost = regressions(report) + compare_run(run, policy_rows(report), gate, settings, json=json)
    for line in lost:
        sys.stderr.write(f"pricesmith: regression: {line}\n")
    if lost:
        raise typer.Exit(1)


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
        raise typer.Exit(1)


def _missing(error: ModuleNotFoundError) -> NoReturn:
    sys.stderr.write(f"pricesmith: {error.name} is missing; remedy: pip install 'pricesmith[eval]'\n")
    raise typer.Exit(1) from None
