"""Small prepared data folder for fault tests: shipped models, a few demo households, both indexes."""

import os
import shutil
from pathlib import Path
from typing import Final

from agent.domain.clock import SystemClock
from agent.service.ingest.demo_store import DemoSize
from agent.service.ingest.preparation import prepare_demo, prepare_indexes, prepare_models
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from models.progress import Progress
from models.registry.registry import ModelKind

HOUSEHOLDS: Final = 30
_COPIED: Final = ("models", "indexes", "pricesmith.db")


def prepared_world(settings: Settings, source: Path | None, progress: Progress, households: int = HOUSEHOLDS) -> None:
    """Fill the data folder of `settings` from the prepared folder `source`, else from the shipped models.

    If the database is not the folder's SQLite file, the demo households are loaded into it.
    """
    folder = DataFolder(settings.data_dir)
    if source is not None:
        folder.root.mkdir(parents=True, exist_ok=True)
        for name in _COPIED if settings.database_url is None else ("models",):
            path = source / name
            if path.is_dir():
                shutil.copytree(path, folder.root / name, copy_function=_copied)
            else:
                shutil.copyfile(path, folder.root / name)
    registry = prepare_models(folder, progress)
    with open_store(settings) as store:
        prepare_demo(store, SystemClock(), DemoSize.small(households), progress)
        prepare_indexes(folder, store, registry, progress, settings.threads)


def _copied(source: str, target: str) -> None:
    """Copy a file; the narrator's 270 MB are hard-linked where possible, as they never change."""
    if ModelKind.NARRATOR.value in Path(source).parts:
        try:
            os.link(source, target)
            return
        except OSError:
            pass
    shutil.copy2(source, target)
