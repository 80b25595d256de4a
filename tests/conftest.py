"""What all tests share: no test reaches the network, by mistake or by a library's habit; one prepared world,
empty databases."""

import gc
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes on a machine that is busy with others says nothing of the code.
settings.register_profile("same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("explore", settings.get_profile("same"), derandomize=False, max_examples=1_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PRICESMITH_THREADS"):
    os.environ.setdefault(_threads, "1")  # before numpy and torch: two workers on two cores would wait for each other

from tests.databases import (  # noqa: E402
    _migrated_file,
    _migrated_postgres,
    _no_waiting_for_the_disk,
    empty_store,
    empty_url,
    postgres_socket,
    postgres_url,
    second_postgres_url,
    sqlite_url,
    store_url,
)
from tests.prepared import World, service, world  # noqa: E402

__all__ = [
    "_migrated_file",
    "_migrated_postgres",
    "_no_waiting_for_the_disk",
    "empty_store",
    "empty_url",
    "postgres_socket",
    "postgres_url",
    "second_postgres_url",
    "service",
    "sqlite_url",
    "store_url",
    "world",
]

_LOCAL = ("127.", "localhost", "::1", "0.0.0.0")  # noqa: S104 - addresses that tests may connect to


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one worker prepare the world while the others run what needs none; the longest files come before the end."""
    needing = {item.path for item in items if "world" in getattr(item, "fixturenames", ())}
    place = {path: number for number, path in enumerate(sorted(needing, reverse=True))}
    items.sort(key=lambda item: place.get(item.path, 0.5))


@pytest.fixture
def own(world: World, tmp_path: Path) -> World:
    """A world of one's own, to change."""
    return world.copy(tmp_path / "data")


@pytest.fixture(autouse=True)
def _closed_servers_go() -> Iterator[None]:
    """A server freezes what it loaded; hundreds open in one run, and the next one's start collects those before it."""
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def local_only(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(_LOCAL):
            raise RuntimeError(f"a test tried to connect to {address[0]}; allowed: this machine")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
