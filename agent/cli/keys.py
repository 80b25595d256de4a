"""`keys`: API keys. A key's text is shown once, when it is created; only its hash is stored."""

from datetime import timedelta
from typing import Annotated

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, home_settings, settings_for
from agent.cli.output import print_facts, print_json, print_table
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import ApiKeyError, CreatedKey, KeyRing, Scope
from agent.service.merchants import MerchantError, Merchants
from agent.service.opening import open_store
from agent.service.settings import DEFAULT_MERCHANT, Settings
from agent.store import Store
from agent.store.data_folder import DataFolder

_COLUMNS = ("id", "name", "merchant", "scopes", "origins", "created", "expires", "last used", "revoked")

KeyId = Annotated[str, typer.Argument(help="Id of the key, as `pricesmith keys list` shows it.")]

app = typer.Typer(no_args_is_help=True, help="Create, list, rotate and revoke API keys.")


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Purpose of the key, for people.")],
    scope: Annotated[
        list[Scope],
        typer.Option(
            help="Permission of the key, repeatable. quotes: prices, recommendations; outcomes: outcomes, events; "
            "merchant: products, rules, explanations, shoppers' data; admin: all of these, webhooks and metrics."
        ),
    ] = [Scope.QUOTES, Scope.OUTCOMES],  # noqa: B006 - typer reads it
    days: Annotated[
        int | None, typer.Option(help="Days until the key expires; never when left out.", min=1, show_default=False)
    ] = None,
    merchant: Annotated[str, typer.Option(help="Merchant whose data the key opens.")] = DEFAULT_MERCHANT,
    per_minute: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Requests a minute that one server process accepts. Default: PRICESMITH_RATE_LIMIT_PER_MINUTE.",
            show_default=False,
        ),
    ] = None,
    publishable: Annotated[
        bool,
        typer.Option(
            "--publishable",
            help="A key for a page's source: prices in the shopper's view, recommendations, token checks and events "
            "from the pages of --origin. It takes no limits, costs or list prices, and reports no outcomes.",
        ),
    ] = False,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Origin whose pages may use a publishable key, such as https://shop.example; repeatable.",
            show_default=False,
        ),
    ] = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Create a key and show its text, once.

    Keep the text at once: only its hash is stored. A running server accepts the key immediately.

    Example: pricesmith keys create shop --scope quotes --scope outcomes

    Example: pricesmith keys create page --publishable --origin https://shop.example
    """
    clock, settings = SystemClock(), home_settings(data_dir)
    if publishable != bool(origin):
        raise ApiKeyError(
            "--publishable and --origin belong together: a publishable key is for the pages of its origins; remedy: "
            "pricesmith keys create NAME --publishable --origin https://shop.example"
        )
    with open_store(settings, clock) as store:
        _check_merchant(store, settings, merchant)
        expires = clock.now() + timedelta(days=days) if days is not None else None
        made = KeyRing(store, clock).create(
            name, scope, expires, merchant=merchant, per_minute=per_minute, origins=origin or ()
        )
    _print_created(made, json)


@app.command("list")
def list_keys(data_dir: DataDir = None, json: Json = False) -> None:
    """List every key, without its text.

    Example: pricesmith keys list
    """
    with open_store(home_settings(data_dir)) as store:
        keys = KeyRing(store, SystemClock()).list_keys()
    rows = [
        (
            key.key_id,
            key.name,
            key.merchant,
            ", ".join(sorted(key.scopes)),
            ", ".join(key.origins) or None,
            key.created_at,
            key.expires_at,
            key.last_used_at,
            key.revoked_at,
        )
        for key in keys
    ]
    if json:
        print_json([dict(zip(_COLUMNS, row, strict=True)) for row in rows])
    else:
        print_table("API keys", _COLUMNS, rows)


@app.command("revoke")
def revoke(key_id: KeyId, data_dir: DataDir = None, json: Json = False) -> None:
    """End a key for ever.

    Running servers refuse it within five seconds. Exit code 1 when no live key has the id.

    Example: pricesmith keys revoke 3fd0c1a2b4c5d6e7
    """
    with open_store(home_settings(data_dir)) as store:
        revoked = KeyRing(store, SystemClock()).revoke(key_id)
    print_json({"revoked": revoked}) if json else print_facts({"revoked": revoked})
    if not revoked:
        raise typer.Exit(ExitCode.FAILED)


@app.command("rotate")
def rotate(
    key_id: KeyId,
    hours: Annotated[int, typer.Option(min=0, help="Hours for which the old key still works.")] = 24,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Replace a key; the old one ends some hours later.

    The new key has the same name, scopes, merchant, origins, limit and expiry.

    Example: pricesmith keys rotate 3fd0c1a2b4c5d6e7 --hours 48
    """
    clock = SystemClock()
    with open_store(home_settings(data_dir), clock) as store:
        made = KeyRing(store, clock).rotate(key_id, clock.now() + timedelta(hours=hours))
    _print_created(made, json)


@app.command("rotate-signing")
def rotate_signing(
    distrust: Annotated[
        bool, typer.Option("--distrust", help="The old key was stolen: tokens that it signed are void at once.")
    ] = False,
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Sign quote tokens with a new key.

    Tokens of the old key stay valid until they expire, unless --distrust is given. Running servers use the new key
    within a second; carts that verify tokens offline must read /.well-known/jwks.json again.

    Example: pricesmith keys rotate-signing
    """
    from agent.service.auth.signing_keys import rotate as rotate_keys  # loads cryptography, for this command only

    path = DataFolder(settings_for(data_dir).data_dir).signing_key
    keys = rotate_keys(path, SystemClock().now(), distrust=distrust)
    facts = {"signs with": keys.key_id, "retired": list(keys.retired)}
    print_json(facts) if json else print_facts(facts)


def _print_created(made: CreatedKey, json: bool) -> None:
    facts = {"id": made.key.key_id, "key": made.text, "scopes": ", ".join(sorted(made.key.scopes))}
    if made.key.publishable:
        facts["origins"] = ", ".join(made.key.origins)
    print_json(facts) if json else print_facts(facts)


def _check_merchant(store: Store, settings: Settings, merchant: str) -> None:
    if not Merchants(settings, store, SystemClock()).live(merchant):
        raise MerchantError(
            f"no merchant has the id {merchant[:60]!r}; remedy: pricesmith merchants create {merchant[:60]}"
        )
