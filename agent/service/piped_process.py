"""A process that talks to its server over pipes, and ends with it, however that ends: the pipe between them closes."""

import os
import select
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

_CHUNK: Final = 65_536


class PipedProcess:
    """The server's side: a process with pipes for its input and output."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start it; `environment` is added to the server's.

        Raises:
            OSError: It cannot be started.
        """
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # tracebacks may quote data
            env={**os.environ, **environment},
            bufsize=0,
        )
        self.pid = self._process.pid

    def write(self, data: bytes) -> None:
        """Send it bytes; if it has ended, reading its output says so."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(data)

    def read(self, wait_s: float) -> bytes | None:
        """The output that has come, after waiting for some; None where none came, empty where it was closed."""
        out = self._process.stdout
        if out is None:
            raise AssertionError("the process was started with pipes")
        ready, _, _ = select.select([out], [], [], wait_s)
        return os.read(out.fileno(), _CHUNK) if ready else None

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def wait(self, timeout_s: float | None = None) -> int | None:
        """Its exit code, or minus the signal that ended it; None where it has not ended in time."""
        with suppress(subprocess.TimeoutExpired):
            return self._process.wait(timeout_s)
        return None

    def end(self) -> int:
        """End it at once if it still runs, and collect it; returns its exit code, or minus the signal that ended it."""
        with suppress(ProcessLookupError):
            self._process.kill()
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return code
