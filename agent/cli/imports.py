"""`import`: products, events and outcomes from files."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.opening import running_service
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table, progress_bar
from agent.service.opening import open_store
from agent.store import Store

if TYPE_CHECKING:
    from agent.service.ingest import ImportReport, ImportTargets
    from agent.service.service import Service

Source = Annotated[Path, typer.Argument(help="A .csv, .tsv, .parquet, .ndjson or .jsonl file.")]
RowCurrency = Annotated[str | None, typer.Option(help="Currency of rows that name none, for example USD.")]
Columns = Annotated[
    list[str] | None,
    typer.Option(help="Read your column under our name, for example sku=product_id. Repeatable."),
]

app = typer.Typer(no_args_is_help=True, help="Import products, events and outcomes from files.")


@app.command("products")
def import_products(
    file: Source,
    data_dir: DataDir = None,
    currency: RowCurrency = None,
    column: Columns = None,
    json: Json = False,
) -> None:
    """Import products.

    One with a known product_id replaces what is stored. Columns: product_id, title, description, category, brand,
    list_price, cost, inventory, rating, currency, min_price, max_price, map_price; any other becomes an attribute.
    Prices are in major units, such as 2.79. Exit code 1 when rows were refused.

    Example: pricesmith import products catalogue.csv --currency USD
    """
    _import("products", file, data_dir, currency, column, json)


@app.command("events")
def import_events(
    file: Source,
    data_dir: DataDir = None,
    currency: RowCurrency = None,
    column: Columns = None,
    json: Json = False,
) -> None:
    """Import events: what shoppers viewed, searched and bought.

    Columns: shopper_id, type, product_id, at, quantity, price, list_price, currency, text, event_id, profile.X. Times
    are RFC 3339, such as 2026-01-31T12:00:00Z. An event that is imported twice counts once. Exit code 1 when rows were
    refused.

    Example: pricesmith import events clicks.ndjson
    """
    _import("events", file, data_dir, currency, column, json)


@app.command("outcomes")
def import_outcomes(
    file: Source,
    data_dir: DataDir = None,
    currency: RowCurrency = None,
    column: Columns = None,
    json: Json = False,
) -> None:
    """Import outcomes: offers, and whether they were bought.

    Models learn from them. Columns: shopper_id, product_id, price, reference_price, bought (0 or 1), quantity, at,
    currency, propensity, weight, outcome_id, profile.X, context.X. An outcome that is imported twice counts once. Exit
    code 1 when rows were refused.

    Example: pricesmith import outcomes log.parquet --currency USD
    """
    _import("outcomes", file, data_dir, currency, column, json)


def _import(
    kind: Literal["products", "events", "outcomes"],
    file: Path,
    data_dir: Path | None,
    currency: str | None,
    columns: list[str] | None,
    json: bool,
) -> None:
    from agent.service.ingest import ImportKind, ImportOptions, expected_rows, import_file  # loads pyarrow

    settings, options = settings_for(data_dir), ImportOptions.parse(currency, columns or [])
    store = open_store(settings)
    with running_service(settings, quiet=json, store=store) as service, progress_bar(quiet=json) as progress:
        targets, expected = _targets(store, service), expected_rows(file)
        report = import_file(
            ImportKind(kind),
            file,
            targets,
            options,
            lambda rows: progress(_rows_read(rows), min(0.99, rows / expected)),
        )
        progress("update indexes", 0.0)
        service.replay_outcomes()
        progress("update indexes", 1.0)
        progress(f"import: {report.read} rows", 1.0)
    _print(report, json)
    if report.bad:
        raise typer.Exit(ExitCode.FAILED)


def _rows_read(rows: int) -> str:
    """By the ten thousand, so that a log of a long import stays short."""
    return f"import: {rows - rows % 10_000 if rows >= 10_000 else rows} rows"


def _targets(store: Store, service: "Service") -> "ImportTargets":
    from agent.service.ingest import ImportTargets

    return ImportTargets(
        products=service.upsert_products,
        events=service.keep_events,
        shoppers=store.upsert_profiles,
        outcomes=service.keep_outcomes,
        reference_of=service.list_price,
    )


def _print(report: "ImportReport", json: bool) -> None:
    facts: dict[str, object] = {
        "kind": report.kind.value,
        "read": report.read,
        "imported": report.imported,
        "bad": report.bad,
        "ignored columns": ", ".join(report.ignored_columns) or "none",
    }
    rows = [(problem.line, problem.column, problem.value, problem.reason) for problem in report.problems]
    columns = ("line", "column", "value", "reason")
    if json:
        print_json({**facts, "problems": [dict(zip(columns, row, strict=True)) for row in rows]})
        return
    print_facts(facts)
    if rows:
        print_table(f"Rows that were not imported (the first {len(rows):,})", columns, rows)
