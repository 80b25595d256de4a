"""`keys`: API keys. A key's text is shown once, when it is made; only its hash is kept."""

from datetime import timedelta
from typing import Annotated

import typer

from agent.assembly import open_store
from agent.clock import SystemClock
from agent.commands.options import DataDir, Json, settings_for
from agent.commands.output import print_facts, print_json, print_table
from agent.keys import KeyRing, Scope

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[Scope], typer.Option(help="Repeatable.")] = [Scope.QUOTES, Scope.OUTCOMES],  # noqa: B006 - typer reads it
    days: Annotated[int | None, typer.Option(help="Days until it expires; never when left out.", min=1)] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a key and show it once. Example: pricesmith keys create shop --scope quotes --scope outcomes."""
    clock = SystemClock()
    with open_store(settings_for(data_dir), clock) as store:
        expires = clock.now() + timedelta(days=days) if days is not None else None
        made = KeyRing(store, clock).create(name, scope, expires)
    facts = {"id": made.key.key_id, "key": made.text, "scopes": ", ".join(sorted(made.key.scopes))}
    print_json(facts) if json else print_facts(facts)


@app.command("list")
def list_keys(data_dir: DataDir = None, json: Json = False) -> None:
    """Every key, without its text. Example: pricesmith keys list."""
    with open_store(settings_for(data_dir)) as store:
        keys = KeyRing(store, SystemClock()).list_keys()
    rows = [
        (k.key_id, k.name, ", ".join(sorted(k.scopes)), k.created_at, k.expires_at, k.last_used_at, k.revoked_at)
        for k in keys
    ]
    columns = ("id", "name", "scopes", "created", "expires", "last used", "revoked")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("API keys", columns, rows)


@app.command("revoke")
def revoke(key_id: str, data_dir: DataDir = None, json: Json = False) -> None:
    """End a key at once. Example: pricesmith keys revoke 3fd0c1."""
    with open_store(settings_for(data_dir)) as store:
        revoked = KeyRing(store, SystemClock()).revoke(key_id)
    print_json({"revoked": revoked}) if json else print_facts({"revoked": revoked})
    if not revoked:
        raise typer.Exit(1)
