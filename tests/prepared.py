"""A small prepared world: shipped models, the busiest demo households, both indexes; services over copies of it."""

import hashlib
import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import pytest
from filelock import FileLock

from agent.api.context import Resources
from agent.asgi import open_everything
from agent.domain.clock import SystemClock
from agent.service.assembly import open_service
from agent.service.ingest.demo_store import DemoSize
from agent.service.ingest.preparation import prepare_demo, prepare_indexes, prepare_models
from agent.service.opening import open_store
from agent.service.service import Service
from agent.service.settings import Settings
from agent.state.shared_models import SharedModels
from agent.store import Store
from agent.store.data_folder import DataFolder

T = TypeVar("T")

_SIZE: Final = DemoSize(households=5, first_outcome_week=20, rate_a=1.0, rate_b=0.3)
_DEAR_MINOR: Final = 1_000  # a price that can move by many cents; `bought` is the habit among such products
_ROOT: Final = Path(__file__).parent.parent
_MADE_OF: Final = (
    "models/shipped/**/*.*",
    "models/**/*.py",
    "retrieval/**/*.py",
    "agent/service/ingest/demo_store.py",
    "agent/service/ingest/preparation.py",
    "agent/state/*.py",
    "agent/store/migrations/versions/*.py",
    "tests/prepared.py",
)


@dataclass(frozen=True, slots=True)
class World:
    """A prepared data folder and ids of it."""

    folder: Path
    shopper: str
    bought: str
    never_bought: str

    def copy(self, target: Path) -> "World":
        """A world of one's own, to change."""
        shutil.copytree(self.folder, target, copy_function=linked)
        return World(target, self.shopper, self.bought, self.never_bought)

    def decisions(self) -> int:
        """How many decisions its database holds."""
        with closing(sqlite3.connect(f"file:{self.folder}/pricesmith.db?mode=ro", uri=True)) as database:
            return int(database.execute("SELECT count(*) FROM decisions").fetchone()[0])

    def settings(self, **changes: object) -> Settings:
        """Settings for this folder; a long deadline, so that a slow machine answers from the same rung.

        Prices do not hold unless a test says so: most vary one request of one shopper.
        """
        base = {"data_dir": self.folder, "default_deadline_ms": 30_000, "stable_prices": False, "threads": 1}
        return Settings.model_validate(base | changes)

    def service(self, **changes: object) -> Service:
        """A running service; the caller closes it."""
        settings = self.settings(**changes)
        return open_service(settings, open_store(settings), shared=LOADED)


class _Loaded(SharedModels):
    """Large models of all services that one process opens: none is let go, and each is checked and loaded once."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[int, object] = {}

    def get(self, folder: Path, load: Callable[[], T]) -> T:
        found = super().get(folder, load)
        self._kept[id(found)] = found
        return found


LOADED: Final = _Loaded()


def open_all(settings: Settings) -> Resources:
    """Store, keys and service for an app, with the large models that this process has in memory."""
    return open_everything(settings, LOADED)


@pytest.fixture(scope="session")
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A copy for this process of the world that is prepared once and kept until what it is made of changes.

    Others copy it: what one test writes must not reach the next, so a write into it is an error at the end.
    """
    kept = request.config.cache.mkdir("world") / _made_of()
    done = kept / "world.json"
    with FileLock(f"{kept.parent}.lock"):
        if not done.exists():
            for old in kept.parent.iterdir():
                shutil.rmtree(old)
            made = _prepared(kept / "data")
            done.write_text(json.dumps([made.shopper, made.bought, made.never_bought]))
        found = World(kept / "data", *json.loads(done.read_text())).copy(tmp_path_factory.mktemp("world") / "data")
    before, models = found.decisions(), _written_at(kept / "data" / "models")
    yield found
    assert _written_at(kept / "data" / "models") == models, "a test wrote into model files that all copies share"
    assert found.decisions() == before, "a test wrote into the world that others copy: give it world.copy(...)"


def _made_of() -> str:
    """A digest of the shipped models and of the code that prepares a world."""
    found = hashlib.sha256()
    for pattern in _MADE_OF:
        for path in sorted(_ROOT.glob(pattern)):
            found.update(str(path.relative_to(_ROOT)).encode() + path.read_bytes())
    return found.hexdigest()[:24]


def _prepared(root: Path) -> World:
    root.mkdir(parents=True)
    folder = DataFolder(root)
    registry = prepare_models(folder, _silent)
    with Store.open(folder.database_url) as store:
        prepare_demo(store, SystemClock(), _SIZE, _silent)
        prepare_indexes(folder, store, registry, _silent)
        shopper = next(iter(store.shopper_ids()))
        times = Counter(event.product_id for event in store.shopper_events(shopper))
        products = {product.product_id: product.list_minor or 0 for product in store.iter_products()}
    bought = max((one for one, price in products.items() if price > _DEAR_MINOR), key=times.__getitem__)
    never = next(product for product in products if product not in times)
    return World(root, shopper, bought, never)


@pytest.fixture(scope="session")
def service(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service over a world of its own, for tests that do not mind what others asked of it before."""
    running = world.copy(tmp_path_factory.mktemp("service") / "data").service()
    yield running
    running.close()


def linked(source: str, target: str) -> None:
    """Copy a file, or share it when it is a model's: a test that changes one puts another in its place."""
    if Path(source).suffix in (".safetensors", ".bin", ".xml"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)


def _written_at(folder: Path) -> dict[Path, int]:
    """When each file was last written, ns."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def _silent(_what: str, _share: float) -> None:
    """No progress in tests."""
