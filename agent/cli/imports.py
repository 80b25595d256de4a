"""`import`: products, events and outcomes from files."""

from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.import_report import print_report
from agent.cli.opening import closed_on_error, require_models, running_service
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import progress_bar
from agent.cli.reading_options import (
    Columns,
    Constants,
    DateFormat,
    Decimal,
    EventsCommand,
    OutcomesCommand,
    ProductsCommand,
    RowCurrency,
    Zone,
    reading_options,
)
from agent.domain.clock import SystemClock
from agent.service.ingest.reading import ReadingOptions, Shop
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store import Store

if TYPE_CHECKING:
    from agent.service.ingest import ImportTargets
    from agent.service.service import Service

Source = Annotated[
    Path, typer.Argument(help="A .csv, .tsv, .parquet, .ndjson or .jsonl file; text may be packed as .gz.")
]
Attributes = Annotated[
    list[str] | None,
    typer.Option(help="Take your column as an attribute, although its name is near that of a price. Repeatable."),
]
FromShop = Annotated[
    Shop | None,
    typer.Option("--from", help="Read the product export of a shop system, one product a variant."),
]
Replace = Annotated[
    bool, typer.Option("--replace", help="Take each row as the whole product: what it lacks is dropped.")
]
AcceptSuspicious = Annotated[
    bool,
    typer.Option(
        "--accept-suspicious", help="Import rows too that are probably wrong, such as prices in cents beside dollars."
    ),
]
IntoDemo = Annotated[
    bool, typer.Option("--into-demo", help="Import into the demo store on purpose; else it refuses own data.")
]

app = typer.Typer(no_args_is_help=True, help="Import products, events and outcomes from files.")


@app.command("products", cls=ProductsCommand)
def import_products(
    file: Source,
    data_dir: DataDir = None,
    currency: RowCurrency = None,
    column: Columns = None,
    const: Constants = None,
    decimal: Decimal = None,
    attribute: Attributes = None,
    shop: FromShop = None,
    replace: Replace = False,
    accept_suspicious: AcceptSuspicious = False,
    into_demo: IntoDemo = False,
    json: Json = False,
) -> None:
    """Import products.

    Of a product that is known, only what the file has changes: a missing column and an empty cell leave what is stored,
    unless --replace is given. Columns are found whatever their case, spaces, hyphens and underscores; any other becomes
    an attribute, but a name near that of a price stops the import. Rows that are probably wrong are set aside. Exit
    code 1 when rows were refused or set aside.

    Example: pricesmith import products catalogue.csv --currency USD
    """
    settings = settings_for(data_dir)
    options = reading_options(currency or settings.currency, column, const, (decimal, None, None))
    attributes = frozenset(attribute or ())
    options = replace_fields(options, attributes=attributes, shop=shop, replace=replace)
    _import("products", file, settings, options, _Wanted(accept_suspicious, into_demo, json))


@app.command("events", cls=EventsCommand)
def import_events(
    file: Source,
    data_dir: DataDir = None,
    currency: RowCurrency = None,
    column: Columns = None,
    const: Constants = None,
    decimal: Decimal = None,
    timezone: Zone = None,
    date_format: DateFormat = None,
    accept_suspicious: AcceptSuspicious = False,
    into_demo: IntoDemo = False,
    json: Json = False,
) -> None:
    """Import events: what shoppers viewed, searched and bought.

    An event that is imported twice counts once, also from another export of the log. Prices are in the currency of the
    product. Rows that are probably wrong are set aside. Exit code 1 when rows were refused or set aside.

    Example: pricesmith import events clicks.ndjson
    """
    settings = settings_for(data_dir)
    options = reading_options(currency or settings.currency, column, const, (decimal, timezone, date_format))
    _import("events", file, settings, options, _Wanted(accept_suspicious, into_demo, json))


@app.command("outcomes", cls=OutcomesCommand)
def import_outcomes(
    file: Source,
    data_dir: DataDir = None,
    currency: RowCurrency = None,
    column: Columns = None,
    const: Constants = None,
    decimal: Decimal = None,
    timezone: Zone = None,
    date_format: DateFormat = None,
    accept_suspicious: AcceptSuspicious = False,
    into_demo: IntoDemo = False,
    json: Json = False,
) -> None:
    """Import outcomes: offers, and whether they were bought.

    Models learn from them. An outcome that is imported twice counts once, also from another export of the log. Prices
    are in the currency of the product. Rows that are probably wrong are set aside. Exit code 1 when rows were refused
    or set aside.

    Example: pricesmith import outcomes log.parquet --currency USD
    """
    settings = settings_for(data_dir)
    options = reading_options(currency or settings.currency, column, const, (decimal, timezone, date_format))
    _import("outcomes", file, settings, options, _Wanted(accept_suspicious, into_demo, json))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Flags of an import, the same for every kind."""

    accept_suspicious: bool
    into_demo: bool
    json: bool


def _import(
    kind: Literal["products", "events", "outcomes"],
    file: Path,
    settings: Settings,
    options: ReadingOptions,
    wanted: _Wanted,
) -> None:
    from agent.service.ingest import (  # loads pyarrow
        ImportKind,
        ImportOptions,
        check_takes_own_data,
        expected_rows,
        import_file,
    )

    json = wanted.json
    require_models(settings)
    store = open_store(settings)
    with closed_on_error(store):
        check_takes_own_data(store, into_demo=wanted.into_demo)
    with (
        running_service(settings, quiet=json, store=store, proposes=False) as service,
        progress_bar(quiet=json) as progress,
    ):
        targets, expected = _targets(store, service), expected_rows(file)
        report = import_file(
            ImportKind(kind),
            file,
            targets,
            ImportOptions(options, wanted.accept_suspicious),
            lambda rows: progress(_rows_read(rows), min(0.99, rows / expected)),
        )
        progress("update indexes", 0.0)
        service.replay_outcomes()
        progress("update indexes", 1.0)
        progress(f"import: {report.read} rows", 1.0)
    print_report(report, service.store_kind, json=json)
    if not report.complete:
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
        known_events=store.known_events,
        known_outcomes=store.known_outcomes,
        outcomes_by_line=store.outcomes_by_line,
        product_of=service.product,
        now=SystemClock().now(),
    )
