"""The command line: one module a command group; expected errors become one line and an exit code."""

import sys
from importlib.metadata import entry_points

import typer

from agent.cli import (
    audit,
    backup,
    data,
    explain,
    keys,
    merchants,
    models,
    pricing,
    prompts,
    rules,
    serving,
    shoppers,
    webhooks,
)

app = typer.Typer(
    name="pricesmith",
    help="Prices for this shopper, this product, now, within your limits and with reasons.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command("prepare")(data.prepare)
app.command("serve")(serving.serve)
app.command("quote")(pricing.quote)
app.command("score")(pricing.score)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("explain")(explain.explain)
app.command("ask")(explain.ask)
app.command("train")(models.train)
app.add_typer(data.import_app, name="import")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(merchants.app, name="merchants")
app.add_typer(prompts.app, name="prompts")
app.add_typer(rules.app, name="rules")
app.add_typer(shoppers.app, name="shoppers")
app.add_typer(audit.app, name="audit")
app.add_typer(webhooks.app, name="webhooks")
for extra in entry_points(group="pricesmith.commands"):  # `eval` stands above this package and adds itself
    app.add_typer(extra.load(), name=extra.name)


def main() -> None:
    """Run a command; expected errors end with what is wrong and what to do, without a traceback."""
    from agent.cli.errors import EXPECTED

    try:
        app()
    except EXPECTED as error:
        sys.stderr.write(f"pricesmith: {error}\n")
        sys.exit(1)
