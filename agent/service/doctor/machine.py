"""The machine: processor, memory and disk, as far as this process may use them."""

import math
import platform
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

from agent.service.doctor.finding import Finding, Level
from models.available_cores import available_cores

GIB: Final = 2**30
SERVER_BYTES: Final = 2 * GIB  # what a server with the demo store takes, and a little more
FULL_DISK_BYTES: Final = GIB // 2  # below it the database may stop within days
PREPARED_BYTES: Final = 2 * GIB  # models, demo store and indexes, while they are made

_CPUINFO: Final = Path("/proc/cpuinfo")
_CGROUP: Final = Path("/sys/fs/cgroup")
_X86: Final = ("x86_64", "AMD64")
_SHOWN: Final = ("avx2", "f16c", "avx512f", "avx512_bf16", "amx_bf16", "asimd", "bf16")
_BFLOAT16: Final = frozenset(("avx512_bf16", "amx_bf16", "bf16"))  # as in models/language/precision.py


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor: its architecture, the cores that may be used, its instruction sets as Linux names them."""

    machine: str
    cores: int
    flags: frozenset[str]


def this_processor() -> Processor:
    """The processor under this process; a container's limit on processor time counts as fewer cores."""
    allowed = available_cores()
    return Processor(platform.machine(), max(1, min(allowed, _quota_cores() or allowed)), _flags())


def check_processor(found: Processor, threads: int) -> Finding:
    """Instruction sets that models need to be fast, and cores for the threads that they use."""
    known = ", ".join(name for name in _SHOWN if name in found.flags) or "none known"
    detail = f"{found.machine}, {found.cores} cores, instructions: {known}"
    if found.machine in _X86 and found.flags and "avx2" not in found.flags:
        return Finding("processor", Level.WARNING, f"{detail}; without avx2 quotes are slow", "a newer processor")
    if threads > found.cores:
        return Finding(
            "processor",
            Level.WARNING,
            f"{detail}; a model call uses {threads} threads",
            f"set PRICESMITH_THREADS to {found.cores}",
        )
    if not found.flags & _BFLOAT16:
        detail += "; no bfloat16: language models compute in float32, and training takes hours"
    return Finding("processor", Level.OK, detail)


def check_memory(total: int, available: int, *, serving: bool) -> Finding:
    """Memory for a server, in bytes; `serving` says that one runs already and has its share."""
    detail = f"{available / GIB:.1f} GiB of {total / GIB:.1f} GiB free"
    needed = f"a server needs about {SERVER_BYTES / GIB:.0f} GiB"
    if total < SERVER_BYTES:
        return Finding("memory", Level.PROBLEM, f"{detail}; {needed}", "a machine or container with more memory")
    if available < SERVER_BYTES and not serving:
        return Finding("memory", Level.WARNING, f"{detail}; {needed}", "end other programs before the server starts")
    return Finding("memory", Level.OK, detail)


def this_memory() -> tuple[int, int]:
    """Total and available bytes; a container's limit counts."""
    found = psutil.virtual_memory()
    limit, used = _number(_CGROUP / "memory.max"), _number(_CGROUP / "memory.current")
    if limit is None or limit >= found.total:
        return int(found.total), int(found.available)
    return limit, max(0, min(int(found.available), limit - (used or 0)))


def check_disk(folder: Path, *, prepared: bool) -> Finding:
    """Room on the disk of a data folder, and the right to write there; the folder need not exist yet."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        return Finding("disk", Level.PROBLEM, f"{existing} is no folder", "another --data-dir or PRICESMITH_DATA_DIR")
    try:
        with tempfile.TemporaryFile(dir=existing):
            pass
        free = shutil.disk_usage(existing).free
    except OSError as error:
        remedy = "a folder that this user may write to: --data-dir or PRICESMITH_DATA_DIR"
        return Finding("disk", Level.PROBLEM, f"{existing} cannot be written to: {error.strerror}", remedy)
    detail = f"{free / GIB:.1f} GiB free for {folder}"
    if free < FULL_DISK_BYTES:
        return Finding("disk", Level.PROBLEM, detail, "free some space: a full disk stops every quote")
    if not prepared and free < PREPARED_BYTES:
        needed = f"models and demo store need about {PREPARED_BYTES / GIB:.0f} GiB"
        return Finding("disk", Level.WARNING, f"{detail}; {needed}", "free some space before `pricesmith prepare`")
    return Finding("disk", Level.OK, detail)


def _flags() -> frozenset[str]:
    """Instruction sets of the first core; empty where the system does not list them."""
    try:
        text = _CPUINFO.read_text("utf-8", errors="replace")
    except OSError:
        return frozenset()
    line = re.search(r"^(?:flags|Features)\s*:(.*)$", text, re.MULTILINE)
    return frozenset(line.group(1).split()) if line else frozenset()


def _quota_cores() -> int | None:
    """Cores' worth of processor time that a container may use, rounded up; None without a limit."""
    try:
        quota, period = (_CGROUP / "cpu.max").read_text("utf-8").split()
    except (OSError, ValueError):
        return None
    return None if quota == "max" else math.ceil(int(quota) / int(period))


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
