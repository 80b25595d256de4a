"""Server's side of the process that writes strategies."""

import sys
import time
from collections.abc import Sequence
from threading import Event
from typing import Final

from pydantic import ValidationError

from agent.service.piped_process import PipedProcess
from agent.service.strategies.messages import FACTS, Answer, Start
from models.strategist.facts import StrategistFacts

COMMAND: Final = (sys.executable, "-m", "agent.service.strategies.worker")
_ONE_THREAD: Final = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
_POLL_S: Final = 0.1
_SILENCE_S: Final = 600.0


class WriterEnded(RuntimeError):
    """The process ended, or answers no more."""


class WriterProcess:
    """A process that writes strategies. It ends with its server, however that ends: the pipe between them closes."""

    def __init__(self, start: Start, command: Sequence[str] = COMMAND) -> None:
        """Start it; its models load while the first situations wait.

        Raises:
            WriterEnded: It cannot be started.
        """
        try:
            self._process = PipedProcess(command, _ONE_THREAD)
        except OSError as error:
            raise WriterEnded(f"it cannot be started: {error.strerror}") from error
        self._rest = b""
        self.pid = self._process.pid
        self._process.write(start.model_dump_json().encode() + b"\n")

    def write(self, facts: Sequence[StrategistFacts], stop: Event) -> Answer | None:
        """Strategies of situations; None when `stop` was set meanwhile.

        Raises:
            WriterEnded: The process ended, or did not answer in ten minutes.
        """
        self._process.write(FACTS.dump_json(list(facts)) + b"\n")
        patient_until = time.monotonic() + _SILENCE_S
        while not stop.is_set():
            line, found, rest = self._rest.partition(b"\n")
            if found:
                self._rest = rest
                return _parsed(line)
            if time.monotonic() > patient_until:
                raise WriterEnded(f"it did not answer within {_SILENCE_S:.0f} s")
            self._rest += self._read()
        return None

    def close(self) -> None:
        """End it and collect it."""
        self._process.end()

    def _read(self) -> bytes:
        chunk = self._process.read(_POLL_S)
        if chunk is None:
            return b""
        if not chunk:
            code = self._process.wait() or 0
            raise WriterEnded(f"it ended by signal {-code}" if code < 0 else f"it ended with exit code {code}")
        return chunk


def _parsed(line: bytes) -> Answer:
    try:
        return Answer.model_validate_json(line)
    except ValidationError as error:
        raise WriterEnded("its answer is malformed") from error
