"""Locks among the processes that share a data folder, for work that one of them does at a time."""

import fcntl
import os
from pathlib import Path
from threading import Lock


class FolderLock:
    """A lock held by at most one process; the system frees it when its holder ends, in whatever way. Thread-safe.

    A process that forks must not hold one, as its children would hold it too.
    """

    def __init__(self, path: Path) -> None:
        """Hold nothing yet; `path` is made when the lock is first taken."""
        self._path = path
        self._lock = Lock()
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the lock unless another process has it; returns whether this one has it now.

        A folder that nothing can be written to, or without locks, has no other process that would know of this one:
        the lock then counts as taken.
        """
        with self._lock:
            if self._descriptor is not None:
                return True
            try:
                self._path.parent.mkdir(exist_ok=True)  # not of a data folder that was removed
                descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError:
                return True
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                return not isinstance(error, BlockingIOError)
            self._descriptor = descriptor
            return True

    def release(self) -> None:
        """Let another process take it."""
        with self._lock:
            if self._descriptor is not None:
                os.close(self._descriptor)
                self._descriptor = None
