"""`score`: the three scores of many offers at their own prices."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.opening import running_service
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, progress_bar


def score(
    file: Annotated[
        Path,
        typer.Argument(help="A .csv, .tsv, .parquet, .ndjson or .jsonl file of offers."),
    ],
    out: Annotated[Path, typer.Option(help="CSV file to write: the same rows with their scores.")],
    currency: Annotated[str, typer.Option(help="Currency of the prices.")] = "USD",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Score the offers of a file at their own prices.

    Columns: product_id, price (major units), shopper_id, at, profile.X, context.X. Adds purchase_probability, profit
    and satisfaction, each with its 90 % interval in _low and _high, as they would have been at the time `at`; a row
    that cannot be scored has the reason in the column `problem`. Nothing is recorded. Exit code 1 when a row was not
    scored.

    Example: pricesmith score offers.csv --out scored.csv
    """
    from agent.cli.score_rows import score_file  # models' libraries load slowly: not for help and completion

    with running_service(settings_for(data_dir), quiet=json) as service, progress_bar(quiet=json) as progress:
        scored = score_file(service, file, out, currency, progress)
    facts = {
        "rows": scored.rows,
        "without scores": scored.bad,
        "rows a second": round(scored.rows / scored.seconds),
        "written to": str(out),
    }
    print_json(facts) if json else print_facts(facts)
    if scored.bad:
        raise typer.Exit(ExitCode.FAILED)
