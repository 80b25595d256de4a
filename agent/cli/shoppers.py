"""`shoppers`: the data of one shopper, exported or erased; data past its retention, purged."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from agent.cli.opening import running_service
from agent.cli.options import DataDir, Json, as_id, settings_for
from agent.cli.output import print_facts, print_json
from agent.domain.clock import SystemClock

ShopperId = Annotated[str, typer.Argument(help="Id of the shopper, as your shop sends it.", callback=as_id)]

app = typer.Typer(no_args_is_help=True, help="Export, erase and purge shoppers' data.")


@app.command("export")
def export(
    shopper_id: ShopperId,
    out: Annotated[
        Path | None, typer.Option(help="File to write. Default: standard output.", show_default=False)
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Export everything stored about a shopper, as JSON.

    With --out the JSON goes to the file, and --json prints where it is.

    Example: pricesmith shoppers export 17 --out 17.json
    """
    with running_service(settings_for(data_dir), quiet=json, proposes=False) as service:
        known = service.shopper(shopper_id)
    if known is None:
        raise typer.BadParameter(f"nothing is stored about the shopper {shopper_id!r}", param_hint="SHOPPER_ID")
    from agent.api.shoppers import shopper_answer  # loads the web framework

    text = shopper_answer(known).model_dump_json(indent=1, by_alias=True) + "\n"
    if out is None:
        typer.echo(text, nl=False)
        return
    out.write_text(text, "utf-8")
    facts = {"shopper": shopper_id, "written to": str(out)}
    print_json(facts) if json else print_facts(facts)


@app.command("erase")
def erase(
    shopper_id: ShopperId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Erase everything stored about a shopper, for ever.

    A server that runs on the same data folder still has the shopper in memory: while one runs, send it
    DELETE /v1/shoppers/17 instead.

    Example: pricesmith shoppers erase 17
    """
    if not yes:
        typer.confirm(f"Erase everything stored about the shopper {shopper_id!r}? This cannot be undone", abort=True)
    with running_service(settings_for(data_dir), quiet=json, proposes=False) as service:
        erased = asdict(service.erase_shopper(shopper_id))
    print_json(erased) if json else print_facts(erased)


@app.command("purge")
def purge(
    days: Annotated[
        int | None,
        typer.Option(min=1, help="Days to keep. Default: PRICESMITH_RETENTION_DAYS.", show_default=False),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Erase personal data that is older than a number of days.

    That is events and the personal part of decisions. A running server does this every hour where
    PRICESMITH_RETENTION_DAYS is set.

    Example: pricesmith shoppers purge --days 730
    """
    settings = settings_for(data_dir)
    kept = days or settings.retention_days
    if kept is None:
        raise typer.BadParameter("give a number of days, or set PRICESMITH_RETENTION_DAYS", param_hint="--days")
    with running_service(settings, quiet=json, proposes=False) as service:
        erased = asdict(service.purge(SystemClock().now() - timedelta(days=kept)))
    print_json(erased) if json else print_facts(erased)
