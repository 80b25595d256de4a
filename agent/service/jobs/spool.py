"""Spool: uploaded files, each in a folder of its own under the id of the job that reads it."""

import os
import re
import shutil
import time
from collections.abc import Collection
from pathlib import Path
from typing import Final
from uuid import uuid4

from agent.store.job_records import JobRecord

RESERVE_BYTES: Final = 128 * 2**20
"""Space that uploads leave free: the database shares the disk."""

_UPLOAD: Final = ".part"
_SETTLED_S: Final = 60.0  # a folder gets its job's id shortly before the job is stored
_ABANDONED_S: Final = 3_600.0
_UNSAFE: Final = re.compile(r"[^\w.() -]")
_LONGEST: Final = 100


class Spool:
    """The spool folder of one merchant."""

    def __init__(self, root: Path) -> None:
        """Use a folder, which need not exist yet."""
        self._root = root

    def begin(self) -> Path:
        """Make a folder for an upload that has no job yet."""
        folder = self._root / f"{uuid4().hex}{_UPLOAD}"
        folder.mkdir(parents=True)
        return folder

    def free_bytes(self) -> int:
        """Bytes that uploads may still use on this disk."""
        existing = next(path for path in (self._root, *self._root.parents) if path.exists())
        return shutil.disk_usage(existing).free - RESERVE_BYTES

    def keep(self, upload: Path, job_id: str) -> None:
        """Give the folder of an upload to a job; what the job had from an earlier attempt is replaced."""
        target = self._root / job_id
        shutil.rmtree(target, ignore_errors=True)
        os.utime(upload)
        upload.rename(target)

    def folder(self, job_id: str) -> Path:
        """Folder of a job."""
        return self._root / job_id

    def file(self, job: JobRecord) -> Path | None:
        """The file of a job; None when it has none."""
        return None if job.file is None else self._root / job.job_id / job.file

    def able(self, job: JobRecord) -> bool:
        """Whether this machine has all that a job needs."""
        file = self.file(job)
        return file is None or file.is_file()

    def remove(self, job_id: str) -> None:
        """Remove what belongs to a job."""
        shutil.rmtree(self._root / job_id, ignore_errors=True)

    def sweep(self, unfinished: Collection[str]) -> int:
        """Remove what crashes left behind: uploads without end, files of jobs that ended; returns the number."""
        if not self._root.is_dir():
            return 0
        removed, now = 0, time.time()
        for folder in self._root.iterdir():
            if folder.name in unfinished:
                continue
            limit_s = _ABANDONED_S if folder.suffix == _UPLOAD else _SETTLED_S
            if now - _last_written(folder) > limit_s:
                shutil.rmtree(folder, ignore_errors=True)
                removed += 1
        return removed


def safe_name(given: str, suffix: str) -> str:
    """A file name as its sender gave it, without a path and characters that file systems or messages mistake."""
    name = _UNSAFE.sub("_", given.replace("\\", "/").rpartition("/")[2]).strip(" .")
    stem = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    return f"{stem[:_LONGEST].strip(' .') or 'upload'}{suffix}"


def _last_written(folder: Path) -> float:
    try:
        return max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
    except OSError:  # removed meanwhile
        return time.time()
