"""Creation of a backup while the service runs: a snapshot of the store, then keys and models."""

import os
import tarfile
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from agent.service.backup.archive import ArchiveWriter, BackupError, Manifest
from agent.service.backup.tables import counters_of, revision_of, tables_of, write_table
from agent.store import Store
from agent.store.data_folder import DataFolder
from models.progress import Progress
from models.registry.registry import ModelKind, Registry
from models.registry.versions import shipped_meta


def save_backup(store: Store, folder: DataFolder, target: Path, now: datetime, progress: Progress) -> Manifest:
    """Write everything that cannot be rebuilt into one file: tables, keys, locally trained models.

    The file contains the signing key and all personal data: it is readable by its owner alone (mode 0600); store it
    accordingly. Indexes and the learner's snapshots are left out, as they can be rebuilt.

    Raises:
        BackupError: The target exists.
        StoreUnavailable: The database did not answer.
    """
    if target.exists():
        raise BackupError(f"{target} exists; remedy: choose another name")
    target.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # mode 0600
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            with tarfile.open(fileobj=handle, mode="w") as tar:
                manifest = _fill(ArchiveWriter(tar), store, folder, now, progress)
            handle.flush()
            os.fsync(handle.fileno())
        os.link(part, target)  # unlike a rename, never replaces a file created meanwhile
    except FileExistsError:
        raise BackupError(f"{target} exists; remedy: choose another name") from None
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _fill(writer: ArchiveWriter, store: Store, folder: DataFolder, now: datetime, progress: Progress) -> Manifest:
    rows: dict[str, int] = {}
    with store.snapshot() as connection, tempfile.TemporaryDirectory() as scratch:
        tables = tables_of(connection)
        for number, (name, table) in enumerate(tables.items()):
            progress(f"tables: {name}", number / len(tables))
            path = Path(scratch) / name
            rows[name] = write_table(connection, table, path)
            writer.add(f"tables/{name}.parquet", path)
            path.unlink()
        revision, counters = revision_of(connection), counters_of(connection, tables)
        head = connection.exec_driver_sql("SELECT seq, link_sha256 FROM audit_head").one_or_none()
    progress("tables", 1.0)
    for path in sorted((folder.root / "keys").glob("*")):
        if path.is_file() and not path.name.startswith("."):
            writer.add(f"keys/{path.name}", path)
    in_use = Registry(folder.models).in_use()
    included = [kind for kind, version in in_use.items() if shipped_meta(kind).version != version]
    for kind in included:
        for path in _files(folder, kind, in_use[kind]):
            writer.add(f"models/{kind}/{in_use[kind]}/{path.name}", path)
    manifest = Manifest(
        made_at=now,
        revision=revision,
        rows=rows,
        counters=counters,
        audit_seq=0 if head is None else head[0],
        audit_sha256="" if head is None else head[1],
        models={kind.value: version for kind, version in in_use.items()},
        included=tuple(kind.value for kind in included),
        files=writer.digests,
    )
    writer.finish(manifest)
    return manifest


def _files(folder: DataFolder, kind: ModelKind, version: str) -> Iterator[Path]:
    return (path for path in sorted(Registry(folder.models).folder(kind, version).iterdir()) if path.is_file())
