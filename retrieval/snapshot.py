"""Atomic snapshots of an index: a folder of files and a manifest with their digests.

`folder/CURRENT` names the current subfolder. It is replaced by a rename once all files are synced to disk, so a crash
leaves either the old or the new snapshot. The manifest records the model version behind the vectors and the store
sequence number, so that a reader can refuse a snapshot or replay later records. Graphs are in FAISS's format, rows in
Arrow IPC; pickles are not used.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from retrieval.errors import SnapshotError

MANIFEST: Final = "manifest.json"
CURRENT: Final = "CURRENT"
FORMAT: Final = 1
_PREFIX: Final = "snapshot-"
_REMEDY: Final = "remedy: pricesmith prepare"


class Manifest(BaseModel):
    """Description of a snapshot.

    Attributes:
        made_with: Model version that computed the vectors; a reader with another version must rebuild.
        count: Number of searchable ids. `dim`: length of a vector.
        watermark: Last store sequence number included, 0 where not applicable.
        files: SHA-256 of each file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(default=FORMAT, ge=FORMAT, le=FORMAT)
    version: str
    made_with: str
    dim: int = Field(ge=1)
    count: int = Field(ge=0)
    watermark: int = Field(default=0, ge=0)
    files: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot whose files were all verified against its manifest."""

    path: Path
    manifest: Manifest


def save_snapshot(folder: Path, write: Callable[[Path], Manifest]) -> Manifest:
    """Let `write` fill a new folder, add digests to the manifest it returns, and make the folder current.

    Processes that save into one folder take turns, as each removes what others left there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _turn(folder):
        return _save(folder, write)


def _save(folder: Path, write: Callable[[Path], Manifest]) -> Manifest:
    target = folder / f"{_PREFIX}{uuid4().hex}"
    target.mkdir()
    try:
        manifest = write(target)
        digests = {path.name: _digest(path) for path in sorted(target.iterdir())}
        manifest = manifest.model_copy(update={"files": digests})
        (target / MANIFEST).write_text(manifest.model_dump_json(indent=1) + "\n", "utf-8")
        for path in (*target.iterdir(), target):
            _sync(path)
        pointer = folder / f".{CURRENT}.{target.name}"
        pointer.write_text(target.name + "\n", "utf-8")
        _sync(pointer)
        pointer.replace(folder / CURRENT)
        _sync(folder)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    for old in folder.glob(f"{_PREFIX}*"):
        if old != target:
            shutil.rmtree(old, ignore_errors=True)
    return manifest


def open_snapshot(folder: Path, made_with: str) -> Snapshot:
    """Verify the current snapshot's manifest and all its files.

    Raises:
        SnapshotError: The snapshot is missing, truncated or altered, or was made with another model version.
    """
    path = _current(folder)
    try:
        manifest = Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise SnapshotError(f"{path / MANIFEST} is missing; {_REMEDY}") from None
    except ValidationError as error:
        raise SnapshotError(f"{path / MANIFEST} is invalid: {error.errors()[0]['msg']}; {_REMEDY}") from None
    if manifest.made_with != made_with:
        raise SnapshotError(
            f"the snapshot in {folder} was made with {manifest.made_with}; active: {made_with}; {_REMEDY}"
        )
    for name, expected in manifest.files.items():
        if Path(name).name != name or not (path / name).is_file():
            raise SnapshotError(f"{path}: file {name!r}, listed in the manifest, is missing; {_REMEDY}")
        found = _digest(path / name)
        if found != expected:
            raise SnapshotError(
                f"{path / name} has SHA-256 {found[:12]}…; its manifest says: {expected[:12]}…; {_REMEDY}"
            )
    return Snapshot(path, manifest)


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which ends with its process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _current(folder: Path) -> Path:
    try:
        name = (folder / CURRENT).read_text("utf-8").strip()
    except FileNotFoundError:
        raise SnapshotError(f"{folder} contains no snapshot; {_REMEDY}") from None
    if not name.startswith(_PREFIX) or Path(name).name != name:
        raise SnapshotError(f"{folder / CURRENT} names {name[:80]!r}, which is not a snapshot; {_REMEDY}")
    return folder / name


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
