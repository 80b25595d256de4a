"""`prepare` and `import`: what the data folder holds."""

from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer

from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table, progress_bar
from agent.domain.clock import SystemClock
from agent.service.assembly import open_service
from agent.service.ingest import ImportKind, ImportOptions, ImportReport, ImportTargets, expected_rows, import_file
from agent.service.ingest.demo_store import DemoSize
from agent.service.ingest.preparation import prepare_demo, prepare_indexes, prepare_models
from agent.service.opening import open_store
from agent.service.service import Service
from agent.store import Store
from agent.store.data_folder import DataFolder

RowCurrency = Annotated[str | None, typer.Option(help="Currency of rows that name none, e.g. USD.")]
Columns = Annotated[list[str] | None, typer.Option(help="Your column=ours; repeatable.")]

import_app = typer.Typer(no_args_is_help=True, help="Bring in your own products, events and outcomes.")


def prepare(
    data_dir: DataDir = None,
    models_only: Annotated[bool, typer.Option(help="Models alone, no demo store.")] = False,
    demo: Annotated[bool, typer.Option(help="Load the demo store.")] = True,
    households: Annotated[int | None, typer.Option(help="Only the busiest N demo households.", min=1)] = None,
    json: Json = False,
) -> None:
    """Set everything up: models, demo store, indexes. Safe to repeat and to interrupt.

    Example: pricesmith prepare --data-dir ./data
    """
    settings = settings_for(data_dir)
    folder, clock = DataFolder(settings.data_dir), SystemClock()
    start = perf_counter()
    with progress_bar(quiet=json) as progress:
        registry = prepare_models(folder, progress)
        products = 0
        if not models_only:
            with open_store(settings) as store:
                if demo:
                    size = DemoSize() if households is None else DemoSize.small(households)
                    prepare_demo(store, clock, size, progress)
                prepare_indexes(folder, store, registry, progress, settings.threads)
                products = store.product_count()
    facts = {"data folder": str(folder.root), "products": products, "seconds": round(perf_counter() - start, 1)}
    print_json(facts) if json else print_facts(facts)


@import_app.command("products")
def import_products(
    file: Path,
    data_dir: DataDir = None,
    currency: RowCurrency = None,
    column: Columns = None,
    json: Json = False,
) -> None:
    """Products from CSV, Parquet or NDJSON. Example: pricesmith import products catalogue.csv --currency USD."""
    _import(ImportKind.PRODUCTS, file, data_dir, ImportOptions.parse(currency, column or []), json)


@import_app.command("events")
def import_events(
    file: Path,
    data_dir: DataDir = None,
    currency: RowCurrency = None,
    column: Columns = None,
    json: Json = False,
) -> None:
    """Behaviour events from CSV, Parquet or NDJSON. Example: pricesmith import events clicks.ndjson."""
    _import(ImportKind.EVENTS, file, data_dir, ImportOptions.parse(currency, column or []), json)


@import_app.command("outcomes")
def import_outcomes(
    file: Path,
    data_dir: DataDir = None,
    currency: RowCurrency = None,
    column: Columns = None,
    json: Json = False,
) -> None:
    """Offers and what followed, from CSV, Parquet or NDJSON. Example: pricesmith import outcomes log.parquet."""
    _import(ImportKind.OUTCOMES, file, data_dir, ImportOptions.parse(currency, column or []), json)


def _import(kind: ImportKind, file: Path, data_dir: Path | None, options: ImportOptions, json: bool) -> None:
    settings = settings_for(data_dir)
    with progress_bar(quiet=json) as progress:
        store = open_store(settings)
        service = open_service(settings, store)
        try:
            sinks, expected = _sinks(store, service), expected_rows(file)
            report = import_file(
                kind, file, sinks, options, lambda rows: progress(_rows_read(rows), min(0.99, rows / expected))
            )
            progress("remember", 0.0)
            service.replay_outcomes()
        finally:
            service.close()
        progress(f"import: {report.read} rows", 1.0)
    _tell(report, json)
    if report.bad:
        raise typer.Exit(1)


def _rows_read(rows: int) -> str:
    """By the ten thousand, so that a log of a long import stays short."""
    return f"import: {rows - rows % 10_000 if rows >= 10_000 else rows} rows"


def _sinks(store: Store, service: Service) -> ImportTargets:
    return ImportTargets(
        products=service.upsert_products,
        events=service.add_events,
        shoppers=store.upsert_profiles,
        outcomes=service.keep_outcomes,
        reference_of=service.list_price,
    )


def _tell(report: ImportReport, json: bool) -> None:
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
