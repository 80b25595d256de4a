"""Loads on loopback from a process of its own: wrk where it is installed, else `eval.bench.client`.

Every load is bounded: by its seconds, and by the requests that it was given unless they repeat.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

from eval.bench.figures import Load

_SCRIPT: Final = Path(__file__).with_name("replay.lua")
_TIMEOUT_S: Final = 60
_RESULT: Final = "RESULT "


@dataclass(frozen=True, slots=True)
class Target:
    """Target of requests: one path of a server, with the API key that they carry."""

    url: str
    key: str = ""

    @property
    def headers(self) -> list[str]:
        """Header lines."""
        lines = ["Content-Type: application/json"]
        return [*lines, f"Authorization: Bearer {self.key}"] if self.key else lines


@dataclass(frozen=True, slots=True)
class Sending:
    """Clients, bounds and checks of a load.

    Attributes:
        repeats: Begin again when every body was sent.
        rows: An answer with a failed row is an error.
    """

    clients: int
    seconds: float
    repeats: bool = False
    rows: bool = False


class LoadGenerator:
    """The load generator of this machine."""

    def __init__(self, wrk: str | None = None) -> None:
        """Use the wrk of this path; without one, the one that is installed."""
        self._wrk = wrk or shutil.which("wrk")

    @property
    def name(self) -> str:
        """Name and version, for reports."""
        if self._wrk is None:
            return "eval.bench.client (asyncio and httpcore)"
        shown = subprocess.run([self._wrk, "-v"], capture_output=True, text=True, check=False)  # noqa: S603 - found above
        return " ".join((shown.stdout or shown.stderr).split()[:2])

    def send(self, target: Target, bodies: Sequence[str], sending: Sending) -> Load:
        """Send bodies to a target; an empty body is a GET.

        Raises:
            SystemExit: The generator failed.
        """
        clients = max(1, min(sending.clients, len(bodies)))
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
            file.write("\n".join(bodies) + "\n")
            file.flush()
            command = self._command(target, file.name, clients, sending)
            before = _children_cpu_s()
            limit_s = sending.seconds + 2 * _TIMEOUT_S
            done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)  # noqa: S603
        return parse(done.stdout, done.stderr, _children_cpu_s() - before)

    def _command(self, target: Target, file: str, clients: int, sending: Sending) -> list[str]:
        named = [part for line in target.headers for part in ("-H" if self._wrk else "--header", line)]
        if self._wrk is None:
            flags = [*(["--repeat"] * sending.repeats), *(["--rows"] * sending.rows)]
            bounds = ["--clients", str(clients), "--seconds", str(sending.seconds)]
            return [
                sys.executable,
                "-m",
                "eval.bench.client",
                "--url",
                target.url,
                "--bodies",
                file,
                *bounds,
                *flags,
                *named,
            ]
        sizes = [f"-t{clients}", f"-c{clients}", f"-d{ceil(sending.seconds)}s", "--timeout", f"{_TIMEOUT_S}s"]
        script = [file, str(int(sending.repeats)), str(int(sending.rows)), str(clients)]
        return [self._wrk, *sizes, *named, "-s", str(_SCRIPT), target.url, "--", *script]


def parse(out: str, complaints: str = "", cpu_s: float = 0.0) -> Load:
    """Read a generator's output.

    Raises:
        SystemExit: It has no result.
    """
    line = next((line for line in out.splitlines() if line.startswith(_RESULT)), None)
    if line is None:
        raise SystemExit(f"the load generator failed: {(complaints or out).strip()[-500:]}")
    found = json.loads(line.removeprefix(_RESULT))
    active = [one for one in found["clients"] if one["latency_us"]]
    seconds = (max(o["last_us"] for o in active) - min(o["first_us"] for o in active)) / 1e6 if active else 0.0
    return Load(
        latency_us=[one for client in active for one in client["latency_us"]],
        errors=found["lost"] + sum(one["failed"] for one in found["clients"]),
        seconds=seconds,
        generator_cpu_s=cpu_s,
    )


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
