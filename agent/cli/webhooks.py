"""`webhooks`: who is told of quotes, bound rules and activated models."""

from typing import Annotated

import typer

from agent.cli.options import DataDir, Json, settings_for
from agent.cli.output import print_facts, print_json, print_table
from agent.domain.clock import SystemClock
from agent.service.opening import open_store
from agent.service.webhooks import check_url
from agent.store.webhook_messages import WebhookEvent

app = typer.Typer(no_args_is_help=True, help="Register, list and remove webhooks.")


@app.command("add")
def add(
    url: str,
    event: Annotated[list[WebhookEvent], typer.Option(help="Repeatable.")] = [WebhookEvent.QUOTE_CREATED],  # noqa: B006 - typer reads it
    data_dir: DataDir = None,
    json: Json = False,
) -> None:
    """Register, and show the signing secret once. Example: pricesmith webhooks add https://shop.example/hooks."""
    settings = settings_for(data_dir)
    check_url(url, private=settings.webhooks_private)
    with open_store(settings) as store:
        made = store.add_webhook(url, event, SystemClock().now())
    facts = {"id": made.webhook_id, "url": made.url, "events": ", ".join(made.events), "secret": made.secret}
    print_json(facts) if json else print_facts(facts)


@app.command("list")
def list_webhooks(data_dir: DataDir = None, json: Json = False) -> None:
    """Every webhook, without its secret, and how its delivery does. Example: pricesmith webhooks list."""
    with open_store(settings_for(data_dir)) as store:
        found = [(record, store.webhook_backlog(record.webhook_id)) for record in store.webhooks()]
    columns = ("id", "url", "events", "created", "waiting", "given up", "trouble")
    rows = [
        (r.webhook_id, r.url, ", ".join(r.events), r.created_at, b.waiting, b.given_up, b.trouble) for r, b in found
    ]
    if json:
        print_json([dict(zip(columns, row, strict=True)) for row in rows])
    else:
        print_table("Webhooks", columns, rows)


@app.command("remove")
def remove(webhook_id: str, data_dir: DataDir = None, json: Json = False) -> None:
    """Forget a webhook and what it was still to be told. Example: pricesmith webhooks remove 0192...."""
    with open_store(settings_for(data_dir)) as store:
        removed = store.remove_webhook(webhook_id)
    print_json({"removed": removed}) if json else print_facts({"removed": removed})
    if not removed:
        raise typer.Exit(1)
