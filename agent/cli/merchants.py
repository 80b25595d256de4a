"""`merchants`: several merchants on one installation."""

from typing import Annotated

import typer

from agent.cli.options import DataDir, Json, home_settings
from agent.cli.output import print_facts, print_json, print_table
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing
from agent.service.merchants import Merchants, settings_of
from agent.service.opening import open_store

_COLUMNS = ("merchant", "name", "created", "removed")

app = typer.Typer(no_args_is_help=True, help="Run several merchants on one installation.")


@app.command("create")
def create(
    merchant: Annotated[
        str, typer.Argument(help="Id: a lower-case letter, then lower-case letters, digits and _, at most 40.")
    ],
    name: Annotated[str, typer.Option(help="Name for people.")] = "",
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Create a merchant with an empty store.

    It gets the default merchant's models. Commands act on it when PRICESMITH_MERCHANT is set to its id; `pricesmith
    keys create NAME --merchant ID` creates its API keys.

    Example: pricesmith merchants create shop2 --name "Second shop"
    """
    settings, clock = home_settings(data_dir), SystemClock()
    with open_store(settings, clock) as home:
        made = Merchants(settings, home, clock).create(merchant, name)
    facts = {"merchant": made.merchant_id, "data folder": str(settings_of(settings, merchant).data_dir)}
    print_json(facts) if json else print_facts(facts)


@app.command("list")
def list_merchants(data_dir: DataDir = None, json: Json = False) -> None:
    """List every merchant but the default one, removed ones included.

    Example: pricesmith merchants list
    """
    settings, clock = home_settings(data_dir), SystemClock()
    with open_store(settings, clock) as home:
        found = Merchants(settings, home, clock).list()
    rows = [(one.merchant_id, one.name, one.created_at, one.removed_at) for one in found]
    if json:
        print_json([dict(zip(_COLUMNS, row, strict=True)) for row in rows])
    else:
        print_table("Merchants", _COLUMNS, rows)


@app.command("remove")
def remove(
    merchant: Annotated[str, typer.Argument(help="Id of the merchant, as `pricesmith merchants list` shows it.")],
    purge: Annotated[bool, typer.Option("--purge", help="Also delete the merchant's data, for ever.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --purge: do not ask for confirmation.")] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Remove a merchant and revoke its API keys.

    Its data is kept unless --purge is given, and its id cannot be used again.

    Example: pricesmith merchants remove shop2
    """
    if purge and not yes:
        typer.confirm(f"Delete all data of the merchant {merchant!r}? This cannot be undone", abort=True)
    settings, clock = home_settings(data_dir), SystemClock()
    with open_store(settings, clock) as home:
        removed = Merchants(settings, home, clock).remove(merchant, KeyRing(home, clock), purge=purge)
    facts = {"merchant": removed.merchant_id, "removed": removed.removed_at, "purged": purge}
    print_json(facts) if json else print_facts(facts)
