"""`pricesmith eval fairness`: measure, report, and fail when a protected attribute changed a price."""

import json as jsonlib
import sys
from dataclasses import asdict
from typing import Annotated

import typer

from agent.cli.errors import MissingExtra
from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, progress_bar, store_fact
from agent.service.opening import open_store
from agent.store.data_folder import DataFolder
from eval.options import Out


def fairness(
    quick: Annotated[bool, typer.Option("--quick", help="Run a tenth of it: too little for narrow intervals.")] = False,
    out: Out = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Measure whether protected attributes change prices.

    Compares paired shoppers, groups of shoppers and mentions in free text, and looks for attributes in the encoder's
    states: on the demo store with the settings of this installation, and on a simulated shop whose truth is known.
    Needs the extra `eval` and the demo store. Exit code 1 when a protected attribute changed a price.

    Example: pricesmith eval fairness --quick
    """
    try:
        from eval.fairness.report import print_report, regressions, write_page
        from eval.fairness.run import FULL, QUICK, evaluate
    except ModuleNotFoundError as error:
        raise MissingExtra(error.name, "eval") from None
    settings = settings_for(data_dir)
    target = out or DataFolder(settings.data_dir).root / "eval"
    target.mkdir(parents=True, exist_ok=True)
    with progress_bar(quiet=json) as progress:
        report = evaluate(settings, QUICK if quick else FULL, progress)
    with open_store(settings) as store:
        kind = store.kind()
    facts = {**store_fact(kind, json=True), **asdict(report)}
    (target / "fairness.json").write_text(jsonlib.dumps(facts, indent=1) + "\n", "utf-8")
    write_page(report, target / "fairness.html")
    if json:
        print_json(facts)
    else:
        print_facts(store_fact(kind, json=False))
        print_report(report)
        sys.stdout.write(f"report: {target / 'fairness.html'}\n")
    lost = regressions(report)
    for line in lost:
        sys.stderr.write(f"pricesmith: regression: {line}\n")
    if lost:
        raise typer.Exit(ExitCode.FAILED)
