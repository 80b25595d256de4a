"""A shop of one's own: a data folder with models, an empty store, settings and a first API key. Idempotent."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.domain.clock import Clock
from agent.service.auth.api_keys import KeyRing, Scope
from agent.service.ingest.preparation import prepare_indexes, prepare_models
from agent.service.ingest.store_choice import mark_as_own
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.service.settings_reading import PREFIX, SETTINGS_FILE, check_values, read_settings
from agent.store import Store
from agent.store.data_folder import DataFolder
from models.progress import Progress
from models.registry.base_weights import BASE_WEIGHTS, check_packages
from models.registry.registry import Registry

KEY_FILE: Final = "api.key"
_KEY_NAME: Final = "first key"
_SCOPES: Final = (Scope.QUOTES, Scope.OUTCOMES, Scope.MERCHANT)
_OURS: Final = ("models/active.json", "pricesmith.db", SETTINGS_FILE)
_SHOWN: Final = 3
_HEADER: Final = (
    "# Settings of this shop, one NAME=value a line; environment variables go before them.\n"
    "# `pricesmith doctor` checks them.\n"
)


class ShopError(ValueError):
    """A folder cannot become a shop of one's own."""


@dataclass(frozen=True, slots=True)
class ShopMade:
    """A shop, and what of it was made now.

    Attributes:
        key_file: File of the first API key; None where that was made before and is kept elsewhere.
        new: Whether the store was made a shop's own now.
    """

    folder: Path
    settings: Settings
    key_file: Path | None
    new: bool


def make_shop(folder: Path, wanted: Mapping[str, str], clock: Clock, progress: Progress) -> ShopMade:
    """Make a shop in a folder, or complete one; `wanted` are settings by name, for its settings file.

    Raises:
        ShopError: The folder holds files that are not a shop's.
        WrongStoreError: The folder holds the demo store.
        SettingsError: A setting has a value that is not allowed.
        BaseWeightsError: The packages with the models' base weights are not installed.
        StoreError, OSError: Folder or database cannot be written.
    """
    _check_folder(folder)
    settings = read_settings(folder).model_copy(update=dict(wanted))
    check_values(settings)
    place = DataFolder(folder)
    if settings.built_models_dir is None and not Registry(place.models).in_use():
        check_packages(BASE_WEIGHTS)
    with open_store(settings, clock) as store:
        new = mark_as_own(store, clock)
        _write_settings(folder / SETTINGS_FILE, {f"{PREFIX}{name.upper()}": value for name, value in wanted.items()})
        registry = prepare_models(place, progress, settings.built_models_dir)
        prepare_indexes(place, store, registry, progress, settings.threads)
        key = _first_key(store, folder, settings, clock)
    return ShopMade(folder, settings, key, new)


def _check_folder(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ShopError(f"{folder} is a file; allowed: a new or empty folder; remedy: another name")
    found = sorted(path.name for path in folder.iterdir())
    if found and not any((folder / name).is_file() for name in _OURS):
        named = ", ".join(found[:_SHOWN]) + (", ..." if len(found) > _SHOWN else "")
        raise ShopError(
            f"{folder} holds files that are not a shop's ({named}); allowed: a new or empty folder, or one that "
            f"`pricesmith init` made; remedy: pricesmith init {folder / 'shop'}"
        )


def _write_settings(file: Path, wanted: Mapping[str, str]) -> None:
    """Set lines of the settings file, which is made readable for its owner alone, as it may hold passwords."""
    lines = file.read_text("utf-8").splitlines() if file.exists() else _HEADER.splitlines()
    kept = [line for line in lines if line.partition("=")[0].strip() not in wanted]
    text = "\n".join([*kept, *(f"{name}={value}" for name, value in wanted.items())]) + "\n"
    if not file.exists() or text != file.read_text("utf-8"):
        _write_private(file, text)


def _first_key(store: Store, folder: Path, settings: Settings, clock: Clock) -> Path | None:
    """File of the first API key: made where no key was made before and the settings bring none."""
    file = folder / KEY_FILE
    if file.exists():
        return file
    keys = KeyRing(store, clock)
    if settings.bootstrap_key is not None or keys.list_keys():
        return None
    _write_private(file, keys.create(_KEY_NAME, _SCOPES).text + "\n")
    return file


def _write_private(file: Path, text: str) -> None:
    """Write a file whole or not at all, with mode 0600."""
    part = file.with_name(f".{file.name}.{os.getpid()}")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        handle.write(text)
    part.replace(file)
