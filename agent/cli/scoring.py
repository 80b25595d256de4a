"""`score`: the three scores of many offers at their own prices."""

from pathlib import Path
from typing import Annotated

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.opening import running_service
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, progress_bar, store_fact
from agent.cli.reading_options import (
    Columns,
    Constants,
    DateFormat,
    Decimal,
    RowCurrency,
    Zone,
    note_facts,
    reading_options,
)


def score(
    file: Annotated[
        Path,
        typer.Argument(help="A .csv, .tsv, .parquet, .ndjson or .jsonl file of offers; text may be packed as .gz."),
    ],
    out: Annotated[Path, typer.Option(help="CSV file to write: the same rows with their scores.")],
    currency: RowCurrency = None,
    column: Columns = None,
    const: Constants = None,
    decimal: Decimal = None,
    timezone: Zone = None,
    date_format: DateFormat = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Score the offers of a file at their own prices.

    Adds purchase_probability, profit and satisfaction, each with its 90 % interval in _low and _high, as they would
    have been at the time `at`. Profit is expected profit of the whole quantity in major units, as the price is, in the
    currency that the column currency then names; it is empty where the cost is unknown, which the column note says. A
    row that cannot be scored has the reason in the column problem. The column identified_by names the source of the
    price response: random_prices, cost_changes, imported_inputs, confounded, demo_store or prior; satisfaction_source
    that of satisfaction: own_outcomes, demo_store or prior. Nothing is recorded.
    Exit code 1 when a row was not scored.

    Example: pricesmith score offers.csv --out scored.csv
    """
    settings = settings_for(data_dir)
    options = reading_options(currency or settings.currency, column, const, (decimal, timezone, date_format))
    from agent.cli.score_rows import score_file  # models' libraries load slowly: not for help and completion

    with (
        running_service(settings, quiet=json, proposes=False) as service,
        progress_bar(quiet=json) as progress,
    ):
        scored, kind = score_file(service, file, out, options, progress), service.store_kind
    facts = {
        **store_fact(kind, json=json),
        "rows": scored.rows,
        "without scores": scored.bad,
        "without profit": scored.without_cost,
        "price response identified by": scored.identified_by.replace("_", " "),
        "satisfaction known from": scored.origin.satisfaction.replace("_", " "),
        "priors": ", ".join(scored.origin.priors) or "none",
        **note_facts(scored.notes),
        "rows a second": round(scored.rows / scored.seconds),
        "written to": str(out),
    }
    print_json(facts) if json else print_facts(facts)
    if scored.bad:
        raise typer.Exit(ExitCode.FAILED)
