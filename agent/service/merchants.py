"""Merchants: each with a data folder, a store, models, indexes and a signing key of their own.

Nothing of one merchant is in a table or file of another, so that no query can forget whose rows it wants. The default
merchant is what a single-merchant install has: the data folder itself. The others lie in `merchants/<id>` under it, on
PostgreSQL in a schema of their own. Who exists, and all API keys, are in the default merchant's store.
"""

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

from agent.domain.clock import Clock
from agent.service.auth.api_keys import KeyRing
from agent.service.settings import DEFAULT_MERCHANT, Settings
from agent.store import MerchantRecord, Store
from agent.store.data_folder import DataFolder
from agent.store.engine import create_schema, drop_schema, in_schema

_ID: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")


class MerchantError(ValueError):
    """A merchant cannot be made, found or removed as asked."""


def checked_id(merchant: str) -> str:
    """The id of a merchant other than the default one, which names a folder and a schema.

    Raises:
        MerchantError: It could not be either.
    """
    if merchant == DEFAULT_MERCHANT or not _ID.fullmatch(merchant):
        raise MerchantError(
            f"{merchant[:60]!r} is no id for a merchant; allowed: a lower-case letter, then letters, digits and _, at "
            f"most 40, and not {DEFAULT_MERCHANT!r}"
        )
    return merchant


def settings_of(settings: Settings, merchant: str) -> Settings:
    """The settings under which one merchant's service runs."""
    if merchant == DEFAULT_MERCHANT:
        return settings.model_copy(update={"merchant": DEFAULT_MERCHANT})
    folder = merchant_folder(settings, merchant)
    url = settings.database_url
    own = None if url is None else in_schema(url, _schema(merchant))
    changes = {"data_dir": folder, "database_url": own, "bootstrap_key": None, "merchant": merchant}
    return settings.model_copy(update=changes)


def merchant_folder(settings: Settings, merchant: str) -> Path:
    """Where a merchant's own files lie."""
    return settings.data_dir / "merchants" / checked_id(merchant)


class Merchants:
    """Makes, lists and removes merchants over the default merchant's settings and store."""

    def __init__(self, settings: Settings, home: Store, clock: Clock) -> None:
        """`settings` and `home` are the default merchant's."""
        self._settings = settings
        self._home = home
        self._clock = clock

    def create(self, merchant: str, name: str) -> MerchantRecord:
        """A merchant with an empty store and the models that the default merchant has; their files are shared.

        Raises:
            MerchantError: The id is not usable, or was used before.
        """
        if self._home.merchant(checked_id(merchant)) is not None:
            raise MerchantError(f"there is, or was, a merchant {merchant!r}; allowed: an id that was never used")
        folder = merchant_folder(self._settings, merchant)
        folder.mkdir(parents=True, exist_ok=True)
        _share_models(DataFolder(self._settings.data_dir).models, DataFolder(folder).models)
        if self._settings.database_url is not None:
            create_schema(self._settings.database_url, _schema(merchant))
        own = settings_of(self._settings, merchant)
        Store.open(own.database_url or DataFolder(folder).database_url, self._clock).close()
        record = MerchantRecord(merchant, name, self._clock.now())
        self._home.insert_merchant(record)
        return record

    def list(self) -> list[MerchantRecord]:
        """All merchants but the default one, oldest first, removed ones too."""
        return self._home.merchants()

    def live(self, merchant: str) -> bool:
        """Whether a merchant is there and was not removed."""
        if merchant == DEFAULT_MERCHANT:
            return True
        record = self._home.merchant(merchant)
        return record is not None and record.removed_at is None

    def remove(self, merchant: str, keys: KeyRing, *, purge: bool = False) -> MerchantRecord:
        """Revoke a merchant's keys; with `purge` delete what is theirs too, for ever.

        Raises:
            MerchantError: There is no such merchant.
        """
        record = self._home.merchant(checked_id(merchant))
        if record is None:
            raise MerchantError(f"there is no merchant {merchant!r}; remedy: pricesmith merchants list")
        for key in keys.list_keys():
            if key.merchant == merchant:
                keys.revoke(key.key_id)
        removed = replace(record, removed_at=record.removed_at or self._clock.now())
        self._home.mark_merchant_removed(merchant, self._clock.now())
        if purge:
            if self._settings.database_url is not None:
                drop_schema(self._settings.database_url, _schema(merchant))
            shutil.rmtree(merchant_folder(self._settings, merchant), ignore_errors=True)
        return removed


def _schema(merchant: str) -> str:
    return f"merchant_{checked_id(merchant)}"


def _share_models(source: Path, target: Path) -> None:
    """The same versions and activations; version files never change, so that links do."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_linked, dirs_exist_ok=True)


def _linked(source: str, target: str) -> None:
    if Path(source).parent.parent.parent.name == "models":  # models/<kind>/<version>/<file>
        Path(target).unlink(missing_ok=True)
        os.link(source, target)
    else:
        shutil.copy2(source, target)
