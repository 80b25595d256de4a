"""A server without HTTP: runs the jobs of a data folder until it is killed. Arguments: folder, command of processes."""

import sys
import time
from pathlib import Path
from typing import Any

from agent.domain.clock import SystemClock
from agent.service.jobs import JobRunner, Timing
from agent.service.opening import open_store
from agent.service.settings import Settings


class Silent:
    """A log that keeps nothing."""

    def __getattr__(self, _name: str) -> Any:
        return lambda *_what, **_more: None


if __name__ == "__main__":
    settings = Settings(data_dir=Path(sys.argv[1]))
    runner = JobRunner(
        settings, open_store(settings), SystemClock(), Silent(), Timing(beat_s=0.1), [sys.executable, *sys.argv[2:]]
    )
    runner.start()
    print("started", flush=True)
    while True:
        time.sleep(1)
