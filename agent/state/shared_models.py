"""Sharing of what is loaded already: models between merchants that use the same version, products between processes."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from agent.state.preloaded import Preloaded
from models.registry.registry import META

T = TypeVar("T")


class SharedModels:
    """Loaded models by the digest of their `meta.json`, which has the digests of all their files."""

    def __init__(self, preloaded: Preloaded | None = None) -> None:
        """Start empty; a model is freed when no merchant uses it any more.

        `preloaded` are products that were read before this process was forked.
        """
        self._preloaded = preloaded
        self._loaded: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()
        self._lock = Lock()

    def products(self, folder: Path) -> Preloaded | None:
        """Products of a data folder that were read before this process was forked; None where they were not."""
        found = self._preloaded
        return found if found is not None and found.folder == folder.resolve() else None

    def get(self, folder: Path, load: Callable[[], T]) -> T:
        """Return the model of a version's folder, loaded by `load` unless an equal one is in memory."""
        meta = folder / META
        key = (folder.parent.name, hashlib.sha256(meta.read_bytes()).hexdigest() if meta.is_file() else str(folder))
        with self._lock:
            found: T | None = self._loaded.get(key)
            if found is None:
                found = self._loaded[key] = load()
            return found
