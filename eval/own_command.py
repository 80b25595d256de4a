"""Command `pricesmith eval own`: training on own outcomes, on generated, redrawn and real shops."""

import json as jsonlib
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent.cli.errors import MissingExtra
from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_json, progress_bar
from agent.store.data_folder import DataFolder
from eval.options import Out
from models.progress import Progress

if TYPE_CHECKING:
    from eval.own_store.shops import Encode


@dataclass(frozen=True, slots=True)
class Asked:
    """Shops, sizes and seeds as asked for; None for all shops and the usual sizes."""

    shops: list[str] | None
    sizes: list[int] | None
    seeds: int
    first_seed: int


def own(
    real: Annotated[
        bool, typer.Option("--real", help="On real data of four kinds, which `make real` installs, instead.")
    ] = False,
    money: Annotated[bool, typer.Option("--money", help="Profit of quoted prices on redrawn shops, instead.")] = False,
    satisfaction: Annotated[
        bool, typer.Option("--satisfaction", help="Satisfaction learned from simulated returns and ratings, instead.")
    ] = False,
    sets: Annotated[
        list[str] | None, typer.Option("--set", help="With --real: one of its sets, repeatable. Default: all.")
    ] = None,
    shops: Annotated[list[str] | None, typer.Option("--shop", help="Generated shop, repeatable. Default: all.")] = None,
    sizes: Annotated[
        list[int] | None, typer.Option("--size", min=2_000, help="Number of outcomes to train on, repeatable.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each shop and size.")] = 3,
    first_seed: Annotated[
        int, typer.Option(help="Seed of the first run; seeds below 100 are for choosing settings.")
    ] = 100,
    text: Annotated[bool, typer.Option(help="Read the titles of the shops that have some.")] = True,
    out: Out = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure training on own outcomes beside a price logit, LightGBM.

    On sixteen generated shops whose truth is known, four of them with prices that followed demand and two whose titles
    alone tell products apart, or with --real on brand choices, a grocer's receipts and fares, through the commands that
    a shop would use; with --satisfaction returns and ratings whose
    truth is known, with --money what its quotes earn on eight kinds of redrawn shops, beside the peers' best prices.
    Needs the extra `eval`, no prepared data. A run takes seconds with 2,000 outcomes, minutes with 200,000 or through
    the commands. Exit code 1 when a peer is better beyond chance on the same outcomes.

    Example: pricesmith eval own --size 2000 --seeds 5
    """
    folder = DataFolder(settings_for(data_dir).data_dir)
    target = out or folder.root / "eval"
    target.mkdir(parents=True, exist_ok=True)
    if real:
        name, (facts, lost) = "real", _real(sets, json=json)
    elif money:
        name, (facts, lost) = "money", _money(sizes, seeds, first_seed, json=json)
    elif satisfaction:
        name, (facts, lost) = "satisfaction", _satisfaction(sizes, seeds, first_seed, json=json)
    else:
        asked = Asked(shops, sizes, seeds, first_seed)
        name, (facts, lost) = "own", _generated(asked, folder if text else None, json=json)
    (target / f"{name}.json").write_text(jsonlib.dumps(facts, indent=1) + "\n", "utf-8")
    if json:
        print_json(facts)
    for line in lost:
        sys.stderr.write(f"pricesmith: regression: {line}\n")
    if lost:
        raise typer.Exit(ExitCode.FAILED)


def _generated(asked: Asked, folder: DataFolder | None, *, json: bool) -> tuple[Any, list[str]]:
    """Run the generated shops, their titles read by the encoder in `folder`; returns the report and what it lost."""
    try:
        from eval.own_store.comparison import ALL_SHOPS, SIZES, OwnDataSuite, print_report, regressions, run_own_data
        from eval.own_store.titled import TITLED
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name, "eval") from None
    _check_names(asked.shops, ALL_SHOPS, "--shop")
    shops = tuple(asked.shops or ALL_SHOPS)
    with progress_bar(quiet=json) as progress:
        encode = _encode(folder, progress) if folder is not None and TITLED.keys() & set(shops) else None
        suite = OwnDataSuite(shops, tuple(asked.sizes or SIZES), asked.seeds, asked.first_seed, encode)
        report = run_own_data(suite, progress)
    if not json:
        print_report(report)
    return asdict(report), regressions(report)


def _encode(folder: DataFolder, progress: Progress) -> "Encode":
    """Open the active encoder, or the shipped one where none is installed."""
    from agent.service.ingest.preparation import prepare_models
    from agent.state.loading import load_encoder

    return load_encoder(prepare_models(folder, progress), threads=1).encode


def _real(sets: list[str] | None, *, json: bool) -> tuple[Any, list[str]]:
    """Run the sets of real data; returns the report and what it lost."""
    try:
        from eval.real.comparison import print_report, regressions, run_real
        from eval.real.sets import SETS
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name, "eval") from None
    _check_names(sets, SETS, "--set")
    with progress_bar(quiet=json) as progress:
        reports = run_real(tuple(sets or SETS), progress)
    if not json:
        print_report(reports)
    return [asdict(one) for one in reports], regressions(reports)


def _money(sizes: list[int] | None, seeds: int, first_seed: int, *, json: bool) -> tuple[Any, list[str]]:
    """Run the redrawn shops; returns the report and what it lost."""
    try:
        from eval.own_store.money import MONEY_SIZES, MoneySuite, money_lines, money_regressions, print_money, run_money
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name, "eval") from None
    suite = MoneySuite(tuple(sizes or MONEY_SIZES), seeds, first_seed)
    with progress_bar(quiet=json) as progress:
        shops = run_money(suite, progress)
    lines = money_lines(shops)
    if not json:
        print_money(lines)
    return {"lines": [asdict(one) for one in lines], "shops": [asdict(one) for one in shops]}, money_regressions(lines)


def _satisfaction(sizes: list[int] | None, seeds: int, first_seed: int, *, json: bool) -> tuple[Any, list[str]]:
    """Run the shops that report returns and ratings; returns the trials and what they lost."""
    from eval.own_store.reported import SALES, print_satisfaction, run_satisfaction, satisfaction_regressions

    with progress_bar(quiet=json) as progress:
        trials = run_satisfaction(sizes or SALES, seeds, first_seed, progress)
    if not json:
        print_satisfaction(trials)
    return [asdict(one) for one in trials], satisfaction_regressions(trials)


def _check_names(given: list[str] | None, known: Iterable[str], hint: str) -> None:
    allowed = tuple(known)
    unknown = [name for name in given or () if name not in allowed]
    if unknown:
        raise typer.BadParameter(f"{', '.join(unknown)}; allowed: {', '.join(allowed)}", param_hint=hint)
