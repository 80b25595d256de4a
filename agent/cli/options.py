"""Options that several commands share, and the settings that they lead to."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.domain.fields import normal_id
from agent.service.merchants import settings_of
from agent.service.settings import Settings
from agent.service.settings_reading import read_settings, unknown_variables

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of models, indexes, keys and database. Default: PRICESMITH_DATA_DIR, else ./data.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def home_settings(data_dir: Path | None) -> Settings:
    """The default merchant's settings; warns of variables that look like a slip of one.

    Raises:
        SettingsError: A variable's value is not allowed.
    """
    for name, meant in unknown_variables(os.environ).items():
        if meant is not None:
            sys.stderr.write(f"pricesmith: {name} is no setting and has no effect; did you mean {meant}?\n")
    return read_settings(data_dir)


def settings_for(data_dir: Path | None) -> Settings:
    """The settings of the merchant that `PRICESMITH_MERCHANT` names, the default one when it is not set.

    Raises:
        SettingsError: A variable's value is not allowed.
        MerchantError: The name cannot be a merchant's.
    """
    settings = home_settings(data_dir)
    return settings_of(settings, settings.merchant)


def as_id(text: str | None) -> str | None:
    """An id from the command line in its normal form, as every other door reads it.

    Raises:
        typer.BadParameter: It has none.
    """
    if text is None:
        return None
    try:
        return normal_id(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text[:80]!r} is not an id: it {error}") from None
