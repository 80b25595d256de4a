"""Metrics of all processes that serve one data folder, whichever of them is asked.

Each process has a number, the smallest that is free, and writes its metrics to a file every few seconds. The answer has
those of all, with the number as the label `worker`. Numbers are locks: files of a process that ended are left out.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from agent.store.folder_lock import FolderLock

MOST_WORKERS: Final = 256


class WorkerMetrics:
    """Metrics of this process beside those of the others. Thread-safe."""

    def __init__(self, folder: Path) -> None:
        """`folder` is that of the locks and files."""
        self._folder = folder
        self._lock = Lock()
        self._held: FolderLock | None = None
        self._number = 0

    def publish(self, exposition: bytes) -> None:
        """Have the others tell these metrics of this process."""
        with self._lock:
            if self._held is None:
                self._held, self._number = self._numbered()
            target = self._file(self._number)
            fresh = target.with_suffix(".new")
            fresh.write_bytes(exposition)
            os.replace(fresh, target)

    def merged(self, exposition: bytes) -> bytes:
        """Publish these metrics; returns those of all processes."""
        self.publish(exposition)
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Merged(dict(self._live())))
        return generate_latest(registry)

    def close(self) -> None:
        """Take this process's metrics away."""
        with self._lock:
            if self._held is not None:
                self._file(self._number).unlink(missing_ok=True)
                self._held.release()
                self._held = None

    def _numbered(self) -> tuple[FolderLock, int]:
        for number in range(1, MOST_WORKERS + 1):
            lock = FolderLock(self._folder / f"{number}.lock")
            if lock.take():
                return lock, number
        raise OSError(f"more than {MOST_WORKERS} processes serve {self._folder.parent}")

    def _live(self) -> Iterator[tuple[int, str]]:
        """Numbers and metrics of the processes that live."""
        for file in sorted(self._folder.glob("*.prom")):
            if not file.stem.isdigit():
                continue
            number = int(file.stem)
            lock = FolderLock(self._folder / f"{number}.lock")
            if number != self._number and lock.take():  # its process has ended
                file.unlink(missing_ok=True)
                lock.release()
                continue
            try:
                yield number, file.read_text("utf-8")
            except FileNotFoundError:  # it has just ended
                continue

    def _file(self, number: int) -> Path:
        return self._folder / f"{number}.prom"


class _Merged(Collector):
    """Metric families of several processes, each sample with the number of its process."""

    def __init__(self, expositions: dict[int, str]) -> None:
        self._expositions = expositions

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for number, text in self._expositions.items():
            for found in text_string_to_metric_families(text):
                family = families.setdefault(found.name, Metric(found.name, found.documentation, found.type))
                for sample in found.samples:
                    labels = {"worker": str(number), **sample.labels}
                    family.add_sample(sample.name, labels, sample.value, sample.timestamp, sample.exemplar)
        yield from families.values()
