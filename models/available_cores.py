"""Number of processor cores that this process may use."""

import os


def available_cores() -> int:
    """Number of cores; those of the machine where the system tells no more."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
