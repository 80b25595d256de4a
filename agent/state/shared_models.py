"""Sharing of loaded models between merchants that use the same version."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from models.registry.registry import META

T = TypeVar("T")


class SharedModels:
    """Loaded models by the digest of their `meta.json`, which has the digests of all their files."""

    def __init__(self) -> None:
        """Start empty; a model is freed when no merchant uses it any more."""
        self._loaded: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()
        self._lock = Lock()

    def get(self, folder: Path, load: Callable[[], T]) -> T:
        """Return the model of a version's folder, loaded by `load` unless an equal one is in memory."""
        meta = folder / META
        key = (folder.parent.name, hashlib.sha256(meta.read_bytes()).hexdigest() if meta.is_file() else str(folder))
        with self._lock:
            found: T | None = self._loaded.get(key)
            if found is None:
                found = self._loaded[key] = load()
            return found
