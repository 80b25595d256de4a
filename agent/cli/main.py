"""The command line: which commands there are, and how it ends."""

import sys
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Final

import typer

from agent.cli.errors import report
from agent.cli.exit_codes import MEANINGS
from agent.cli.lazy import Entry, LazyGroup

if TYPE_CHECKING:  # typer carries a copy of click
    from typer._click import Context, HelpFormatter

_SET_UP: Final = "Set up"
_PRICE: Final = "Price and explain"
_RULES: Final = "Rules and data"
_MODELS: Final = "Models and measurement"
_KEEP: Final = "Operate"

COMMANDS: Final = (
    Entry("init", "agent.cli.init:init", "Make a shop of your own: models, empty store, first API key.", _SET_UP),
    Entry(
        "prepare",
        "agent.cli.prepare:prepare",
        "Install models, load the demo store, build indexes and shoppers' memory.",
        _SET_UP,
    ),
    Entry("doctor", "agent.cli.doctor:doctor", "Check this installation and say how to repair it.", _SET_UP),
    Entry("keys", "agent.cli.keys:app", "Create, list, rotate and revoke API keys.", _SET_UP),
    Entry("merchants", "agent.cli.merchants:app", "Run several merchants on one installation.", _SET_UP),
    Entry("serve", "agent.cli.serving:serve", "Answer price requests over HTTP until stopped.", _PRICE),
    Entry("quote", "agent.cli.pricing:quote", "Price one product for one shopper.", _PRICE),
    Entry(
        "score",
        "agent.cli.scoring:score",
        "Score the offers of a file at their own prices.",
        _PRICE,
        "agent.cli.reading_options:ScoreCommand",
    ),
    Entry("explain", "agent.cli.explain:explain", "Answer a question about one quote.", _PRICE),
    Entry("ask", "agent.cli.explain:ask", "Answer a question about many quotes.", _PRICE),
    Entry("import", "agent.cli.imports:app", "Import products, events and outcomes from files.", _RULES),
    Entry("jobs", "agent.cli.jobs:app", "List, show and cancel imports and trainings asked for over HTTP.", _RULES),
    Entry("data", "agent.cli.data:app", "List and remove stored events and outcomes that are wrong.", _RULES),
    Entry("rules", "agent.cli.rules:app", "Set limits in versions, and hold all prices.", _RULES),
    Entry("shoppers", "agent.cli.shoppers:app", "Export, erase and purge shoppers' data.", _RULES),
    Entry("webhooks", "agent.cli.webhooks:app", "Send signed events to other systems.", _RULES),
    Entry("train", "agent.cli.training:train", "Train models on your own outcomes or the demo data.", _MODELS),
    Entry("models", "agent.cli.models:app", "List, compare, activate and roll back model versions.", _MODELS),
    Entry("prompts", "agent.cli.prompts:app", "List, show, compare and test prompts.", _MODELS),
    Entry("audit", "agent.cli.audit:app", "Verify that the decision log was not altered.", _KEEP),
    Entry("backup", "agent.cli.backup:backup", "Save database, keys and own models in one file.", _KEEP),
    Entry("restore", "agent.cli.backup:restore", "Restore a backup into an empty data folder.", _KEEP),
)


class Commands(LazyGroup):
    """Every command of Pricesmith."""

    entries = COMMANDS
    extensions_section = _MODELS

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write the table of exit codes, which every command keeps to."""
        with formatter.section("Exit codes"):
            formatter.write_dl([(f"{code:>3}", meaning) for code, meaning in MEANINGS.items()])


app = typer.Typer(
    name="pricesmith",
    cls=Commands,
    help="Set a price for this shopper, this product, now, within your limits and with reasons.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"pricesmith {version('pricesmith')}")
        raise typer.Exit


@app.callback()
def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Set a price for this shopper, this product, now, within your limits and with reasons."""


def main() -> None:
    """Run a command; an error that users can act on ends with one message and an exit code, without a traceback."""
    try:
        app(prog_name="pricesmith")
    except Exception as error:
        sys.exit(report(error))
