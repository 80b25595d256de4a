"""Options that several commands share, and the settings that they lead to."""

from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from agent.cli.errors import SettingsError
from agent.domain.fields import normal_id
from agent.service.merchants import settings_of
from agent.service.settings import Settings

DataDir = Annotated[
    Path | None,
    typer.Option(
        "--data-dir",
        help="Folder of models, indexes, keys and database. Default: PRICESMITH_DATA_DIR, else ./data.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]

_PREFIX: Final = "PRICESMITH_"
_SECRET: Final = ("key", "url")  # parts of the names of settings whose values are not repeated


def home_settings(data_dir: Path | None) -> Settings:
    """The default merchant's settings: environment variables, and the data folder where it is given.

    Raises:
        SettingsError: A variable's value is not allowed.
    """
    try:
        return Settings() if data_dir is None else Settings(data_dir=data_dir)
    except ValidationError as error:
        raise SettingsError(_problems(error)) from None


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


def _problems(error: ValidationError) -> list[str]:
    """One line for each variable: its name, its value unless it may be a secret, what is allowed."""
    lines = []
    for problem in error.errors(include_url=False):
        field = ".".join(map(str, problem["loc"]))
        value = "" if any(part in field for part in _SECRET) else f"={problem['input']!r}"
        lines.append(f"{_PREFIX}{field.upper()}{value}: {problem['msg']}")
    return lines
