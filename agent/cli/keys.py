"""`keys`: API keys. A key's text is shown once, when it is made; only its hash is kept."""

from datetime import timedelta
from typing import Annotated

import typer

from agent.cli.options import DataDir, Json, home_settings, settings_for
from agent.cli.output import print_facts, print_json, print_table
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing, Scope
from agent.service.auth.signing_keys import rotate as rotate_keys
from agent.service.merchants import MerchantError, Merchants
from agent.service.opening import open_store
from agent.service.settings import DEFAULT_MERCHANT, Settings
from agent.store import Store
from agent.store.data_folder import DataFolder

_TIMES = ("created_at", "expires_at", "last_used_at", "revoked_at")

app = typer.Typer(no_args_is_help=True, help="Make, list and revoke API keys.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[list[Scope], typer.Option(help="Repeatable.")] = [Scope.QUOTES, Scope.OUTCOMES],  # noqa: B006 - typer reads it
    days: Annotated[int | None, typer.Option(help="Days until it expires; never when left out.", min=1)] = None,
    merchant: Annotated[str, typer.Option(help="Whose key it is.")] = DEFAULT_MERCHANT,
    per_minute: Annotated[int | None, typer.Option(min=1, help="Requests a minute, of each process.")] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Make a key and show it once. Example: pricesmith keys create shop --scope quotes --scope outcomes."""
    clock = SystemClock()
    with open_store(home_settings(data_dir), clock) as store:
        _check(store, home_settings(data_dir), merchant)
        expires = clock.now() + timedelta(days=days) if days is not None else None
        made = KeyRing(store, clock).create(name, scope, expires, merchant=merchant, per_minute=per_minute)
    facts = {"id": made.key.key_id, "key": made.text, "scopes": ", ".join(sorted(made.key.scopes))}
    print_json(facts) if json else print_facts(facts)


@app.command("list")
def list_keys(data_dir: DataDir = None, json: Json = False) -> None:
    """Every key, without its text. Example: pricesmith keys list."""
    with open_store(home_settings(data_dir)) as store:
        keys = KeyRing(store, SystemClock()).list_keys()
    rows = [
        (
            k.key_id,
            k.name,
            k.merchant,
            ", ".join(sorted(k.scopes)),
            k.created_at,
            k.expires_at,
            k.last_used_at,
            k.revoked_at,
        )
        for k in keys
    ]
    columns = ("id", "name", "merchant", "scopes", "created", "expires", "last used", "revoked")
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("API keys", columns, rows)


@app.command("revoke")
def revoke(key_id: str, data_dir: DataDir = None, json: Json = False) -> None:
    """End a key at once. Example: pricesmith keys revoke 3fd0c1."""
    with open_store(home_settings(data_dir)) as store:
        revoked = KeyRing(store, SystemClock()).revoke(key_id)
    print_json({"revoked": revoked}) if json else print_facts({"revoked": revoked})
    if not revoked:
        raise typer.Exit(1)


@app.command("rotate")
def rotate(
    key_id: str,
    hours: Annotated[int, typer.Option(min=0, help="How long the old key still works.")] = 24,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """A new key of the same name and scopes; the old one ends later. Example: pricesmith keys rotate 3fd0c1."""
    clock = SystemClock()
    with open_store(home_settings(data_dir), clock) as store:
        made = KeyRing(store, clock).rotate(key_id, clock.now() + timedelta(hours=hours))
    facts = {"id": made.key.key_id, "key": made.text, "scopes": ", ".join(sorted(made.key.scopes))}
    print_json(facts) if json else print_facts(facts)


@app.command("rotate-signing")
def rotate_signing(
    distrust: Annotated[
        bool, typer.Option("--distrust", help="The old key was stolen: its tokens are void at once.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Sign tokens with a new key; those of the old one verify until they end. Example: pricesmith keys rotate-signing.

    Running servers follow within a second; carts that check offline read /.well-known/jwks.json again.
    """
    path = DataFolder(settings_for(data_dir).data_dir).signing_key
    keys = rotate_keys(path, SystemClock().now(), distrust=distrust)
    facts = {"signs with": keys.key_id, "retired": list(keys.retired)}
    print_json(facts) if json else print_facts(facts)


def _check(store: Store, settings: Settings, merchant: str) -> None:
    if not Merchants(settings, store, SystemClock()).live(merchant):
        raise MerchantError(
            f"there is no merchant {merchant[:60]!r}; remedy: pricesmith merchants create {merchant[:60]}"
        )
