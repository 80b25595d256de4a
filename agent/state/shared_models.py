"""Large models in memory once, however many merchants use the same version of them."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from models.registry.registry import META

T = TypeVar("T")


class SharedModels:
    """What is loaded, by the digest of its `meta.json`, which names the digests of all its files."""

    def __init__(self) -> None:
        """Nothing is loaded yet; what no merchant uses any more is let go."""
        self._loaded: WeakValueDictionary[tuple[str, str], Any] = WeakValueDictionary()
        self._lock = Lock()

    def get(self, folder: Path, load: Callable[[], T]) -> T:
        """The model of a version's folder, loaded (and its files checked) when none like it is in memory."""
        meta = folder / META
        key = (folder.parent.name, hashlib.sha256(meta.read_bytes()).hexdigest() if meta.is_file() else str(folder))
        with self._lock:
            found: T | None = self._loaded.get(key)
            if found is None:
                found = self._loaded[key] = load()
            return found
