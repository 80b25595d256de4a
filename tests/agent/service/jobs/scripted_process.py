"""A process of a job that does what the job's options say, in the harness of the real one."""

import json
import os
import signal
import sys
import time
from functools import partial

from pydantic import JsonValue

from agent.service.jobs.worker import JobInput, Teller, run_order
from agent.store import StoreUnavailable
from agent.store.job_records import JobKind, JobProgress


def work(job: JobInput, teller: Teller) -> dict[str, JsonValue]:
    asked = json.loads(job.options)
    do = asked["do"]
    print("what a library prints is no message")
    if do == "deafen":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for step in range(asked.get("steps", 1)):
        counts: dict[str, JsonValue] = {"read": step, "process": os.getpid()}
        teller.tell(JobProgress(0.1, "work", step), counts, partial(dict, counts, whole=True))
        time.sleep(asked.get("pause_s", 0.02))
    if do == "refuse":
        raise StoreUnavailable("the store is away; remedy: wait")
    if do == "break":
        raise RuntimeError("anna-7 is a secret")
    if do == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return {"read": asked.get("steps", 1), "file": None if job.file is None else job.file.read_text()}


if __name__ == "__main__":
    assert sys.argv
    run_order({JobKind.IMPORT: work, JobKind.TRAINING: work})
