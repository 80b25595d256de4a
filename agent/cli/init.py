"""`init`: a shop of one's own."""

import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from agent.cli.options import Json
from agent.cli.output import print_facts, print_json, progress_bar, store_fact
from agent.domain.clock import SystemClock
from agent.service.settings_reading import SETTINGS_FILE

if TYPE_CHECKING:
    from agent.service.own_shop import ShopMade


def init(
    folder: Annotated[Path, typer.Argument(help="Folder of the shop; it is made where there is none.")],
    currency: Annotated[
        str | None,
        typer.Option(help="Currency of the shop's prices, for example EUR; import files then need not name it."),
    ] = None,
    pack: Annotated[
        str | None,
        typer.Option(
            help="Trade: ecommerce, education, finance, retail_markdown or travel. Default: ecommerce.",
            show_default=False,
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Make a shop of your own: models, empty store, first API key.

    Takes a minute the first time, and may be repeated: what is there is kept, models of an earlier release are
    replaced, and the options change the shop's settings. The key stands in a file that its owner alone can read. A
    folder that holds the demo store is refused.

    Example: pricesmith init shop --currency EUR
    """
    from agent.service.own_shop import make_shop  # models' libraries load slowly: not for help and completion

    wanted = {name: value for name, value in (("currency", currency), ("pack", pack)) if value is not None}
    with progress_bar(quiet=json) as progress:
        made = make_shop(folder, wanted, SystemClock(), progress)
    _print(made, json)


def _print(made: "ShopMade", json: bool) -> None:
    from agent.store import StoreKind

    key = str(made.key_file) if made.key_file is not None else None
    facts = {
        "data folder": str(made.folder),
        **store_fact(StoreKind.OWN, json=json),
        "settings": str(made.folder / SETTINGS_FILE),
        "API key": key if json else key or "made before; `pricesmith keys create NAME` makes another",
    }
    steps = next_commands(made)
    if json:
        print_json(facts | {"new": made.new, "next": steps})
        return
    print_facts(facts)
    typer.echo("\nNext:")
    for step in steps:
        typer.echo(f"  {step}")


def next_commands(made: "ShopMade") -> list[str]:
    """Commands that lead from an empty shop to its first price; each works as it stands."""
    given = os.environ.get("PRICESMITH_DATA_DIR")
    there = given is not None and Path(given).resolve() == made.folder.resolve()
    place = "" if there else f" --data-dir {quote(str(made.folder))}"
    currency = "" if made.settings.currency else " --currency EUR"
    return [
        f"pricesmith import products products.csv{currency}{place}",
        f"pricesmith import outcomes outcomes.csv{currency}{place}",
        f"pricesmith train evaluator --version mine{place}",
        f"pricesmith serve{place}",
    ]
