"""The archive: a tar of plain files, a manifest with the SHA-256 of each behind them, believed only as a whole.

Tables are Parquet, whatever the database, so that what SQLite held can be restored into PostgreSQL and the other way.
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
    """A backup cannot be made or restored; the message says why and what to do."""


class Manifest(BaseModel):
    """What an archive holds.

    Attributes:
        revision: Of the schema.
        rows: By table. `counters` are the last numbers given by tables that number their rows.
        audit_seq, audit_sha256: The last row of the audit log.
        models: Active versions by kind; `included` are those whose files are in the archive.
        files: SHA-256 by name.
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
        """A file under a name of the archive's own."""
        if not _NAME.fullmatch(name):
            raise BackupError(f"{name!r} cannot be a name in a backup; remedy: move {path} away")
        self._tar.add(path, arcname=name, recursive=False)
        with path.open("rb") as handle:
            self.digests[name] = hashlib.file_digest(handle, "sha256").hexdigest()

    def finish(self, manifest: Manifest) -> None:
        """The manifest, last."""
        text = manifest.model_dump_json(indent=1).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size, info.mode = len(text), 0o600
        self._tar.addfile(info, io.BytesIO(text))


@contextmanager
def opened(path: Path) -> Iterator[tarfile.TarFile]:
    """The tar, for reading.

    Raises:
        BackupError: It is no tar, or ends in the middle.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except (tarfile.TarError, EOFError) as error:
        raise BackupError(f"{path} is damaged: {error}; remedy: another copy of the backup") from error


def read_manifest(path: Path) -> Manifest:
    """The manifest, once every file that it names, and no other, is what it says.

    Raises:
        BackupError: The archive is truncated, altered, of a newer format, or holds names that it must not.
    """
    with opened(path) as tar:
        members = {member.name: member for member in tar.getmembers()}
        manifest = _manifest(path, tar, members)
        strange = sorted(set(members) - set(manifest.files) - {MANIFEST})
        for name in (*strange, *manifest.files):
            if name in strange or not _NAME.fullmatch(name):
                raise BackupError(f"{path} holds {name[:80]!r}, which a backup does not; it is altered or none of ours")
        for name, expected in manifest.files.items():
            member = members.get(name)
            if member is None or not member.isfile():
                raise BackupError(f"{path} is damaged: {name} is missing; remedy: another copy of the backup")
            found = _digest(tar, member)
            if found != expected:
                raise BackupError(
                    f"{path} is damaged: {name} has sha256 {found[:12]}, its manifest says {expected[:12]}; "
                    "remedy: another copy of the backup"
                )
        return manifest


def member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    """A file of the archive, for reading."""
    handle = tar.extractfile(name)
    if handle is None:
        raise BackupError(f"{name} is no file in this backup")
    return handle


def _manifest(path: Path, tar: tarfile.TarFile, members: Mapping[str, tarfile.TarInfo]) -> Manifest:
    info = members.get(MANIFEST)
    if info is None or not info.isfile() or info.size > _LARGEST_MANIFEST:
        raise BackupError(f"{path} is damaged: its manifest, the last file, is missing; remedy: another copy")
    try:
        return Manifest.model_validate_json(member(tar, MANIFEST).read())
    except ValidationError as error:
        problem = error.errors()[0]
        raise BackupError(f"{path}: its manifest cannot be read: {problem['loc']} {problem['msg']}") from None


def _digest(tar: tarfile.TarFile, info: tarfile.TarInfo) -> str:
    digest = hashlib.sha256()
    with member(tar, info.name) as handle:
        while block := handle.read(2**20):
            digest.update(block)
    return digest.hexdigest()
