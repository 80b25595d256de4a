"""`shoppers`: what is kept of one shopper, exported or erased; what is past its time, purged."""

from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from agent.api.shoppers import shopper_answer
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json
from agent.domain.clock import SystemClock
from agent.service.assembly import open_service
from agent.service.opening import open_store

app = typer.Typer(no_args_is_help=True, help="Export, erase and purge what is kept of shoppers.")


@app.command("export")
def export(
    shopper_id: str,
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Everything that is kept of a shopper, as JSON. Example: pricesmith shoppers export 17 --out 17.json."""
    settings = settings_for(data_dir)
    service = open_service(settings, open_store(settings))
    try:
        known = service.shopper(shopper_id)
    finally:
        service.close()
    if known is None:
        raise typer.BadParameter(f"nothing is kept of {shopper_id!r}")
    text = shopper_answer(known).model_dump_json(indent=1)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n", "utf-8")


@app.command("erase")
def erase(
    shopper_id: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Take away everything that tells of a shopper. Example: pricesmith shoppers erase 17.

    A server that runs on the same data keeps what it has in memory: with one, use DELETE /v1/shoppers/17.
    """
    if not yes:
        typer.confirm(f"Erase everything that tells of {shopper_id!r}? It cannot be brought back", abort=True)
    settings = settings_for(data_dir)
    service = open_service(settings, open_store(settings))
    try:
        erased = asdict(service.erase_shopper(shopper_id))
    finally:
        service.close()
    print_json(erased) if json else print_facts(erased)


@app.command("purge")
def purge(
    days: Annotated[
        int | None, typer.Option(min=1, help="Keep what tells of shoppers for so many days; default: the settings'.")
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Erase events and the personal part of decisions that are older. Example: pricesmith shoppers purge --days 730.

    A running server does this by itself where PRICESMITH_RETENTION_DAYS is set.
    """
    settings = settings_for(data_dir)
    kept = days or settings.retention_days
    if kept is None:
        raise typer.BadParameter("say how many days, or set PRICESMITH_RETENTION_DAYS", param_hint="--days")
    service = open_service(settings, open_store(settings))
    try:
        erased = asdict(service.purge(SystemClock().now() - timedelta(days=kept)))
    finally:
        service.close()
    print_json(erased) if json else print_facts(erased)
