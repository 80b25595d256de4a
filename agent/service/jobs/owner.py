"""Names of processes that run jobs, by which another process of the same machine knows that one has ended."""

import os
import socket
from pathlib import Path
from typing import Final
from uuid import uuid4

import psutil

_SEPARATOR: Final = "|"
_PARTS: Final = 4
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE: Final = Path("/proc/self/ns/pid")


def own_name() -> str:
    """A name that no other process has or had: machine, process id, its start, and a random part."""
    return _SEPARATOR.join((_machine(), str(os.getpid()), _started(os.getpid()), uuid4().hex))


def has_ended(owner: str) -> bool:
    """Whether the process with a name is known to have ended; False for processes of other machines.

    A process id says something only inside the boot and the process-id namespace (container) that it was given in.
    """
    parts = owner.split(_SEPARATOR)
    machine = _machine()
    if len(parts) != _PARTS or not machine or parts[0] != machine or not parts[1].isdigit():
        return False
    return _started(int(parts[1])) != parts[2]


def _machine() -> str:
    """Boot and process-id namespace; empty where the system does not tell."""
    try:
        return f"{socket.gethostname()}:{_BOOT.read_text().strip()}:{os.readlink(_NAMESPACE)}"
    except OSError:
        return ""


def _started(process_id: int) -> str:
    """When a process began; empty when there is none, or it is a zombie."""
    try:
        process = psutil.Process(process_id)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""
