"""Merchants (tenants): each has its own data folder, store, models, indexes and signing key.

No table or file has data of two merchants, so that no query needs a filter by merchant. The default merchant, the only
one of a simple installation, uses the data folder itself; the others use `merchants/<id>` under it and, on PostgreSQL,
a schema of their own. The list of merchants and all API keys are in the default merchant's store.
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
    """A merchant cannot be created, found or removed as asked."""


def checked_id(merchant: str) -> str:
    """Check the id of a merchant other than the default one; it names a folder and a schema.

    Raises:
        MerchantError: It is not usable for these.
    """
    if merchant == DEFAULT_MERCHANT or not _ID.fullmatch(merchant):
        raise MerchantError(
            f"{merchant[:60]!r} is not a merchant id; allowed: up to 40 lower-case letters, digits and _, the first a "
            f"letter, and not {DEFAULT_MERCHANT!r}"
        )
    return merchant


def settings_of(settings: Settings, merchant: str) -> Settings:
    """Settings of one merchant's service."""
    if merchant == DEFAULT_MERCHANT:
        return settings.model_copy(update={"merchant": DEFAULT_MERCHANT})
    folder = merchant_folder(settings, merchant)
    url = settings.database_url
    own = None if url is None else in_schema(url, _schema(merchant))
    changes = {"data_dir": folder, "database_url": own, "bootstrap_key": None, "merchant": merchant}
    return settings.model_copy(update=changes)


def merchant_folder(settings: Settings, merchant: str) -> Path:
    """Data folder of a merchant."""
    return settings.data_dir / "merchants" / checked_id(merchant)


class Merchants:
    """Creates, lists and removes merchants."""

    def __init__(self, settings: Settings, home: Store, clock: Clock) -> None:
        """`settings` and the store `home` are the default merchant's."""
        self._settings = settings
        self._home = home
        self._clock = clock

    def create(self, merchant: str, name: str) -> MerchantRecord:
        """Create a merchant with an empty store and the default merchant's models, whose files are shared.

        Raises:
            MerchantError: The id is malformed or was used before.
        """
        if self._home.merchant(checked_id(merchant)) is not None:
            raise MerchantError(f"the merchant id {merchant!r} is or was in use; allowed: an id that was never used")
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
        """Whether a merchant exists and was not removed."""
        if merchant == DEFAULT_MERCHANT:
            return True
        record = self._home.merchant(merchant)
        return record is not None and record.removed_at is None

    def remove(self, merchant: str, keys: KeyRing, *, purge: bool = False) -> MerchantRecord:
        """Revoke a merchant's keys; `purge` deletes its data too, for ever.

        Raises:
            MerchantError: The merchant is unknown.
        """
        record = self._home.merchant(checked_id(merchant))
        if record is None:
            raise MerchantError(f"no merchant has the id {merchant!r}; remedy: pricesmith merchants list shows all")
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
    """Copy all versions and activations; files of versions never change, so that hard links are enough."""
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link_or_copy, dirs_exist_ok=True)


def _link_or_copy(source: str, target: str) -> None:
    if Path(source).parent.parent.parent.name == "models":  # models/<kind>/<version>/<file>
        Path(target).unlink(missing_ok=True)
        os.link(source, target)
    else:
        shutil.copy2(source, target)
