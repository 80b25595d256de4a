"""`merchants`: several merchants on one installation."""

from typing import Annotated

import typer

from agent.cli.options import DataDir, Json, home_settings
from agent.cli.output import print_facts, print_json, print_table
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing
from agent.service.merchants import Merchants, settings_of
from agent.service.opening import open_store

app = typer.Typer(no_args_is_help=True, help="Make, list and remove merchants beside the default one.")


@app.command("create")
def create(
    merchant: Annotated[str, typer.Argument(help="Id: lower-case letters, digits, _.")],
    name: Annotated[str, typer.Option(help="For people.")] = "",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a merchant with an empty store; other commands act on it with PRICESMITH_MERCHANT set to its id.

    Example: pricesmith merchants create shop2 --name "Second shop"
    """
    settings, clock = home_settings(data_dir), SystemClock()
    with open_store(settings, clock) as home:
        made = Merchants(settings, home, clock).create(merchant, name)
    facts = {"merchant": made.merchant_id, "data folder": str(settings_of(settings, merchant).data_dir)}
    print_json(facts) if json else print_facts(facts)


@app.command("list")
def list_merchants(data_dir: DataDir = None, json: Json = False) -> None:
    """Every merchant but the default one. Example: pricesmith merchants list."""
    settings, clock = home_settings(data_dir), SystemClock()
    with open_store(settings, clock) as home:
        found = Merchants(settings, home, clock).list()
    columns = ("merchant", "name", "created", "removed")
    rows = [(one.merchant_id, one.name, one.created_at, one.removed_at) for one in found]
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("Merchants", columns, rows)


@app.command("remove")
def remove(
    merchant: str,
    purge: Annotated[bool, typer.Option("--purge", help="Delete what is theirs, for ever.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Revoke a merchant's keys; what is theirs stays unless purged. Example: pricesmith merchants remove shop2."""
    if purge and not yes:
        typer.confirm(f"Delete everything of {merchant!r}? It cannot be brought back", abort=True)
    settings, clock = home_settings(data_dir), SystemClock()
    with open_store(settings, clock) as home:
        removed = Merchants(settings, home, clock).remove(merchant, KeyRing(home, clock), purge=purge)
    facts = {"merchant": removed.merchant_id, "removed": removed.removed_at, "purged": purge}
    print_json(facts) if json else print_facts(facts)
