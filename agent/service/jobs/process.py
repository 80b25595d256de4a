"""Server's side of the process that runs a job."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from agent.service.jobs.messages import Order, Told

COMMAND: Final = (sys.executable, "-m", "agent.cli.job_process")
_CHUNK: Final = 65_536


class JobProcess:
    """A process at work. It ends with its server, however that ends: the pipe between them closes."""

    def __init__(self, order: Order, folder: Path, command: Sequence[str] = COMMAND) -> None:
        """Start it; temporary files go to `folder`, which is removed with the job."""
        folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(  # noqa: S603 - our own command
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # tracebacks may quote rows of the file
            env={**os.environ, "TMPDIR": str(folder)},
            bufsize=0,
        )
        self._rest = b""
        self._closed = False
        self.pid = self._process.pid
        self._write(order.model_dump_json().encode() + b"\n")

    def told(self, wait_s: float) -> list[Told]:
        """Messages that have come, after waiting for the first one."""
        out = self._process.stdout
        if out is None or self._closed:
            return []
        ready, _, _ = select.select([out], [], [], wait_s)
        if not ready:
            return []
        chunk = os.read(out.fileno(), _CHUNK)
        self._closed = not chunk
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        found = []
        for line in lines:
            with suppress(ValidationError):
                found.append(Told.model_validate_json(line))
        return found

    @property
    def ended(self) -> bool:
        """Whether it has closed its output: nothing more will come."""
        return self._closed

    def beat(self) -> None:
        """Tell it that the lease was renewed."""
        self._write(b".")

    def ask_to_stop(self) -> None:
        """Ask it to stop where it may."""
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):
            self._process.kill()

    def close(self) -> int:
        """End it if it still runs, and collect it; returns its exit code, or minus the signal that ended it."""
        if self._closed:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
        self.kill()
        code = self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        return code

    def _write(self, data: bytes) -> None:
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.write(data)
