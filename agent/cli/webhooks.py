"""`webhooks`: addresses that are sent signed events."""

from typing import Annotated

import typer

from agent.cli.exit_codes import ExitCode
from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table
from agent.domain.clock import SystemClock
from agent.service.opening import open_store
from agent.service.webhooks import check_url
from agent.store.webhook_messages import WebhookEvent

_COLUMNS = ("id", "url", "events", "created", "waiting", "given up", "trouble")

Events = Annotated[list[WebhookEvent], typer.Option(help="Event that is sent, repeatable.")]

app = typer.Typer(no_args_is_help=True, help="Send signed events to other systems.")


@app.command("add")
def add(
    url: Annotated[
        str, typer.Argument(help="Public https address; PRICESMITH_WEBHOOKS_PRIVATE=true allows others, for tests.")
    ],
    event: Events = [WebhookEvent.QUOTE_CREATED],  # noqa: B006 - typer reads it
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Register an address and show its signing secret.

    The receiver checks messages with the secret, by the Standard Webhooks specification.

    Example: pricesmith webhooks add https://shop.example/hooks --event quote.created
    """
    settings = settings_for(data_dir)
    check_url(url, private=settings.webhooks_private)
    with open_store(settings) as store:
        made = store.add_webhook(url, event, SystemClock().now())
    facts = {"id": made.webhook_id, "url": made.url, "events": ", ".join(made.events), "secret": made.secret}
    print_json(facts) if json else print_facts(facts)


@app.command("list")
def list_webhooks(data_dir: DataDir = None, json: Json = False) -> None:
    """List every webhook and the state of its deliveries.

    Secrets are not shown. `waiting` counts messages that are not delivered yet, `given up` those that failed for too
    long; `trouble` is the last failure.

    Example: pricesmith webhooks list
    """
    with open_store(settings_for(data_dir)) as store:
        found = [(record, store.webhook_backlog(record.webhook_id)) for record in store.webhooks()]
    rows = [
        (r.webhook_id, r.url, ", ".join(r.events), r.created_at, b.waiting, b.given_up, b.trouble) for r, b in found
    ]
    if json:
        print_json([dict(zip(_COLUMNS, row, strict=True)) for row in rows])
    else:
        print_table("Webhooks", _COLUMNS, rows)


@app.command("remove")
def remove(
    webhook_id: Annotated[str, typer.Argument(help="Id of the webhook, as `pricesmith webhooks list` shows it.")],
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Remove a webhook and the messages that still wait for it.

    Exit code 1 when no webhook has the id.

    Example: pricesmith webhooks remove 01920f6e-5b3c-7d21-9a4e-0c1d2e3f4a5b
    """
    with open_store(settings_for(data_dir)) as store:
        removed = store.remove_webhook(webhook_id)
    print_json({"removed": removed}) if json else print_facts({"removed": removed})
    if not removed:
        raise typer.Exit(ExitCode.FAILED)
