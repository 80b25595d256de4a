"""`import`: products, events and outcomes from files."""

from collections.abc import Callable
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

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
)
from agent.domain.clock import SystemClock
from agent.service.ingest import (
    ImportKind,
    ImportOptions,
    ImportReport,
    ImportTargets,
    check_takes_own_data,
    expected_rows,
    import_file,
)
from agent.service.ingest.import_request import ImportRequest, import_options, meaning
from agent.service.ingest.reading import Shop
from agent.service.ingest.store_targets import dry, store_targets
from agent.service.opening import open_store
from agent.service.process_tuning import tune_for_batches
from agent.service.settings import Settings
from agent.store import Store
from models.progress import Progress

if TYPE_CHECKING:
    from agent.service.service import Service

Source = Annotated[
    Path, typer.Argument(help="A .csv, .tsv, .parquet, .ndjson or .jsonl file; text may be packed as .gz.")
]
Attributes = Annotated[list[str] | None, typer.Option(help=meaning("attribute"))]
FromShop = Annotated[Shop | None, typer.Option("--from", help=meaning("shop"))]
Replace = Annotated[bool, typer.Option("--replace", help=meaning("replace"))]
AcceptSuspicious = Annotated[bool, typer.Option("--accept-suspicious", help=meaning("accept_suspicious"))]
IntoDemo = Annotated[bool, typer.Option("--into-demo", help=meaning("into_demo"))]
DryRun = Annotated[bool, typer.Option("--dry-run", help=meaning("dry_run"))]

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
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Import products.

    Of a product that is known, only what the file has changes: a missing column and an empty cell leave what is stored,
    unless --replace is given. Columns are found whatever their case, spaces, hyphens and underscores; any other becomes
    an attribute, but a name near that of a price stops the import. Rows that are probably wrong are set aside. Exit
    code 1 when rows were refused or set aside.

    Example: pricesmith import products catalogue.csv --currency USD
    """
    asked = ImportRequest(
        kind=ImportKind.PRODUCTS,
        currency=currency,
        column=tuple(column or ()),
        const=tuple(const or ()),
        decimal=decimal,
        attribute=tuple(attribute or ()),
        shop=shop,
        replace=replace,
        accept_suspicious=accept_suspicious,
        into_demo=into_demo,
        dry_run=dry_run,
    )
    _import(file, data_dir, asked, json=json)


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
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Import events: what shoppers viewed, searched and bought.

    An event that is imported twice counts once, also from another export of the log. Prices are in the currency of the
    product. Rows that are probably wrong are set aside. Exit code 1 when rows were refused or set aside.

    Example: pricesmith import events clicks.ndjson
    """
    asked = ImportRequest(
        kind=ImportKind.EVENTS,
        currency=currency,
        column=tuple(column or ()),
        const=tuple(const or ()),
        decimal=decimal,
        timezone=timezone,
        date_format=date_format,
        accept_suspicious=accept_suspicious,
        into_demo=into_demo,
        dry_run=dry_run,
    )
    _import(file, data_dir, asked, json=json)


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
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Import outcomes: offers, and whether they were bought.

    Models learn from them. An outcome that is imported twice counts once, also from another export of the log. Prices
    are in the currency of the product. Rows that are probably wrong are set aside. Exit code 1 when rows were refused
    or set aside.

    Example: pricesmith import outcomes log.parquet --currency USD
    """
    asked = ImportRequest(
        kind=ImportKind.OUTCOMES,
        currency=currency,
        column=tuple(column or ()),
        const=tuple(const or ()),
        decimal=decimal,
        timezone=timezone,
        date_format=date_format,
        accept_suspicious=accept_suspicious,
        into_demo=into_demo,
        dry_run=dry_run,
    )
    _import(file, data_dir, asked, json=json)


MOST_FILLED: Final = 4_000
"""Shoppers of an import whose memory is worked out at once; servers work out the others beside quotes."""


def _import(file: Path, data_dir: Path | None, asked: ImportRequest, *, json: bool) -> None:
    settings = settings_for(data_dir)
    options = import_options(asked, settings.currency)
    require_models(settings)
    store = open_store(settings)
    with closed_on_error(store):
        check_takes_own_data(store, into_demo=asked.into_demo)
        kind = store.kind()
    report = (_checked if asked.dry_run else _imported)(store, settings, file, (asked.kind, options), quiet=json)
    print_report(report, kind, dry_run=asked.dry_run, json=json)
    if not report.complete:
        raise typer.Exit(ExitCode.FAILED)


def _imported(
    store: Store, settings: Settings, file: Path, what: tuple[ImportKind, ImportOptions], *, quiet: bool
) -> ImportReport:
    with (
        running_service(settings, quiet=quiet, store=store, proposes=False) as service,
        progress_bar(quiet=quiet) as progress,
    ):
        kind, options = what
        report = import_file(kind, file, _targets(store, service), options, _telling(progress, file))
        progress("update indexes", 0.0)
        service.replay_outcomes()
        progress("update indexes", 1.0)
        if kind is not ImportKind.PRODUCTS:
            service.follow()
            tune_for_batches()
            service.fill_shoppers(progress, MOST_FILLED)
        progress(f"import: {report.read} rows", 1.0)
    return report


def _checked(
    store: Store, _settings: Settings, file: Path, what: tuple[ImportKind, ImportOptions], *, quiet: bool
) -> ImportReport:
    """Read and check without models, and without storing anything."""
    with store, progress_bar(quiet=quiet) as progress:
        kind, options = what
        targets = dry(store_targets(store, SystemClock()))
        report = import_file(kind, file, targets, options, _telling(progress, file))
        progress(f"import: {report.read} rows", 1.0)
    return report


def _telling(progress: Progress, file: Path) -> Callable[[ImportReport], None]:
    expected = expected_rows(file)
    return lambda report: progress(_rows_read(report.read), min(0.99, report.read / expected))


def _rows_read(rows: int) -> str:
    """By the ten thousand, so that a log of a long import stays short."""
    return f"import: {rows - rows % 10_000 if rows >= 10_000 else rows} rows"


def _targets(store: Store, service: "Service") -> ImportTargets:
    """Targets of a service, which encodes products before it stores them and keeps its indexes up to date."""
    return replace_fields(
        store_targets(store, SystemClock(), service.product),
        products=service.upsert_products,
        events=service.keep_events,
        outcomes=service.keep_outcomes,
    )
