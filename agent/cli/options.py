"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from agent.service.merchants import settings_of
from agent.service.settings import Settings

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Data folder; default ./data or PRICESMITH_DATA_DIR.", show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def home_settings(data_dir: Path | None) -> Settings:
    """Settings from the environment, the data folder from the option when given."""
    return Settings() if data_dir is None else Settings(data_dir=data_dir)


def settings_for(data_dir: Path | None) -> Settings:
    """The same for the merchant that `PRICESMITH_MERCHANT` names."""
    settings = home_settings(data_dir)
    return settings_of(settings, settings.merchant)
