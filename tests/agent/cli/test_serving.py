"""A real server: its supervising process is small, and other commands find it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from agent.cli.errors import CommandError
from agent.cli.main import app
from agent.service.doctor.port import PortState, PortUse
from agent.store.data_folder import DataFolder
from eval.serving import CommandServer, free_port, wait_ready
from models.registry.registry import ModelKind, Registry
from tests.prepared import World

KEY = "a-key-of-enough-letters"
MOST_SUPERVISOR_MIB = 120


@dataclass(frozen=True, slots=True)
class Running:
    """A server, and what it serves."""

    server: CommandServer
    port: int
    world: World

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture(scope="module")
def running(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    own = world.copy(tmp_path_factory.mktemp("serving") / "data")
    port = free_port()
    environment = {"PRICESMITH_BOOTSTRAP_KEY": KEY, "PRICESMITH_DEFAULT_DEADLINE_MS": "30000"}
    server = CommandServer(own.folder, port, environment, own.folder / "serve.log")
    try:
        wait_ready(server, f"http://127.0.0.1:{port}")
        yield Running(server, port, own)
    finally:
        server.stop()


def run(*arguments: object, key: str = KEY) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "agent.cli", *map(str, arguments)]
    environment = os.environ | {"PRICESMITH_KEY": key}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603


@pytest.mark.slow  # starts a server with all models, some twenty seconds
def test_the_supervising_process_holds_no_models(running: Running) -> None:
    supervisor = psutil.Process(running.server.pid)
    [worker] = supervisor.children()
    assert supervisor.memory_info().rss < MOST_SUPERVISOR_MIB * 2**20
    assert worker.memory_info().rss > 2 * MOST_SUPERVISOR_MIB * 2**20


@pytest.mark.slow  # asks that server
def test_a_price_comes_from_the_server(running: Running) -> None:
    asked = ("quote", "--product", running.world.bought, "--shopper", running.world.shopper, "--url", running.url)
    done = run(*asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert "reference price" in done.stdout
    assert "Candidates (* was chosen)" in done.stdout
    refused = run(*asked, key="ps_unknown_key")
    assert refused.returncode == 1
    assert "does not know this API key" in refused.stderr


@pytest.mark.slow  # asks that server
def test_a_second_server_on_the_port_is_refused(running: Running) -> None:
    done = run("serve", "--data-dir", running.world.folder, "--port", running.port)
    assert done.returncode == 1
    assert f"a Pricesmith server listens on 127.0.0.1:{running.port} already" in done.stderr


@pytest.mark.slow  # asks that server
def test_doctor_finds_the_server(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICESMITH_PORT", str(running.port))
    done = run("doctor", "--data-dir", running.world.folder)
    assert f"a Pricesmith server answers on 127.0.0.1:{running.port}" in done.stdout


def test_serve_does_not_start_without_models(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["serve", "--data-dir", str(tmp_path)])
    assert isinstance(done.exception, CommandError)
    assert f"remedy: pricesmith init {tmp_path} makes a shop of your own" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_serve_does_not_start_with_a_short_key(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRICESMITH_BOOTSTRAP_KEY", "short")
    done = CliRunner().invoke(app, ["serve", "--data-dir", str(own.folder)])
    assert "PRICESMITH_BOOTSTRAP_KEY (5 characters): allowed: 16 characters or more" in str(done.exception)


def test_serve_does_not_start_on_a_port_of_another_program(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(ModelKind) <= set(Registry(DataFolder(own.folder).models).in_use())
    use = PortUse(PortState.OTHER, "127.0.0.1:8000")
    monkeypatch.setattr("agent.cli.serving.port_use", lambda _host, _port: use)
    done = CliRunner().invoke(app, ["serve", "--data-dir", str(own.folder)])
    assert isinstance(done.exception, CommandError)
    assert "another program listens" in str(done.exception)
