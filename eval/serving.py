"""Server processes on loopback for benchmarks and fault tests.

`CommandServer` runs `pricesmith serve`. `ForkedServer` runs the same app under the same server library in a process
forked from a template with all imports done; it starts in seconds instead of half a minute on a busy machine, so that
hundreds of kills fit in an hour.
"""

import asyncio
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import httpx

START_S: Final = 120.0
_STOP_S: Final = 60.0


class Server(Protocol):
    """A running server process."""

    pid: int

    def ended(self) -> bool:
        """Whether the process has ended."""
        ...

    def kill(self) -> None:
        """Send SIGKILL to all its processes and wait until they have ended."""
        ...

    def stop(self) -> None:
        """Send SIGTERM and wait until requests in flight are answered."""
        ...


class ProcessServer:
    """Runs a command in a process group of its own."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path | None = None,
        folder: Path | None = None,
    ) -> None:
        """Start the command in `folder`; its output is appended to `log` if given, else discarded."""
        with open(log or os.devnull, "ab") as out:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command, env={**os.environ, **environment}, stdout=out, stderr=out, start_new_session=True, cwd=folder
            )
        self.pid = self._process.pid

    def ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """Send SIGKILL to the command and its worker at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(timeout=_STOP_S)

    def stop(self) -> None:
        """Send SIGTERM and wait."""
        self._process.terminate()
        self._process.wait(timeout=_STOP_S)


class CommandServer(ProcessServer):
    """Runs `pricesmith serve`."""

    def __init__(
        self,
        data_dir: Path,
        port: int,
        environment: Mapping[str, str],
        log: Path | None = None,
        tree: Path | None = None,
    ) -> None:
        """Start the server of this working tree, or of another `tree` with its own environment if it has one."""
        python = None if tree is None else tree / ".venv" / "bin" / "python"
        executable = str(python) if python is not None and python.exists() else sys.executable
        command = [executable, "-m", "agent.cli", "serve", "--data-dir", str(data_dir), "--port", str(port)]
        super().__init__(command, environment, log, tree)


class ForkedServer:
    """Runs the app in one process forked from a template that has imported it."""

    def __init__(self, data_dir: Path, port: int, environment: Mapping[str, str], log: Path | None = None) -> None:
        """Start the server; its output is appended to `log` if given, else discarded."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["agent.asgi"])
        settings = {**environment, "PRICESMITH_DATA_DIR": str(data_dir)}
        self._process = context.Process(target=_serve, args=(port, settings, str(log or os.devnull)), daemon=True)
        self._process.start()
        self.pid = self._process.pid or 0

    def ended(self) -> bool:
        """Whether the process has ended."""
        return not self._process.is_alive()

    def kill(self) -> None:
        """Send SIGKILL and wait."""
        self._process.kill()
        self._process.join(_STOP_S)

    def stop(self) -> None:
        """Send SIGTERM and wait."""
        self._process.terminate()
        self._process.join(_STOP_S)


def stop_on_sigterm() -> None:
    """Handle SIGTERM like Ctrl-C, so that servers started by this process are stopped and its folders removed."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def free_port() -> int:
    """Return a port that is currently free on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def wait_ready(server: Server, url: str, limit_s: float = START_S) -> float:
    """Wait until `/readyz` answers 200; returns the seconds it took.

    Raises:
        SystemExit: The server ended, or was not ready in time.
    """
    began = time.perf_counter()
    with httpx.Client(base_url=url, timeout=5) as http:
        while True:
            if server.ended():
                raise SystemExit(
                    "the server exited before it was ready; remedy: run pricesmith serve to see its output"
                )
            with suppress(httpx.TransportError):
                if http.get("/readyz").status_code == 200:
                    return time.perf_counter() - began
            if time.perf_counter() - began > limit_s:
                raise SystemExit(
                    f"the server was not ready after {limit_s:.0f} s; remedy: run pricesmith serve to see its output"
                )
            time.sleep(0.05)


def _serve(port: int, environment: Mapping[str, str], log: str) -> None:
    """Serve in the child process until SIGTERM."""
    os.environ.update(environment)
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(out, 1)
    os.dup2(out, 2)
    from granian.constants import Interfaces
    from granian.server.embed import Server as Granian

    from agent.asgi import create

    async def serve() -> None:
        server = Granian(create(), address="127.0.0.1", port=port, interface=Interfaces.ASGI, log_enabled=False)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
        await server.serve()

    asyncio.run(serve())
