"""Snapshots of an index: a folder of plain files and a manifest with their digests, replaced in one step.

The manifest names what the snapshot was made with and up to which store sequence, so that a reader can refuse it or
replay what came after. No pickles: FAISS's own format for graphs, Arrow IPC for columns.
"""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError

from retrieval.errors import SnapshotError

MANIFEST: Final = "manifest.json"


class Manifest(BaseModel):
    """What a snapshot holds.

    Attributes:
        made_with: Version of what made the vectors; a reader with another one must rebuild.
        watermark: Last store sequence that is included, 0 when that does not apply.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    made_with: str
    dim: int
    count: int
    watermark: int = 0
    files: Mapping[str, str] = {}


def save_snapshot(folder: Path, manifest: Manifest, write: Callable[[Path], None]) -> Manifest:
    """Let `write` fill a temporary folder, add the manifest, and put it in the place of `folder`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        write(temporary)
        digests = {path.name: _digest(path) for path in sorted(temporary.iterdir())}
        complete = manifest.model_copy(update={"files": digests})
        (temporary / MANIFEST).write_text(complete.model_dump_json(indent=1) + "\n", "utf-8")
        for path in temporary.iterdir():
            _sync(path)
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
        _sync(folder.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return complete


def read_manifest(folder: Path, made_with: str) -> Manifest:
    """Read and check a snapshot's manifest and every file it names.

    Raises:
        SnapshotError: The snapshot cannot be trusted or was made with something else; the remedy is to rebuild it.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise SnapshotError(f"{folder} holds no snapshot; remedy: pricesmith prepare")
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
    except ValidationError:
        raise SnapshotError(f"{path} is damaged; remedy: pricesmith prepare") from None
    if manifest.made_with != made_with:
        raise SnapshotError(f"{folder} was made with {manifest.made_with}, in use is {made_with}; remedy: rebuild it")
    for name, expected in manifest.files.items():
        if Path(name).name != name or not (folder / name).is_file():
            raise SnapshotError(f"{folder}: file {name!r} of the manifest is missing; remedy: pricesmith prepare")
        found = _digest(folder / name)
        if found != expected:
            raise SnapshotError(
                f"{folder / name} has sha256 {found[:12]}…, its manifest says {expected[:12]}…; remedy: pricesmith prepare"
            )
    return manifest


def _digest(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
