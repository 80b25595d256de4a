"""Backup archives: a tar of plain files and, last, a manifest with their SHA-256 digests.

Tables are Parquet whatever the database, so that a backup of SQLite can be restored into PostgreSQL and vice versa.
"""

import hashlib
import io
import re
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

MANIFEST: Final = "manifest.json"
FORMAT: Final = 1
_NAME: Final = re.compile(r"(?:tables|keys|models)(?:/[A-Za-z0-9][A-Za-z0-9._-]*){1,3}")
_LARGEST_MANIFEST: Final = 2**20


class BackupError(RuntimeError):
    """A backup cannot be created or restored; the message gives reason and remedy."""


class Manifest(BaseModel):
    """Contents of an archive.

    Attributes:
        revision: Revision of the database schema.
        rows: Number of rows by table.
        counters: Last row number given by each table that numbers its rows.
        audit_seq, audit_sha256: Number and hash of the last row of the audit log.
        models: Active model versions by kind.
        included: Kinds whose model files are in the archive.
        files: SHA-256 by file name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = Field(default=FORMAT, ge=FORMAT, le=FORMAT)
    made_at: datetime
    revision: str
    rows: Mapping[str, int]
    counters: Mapping[str, int]
    audit_seq: int
    audit_sha256: str
    models: Mapping[str, str]
    included: tuple[str, ...]
    files: Mapping[str, str]


class ArchiveWriter:
    """Adds files one by one, then the manifest."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        """Write into `tar`."""
        self._tar = tar
        self.digests: dict[str, str] = {}

    def add(self, name: str, path: Path) -> None:
        """Add a file under a name in the archive."""
        if not _NAME.fullmatch(name):
            raise BackupError(
                f"the file {path} has a name that a backup does not allow; remedy: move it out of the data folder"
            )
        self._tar.add(path, arcname=name, recursive=False)
        with path.open("rb") as handle:
            self.digests[name] = hashlib.file_digest(handle, "sha256").hexdigest()

    def finish(self, manifest: Manifest) -> None:
        """Add the manifest, the last file."""
        text = manifest.model_dump_json(indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(text), 0o600
        self._tar.addfile(info, io.BytesIO(text))


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """Open an archive for reading.

    Raises:
        BackupError: The file is not a tar archive, or is truncated.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError) as error:
        raise BackupError(f"{path} is damaged or not a backup: {error}; remedy: use another copy") from error


def read_manifest(path: Path) -> Manifest:
    """Read the manifest and check every file of the archive against it.

    Raises:
        BackupError: The archive is truncated, altered, of a newer format, or has a file that the manifest lacks.
    """
    with opened(path) as tar:
        members = {member.name: member for member in tar.getmembers()}
        manifest = _manifest(path, tar, members)
        strange = sorted(set(members) - set(manifest.files) - {MANIFEST})
        for name in (*strange, *manifest.files):
            if name in strange or not _NAME.fullmatch(name):
                raise BackupError(
                    f"{path} contains {name[:80]!r}, which no backup does: it was altered, or is not a backup; "
                    "remedy: use another copy"
                )
        for name, expected in manifest.files.items():
            member = members.get(name)
            if member is None or not member.isfile():
                raise BackupError(f"{path} is damaged: {name} is missing; remedy: use another copy")
            found = _digest(tar, member)
            if found != expected:
                raise BackupError(
                    f"{path} is damaged: {name} has sha256 {found[:12]}, its manifest says {expected[:12]}; "
                    "remedy: use another copy"
                )
        return manifest


def member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """Open a file of the archive for reading."""
    handle = tar.extractfile(name)
    if handle is None:
        raise BackupError(f"{name} is not a file of this backup; remedy: use another copy")
    return handle


def _manifest(path: Path, tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> Manifest:
    info = members.get(MANIFEST)
    if info is None or not info.isfile() or info.size > _LARGEST_MANIFEST:
        raise BackupError(f"{path} is damaged: its manifest, the last file, is missing; remedy: use another copy")
    try:
        return Manifest.model_validate_json(member(tar, MANIFEST).read())
    except ValidationError as error:
        problem = error.errors()[0]
        raise BackupError(
            f"the manifest of {path} is invalid: {problem['loc']} {problem['msg']}; remedy: use the release "
            "that made the backup, or another copy"
        ) from None


def _digest(tar: tarfile.TarFile, info: tarfile.TarInfo) -> str:
    digest = hashlib.sha256()
    with member(tar, info.name) as handle:
        while block := handle.read(2**20):
            digest.update(block)
    return digest.hexdigest()
