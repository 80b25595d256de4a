"""Server's side of the process that runs a job."""

import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from agent.service.jobs.messages import Order, Told
from agent.service.piped_process import PipedProcess

COMMAND: Final = (sys.executable, "-m", "agent.cli.job_process")


class JobProcess:
    """A process at work. It ends with its server, however that ends: the pipe between them closes."""

    def __init__(self, order: Order, folder: Path, command: Sequence[str] = COMMAND) -> None:
        """Start it; temporary files go to `folder`, which is removed with the job."""
        folder.mkdir(parents=True, exist_ok=True)
        self._process = PipedProcess(command, {"TMPDIR": str(folder)})
        self._rest = b""
        self._closed = False
        self.pid = self._process.pid
        self._process.write(order.model_dump_json().encode() + b"\n")

    def told(self, wait_s: float) -> list[Told]:
        """Messages that have come, after waiting for the first one."""
        chunk = None if self._closed else self._process.read(wait_s)
        if chunk is None:
            return []
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
        self._process.write(b".")

    def ask_to_stop(self) -> None:
        """Ask it to stop where it may."""
        self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._process.send_signal(signal.SIGKILL)

    def close(self) -> int:
        """End it if it still runs, and collect it; returns its exit code, or minus the signal that ended it."""
        if self._closed:
            self._process.wait(5)
        return self._process.end()
