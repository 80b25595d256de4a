"""A worker does not outlive its supervisor."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

WORKER = """
import time
from agent.service.supervision import end_with_parent
end_with_parent()
print("up", flush=True)
time.sleep(60)
"""
SUPERVISOR = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", {WORKER!r}])
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl(2) is Linux's")
def test_a_worker_ends_when_its_supervisor_is_killed() -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", SUPERVISOR]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True) as supervisor:  # noqa: S603 - ours
        assert supervisor.stdout is not None
        told = {supervisor.stdout.readline().strip(), supervisor.stdout.readline().strip()}
        worker = psutil.Process(int(next(iter(told - {"up"}))))
        assert "up" in told and worker.is_running()
        os.kill(supervisor.pid, signal.SIGKILL)
        supervisor.wait()
        until = time.monotonic() + 10
        while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE and time.monotonic() < until:
            time.sleep(0.02)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
