"""A real server on loopback over a world of its own, and the examples as processes."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from eval.serving import ForkedServer, free_port, wait_ready
from tests.prepared import World

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
KEY: Final = "bootstrap-key-for-examples"
_START_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Running:
    """A server that examples talk to."""

    url: str
    world: World

    def post(self, path: str, body: Any) -> Any:
        answer = httpx.post(self.url + path, json=body, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def quote(self, **changes: Any) -> Any:
        shopper, product = {"id": self.world.shopper}, {"id": self.world.bought}
        return self.post("/v1/quotes", {"shopper": shopper, "product": product} | changes)


@pytest.fixture(scope="session")
def running(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all examples."""
    own = world.copy(tmp_path_factory.mktemp("examples") / "data")
    port = free_port()
    environment = {"PRICESMITH_BOOTSTRAP_KEY": KEY, "PRICESMITH_DEFAULT_DEADLINE_MS": "30000"}
    server = ForkedServer(own.folder, port, environment)
    try:
        wait_ready(server, f"http://127.0.0.1:{port}")
        yield Running(f"http://127.0.0.1:{port}", own)
    finally:
        server.stop()


def run_example(*words: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end; `words` start with its path below `examples/`."""
    program = "node" if words[0].endswith(".mjs") else sys.executable
    return subprocess.run(  # noqa: S603 - our own examples
        [program, str(EXAMPLES / words[0]), *words[1:]], capture_output=True, text=True, timeout=120, check=False
    )


@contextmanager
def started_example(path: str, **environment: str) -> Iterator[str]:
    """An example that serves, until the block ends; gives its address."""
    port = free_port()
    program = "node" if path.endswith(".mjs") else sys.executable
    process = subprocess.Popen(  # noqa: S603 - our own examples
        [program, str(EXAMPLES / path)], env={**os.environ, **environment, "PORT": str(port)}
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: httpx.get(url, timeout=5).status_code == 404, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        assert process.poll() is None, "the example ended before it served"
        with suppress(httpx.TransportError):
            if ready():
                return
        time.sleep(0.05)
    raise AssertionError(f"the example did not serve within {_START_S:.0f} s")
