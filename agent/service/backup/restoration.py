"""Restore of a backup into an empty store and a data folder; the archive is checked before anything is written."""

import os
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import select

from agent.service.backup.archive import BackupError, Manifest, member, opened, read_manifest
from agent.service.backup.tables import is_empty, read_table, revision_of, set_counters, tables_of
from agent.service.ingest.preparation import prepare_models
from agent.store import StoreError
from agent.store.data_folder import DataFolder
from agent.store.engine import Database, open_database
from agent.store.migrate import upgrade
from models.progress import Progress
from models.registry.registry import META, ORDER

_OURS: Final = ("meta",)  # a new schema may have rows here


@dataclass(frozen=True, slots=True)
class Restored:
    """Result of a restore; `missing` are model versions that were active and are in neither archive nor release."""

    manifest: Manifest
    missing: tuple[str, ...]


def restore(archive: Path, database_url: str, folder: DataFolder, progress: Progress) -> Restored:
    """Restore into an empty database and a data folder without other keys.

    Tables are restored in one transaction at the schema revision of the backup, then migrated. Indexes and learner
    snapshots are deleted; the next start rebuilds them.

    Raises:
        BackupError: The archive is damaged or of a newer release, or the restore would overwrite data or keys.
        StoreError: The database did not answer.
    """
    progress("archive", 0.0)
    manifest = read_manifest(archive)
    progress("archive", 1.0)
    database = open_database(database_url)
    try:
        _check_empty(database)
        with opened(archive) as tar:
            _check_keys(tar, manifest, folder)
            for stale in (folder.root / "indexes", folder.learning):
                shutil.rmtree(stale, ignore_errors=True)
            _write_files(tar, manifest, folder)
            _restore_tables(tar, manifest, database, progress)
        upgrade(database)
    finally:
        database.close()
    return Restored(manifest, _activate(manifest, folder, progress))


def _check_empty(database: Database) -> None:
    with database.read() as connection:
        tables = tables_of(connection)
        if revision_of(connection) and not is_empty(connection, tables, lambda name: name not in _OURS):
            raise BackupError(
                "the database has data already; allowed: an empty one; remedy: choose another data folder or database"
            )


def _restore_tables(tar: tarfile.TarFile, manifest: Manifest, database: Database, progress: Progress) -> None:
    try:
        upgrade(database, manifest.revision)
    except StoreError as error:
        raise BackupError(
            f"the backup's schema revision {manifest.revision} is unknown to this release: {error}; remedy: use the "
            "release of Pricesmith that made the backup, or a newer one"
        ) from error
    with database.write() as connection:
        tables = tables_of(connection)
        if set(tables) != set(manifest.rows):
            unknown = sorted(set(tables) ^ set(manifest.rows))
            names = ", ".join(unknown)
            raise BackupError(f"tables differ from schema {manifest.revision}: {names}; remedy: use another copy")
        for number, (name, table) in enumerate(tables.items()):
            progress(f"tables: {name}", number / len(tables))
            if connection.execute(select(table).limit(1)).first() is not None:  # rows written by migrations
                connection.execute(table.delete())
            rows = read_table(connection, table, member(tar, f"tables/{name}.parquet"))
            if rows != manifest.rows[name]:
                raise BackupError(
                    f"table {name} has {rows:,} rows, by the manifest {manifest.rows[name]:,}; remedy: use another copy"
                )
        set_counters(connection, tables, manifest.counters)
    progress("tables", 1.0)


def _check_keys(tar: tarfile.TarFile, manifest: Manifest, folder: DataFolder) -> None:
    for name in manifest.files:
        own = folder.root / name
        if name.startswith("keys/") and own.exists() and own.read_bytes() != member(tar, name).read():
            raise BackupError(f"{own} differs from the backup's key; remedy: choose an empty data folder")


def _write_files(tar: tarfile.TarFile, manifest: Manifest, folder: DataFolder) -> None:
    """Write keys and models, each file atomically; a version's `meta.json` last, which marks it as complete."""
    names = [name for name in manifest.files if not name.startswith("tables/")]
    for name in sorted(names, key=lambda name: name.endswith(f"/{META}")):
        target = folder.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
        with os.fdopen(descriptor, "wb") as handle, member(tar, name) as source:
            shutil.copyfileobj(source, handle)
        Path(temporary).replace(target)


def _activate(manifest: Manifest, folder: DataFolder, progress: Progress) -> tuple[str, ...]:
    """Activate the versions of the manifest; returns those that are not installed."""
    registry = prepare_models(folder, progress)
    missing = []
    for kind in ORDER:
        version = manifest.models.get(kind.value)
        if version is None:
            continue
        if not registry.has(kind, version):
            missing.append(f"{kind}/{version}")
        elif registry.active(kind) != version:
            registry.activate(kind, version)
    return tuple(missing)
