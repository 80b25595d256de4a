"""The runner, with real processes: how jobs end, are cancelled, interrupted, and taken over."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import psutil
import pytest

from agent.domain.clock import SystemClock
from agent.service.jobs import JobRunner, Spool, Timing
from agent.service.settings import Settings
from agent.store import Store
from agent.store.job_records import JobKind, JobRecord, JobState, NewJob
from agent.store.jobs import Claimant

SCRIPTED = ["-m", "tests.agent.service.jobs.scripted_process"]
COMMAND = [sys.executable, *SCRIPTED]
FAST = Timing(poll_s=0.05, beat_s=0.05, lease_s=20, grace_s=0.5, lost_s=0.2)
LIMIT_S = 60.0


@dataclass
class Log:
    """Keeps what is logged."""

    lines: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def info(self, event: str, **facts: Any) -> None:
        self.lines.append((event, facts))

    warning = error = info


@dataclass(frozen=True)
class Shop:
    """One store and its spool."""

    folder: Path
    url: str
    store: Store
    log: Log = field(default_factory=Log)

    @property
    def settings(self) -> Settings:
        return Settings(data_dir=self.folder, database_url=self.url)

    def runner(self, timing: Timing = FAST) -> JobRunner:
        return JobRunner(self.settings, self.store, SystemClock(), self.log, timing, COMMAND)

    def add(self, job_id: str, do: str = "count", file: str | None = None, **more: Any) -> None:
        new = NewJob(job_id, JobKind.IMPORT, "key", json.dumps({"do": do, **more}), datetime.now(UTC), file)
        self.store.add_job(new, 100)

    def job(self, job_id: str = "1") -> JobRecord:
        found = self.store.job(job_id)
        assert found is not None
        return found

    def await_(self, reached: Callable[[JobRecord], object], job_id: str = "1") -> JobRecord:
        until = time.monotonic() + LIMIT_S
        while not reached(self.job(job_id)):
            assert time.monotonic() < until, self.job(job_id)
            time.sleep(0.02)
        return self.job(job_id)


@pytest.fixture
def shop(tmp_path: Path, _migrated_file: Path) -> Iterator[Shop]:
    url = f"sqlite:///{tmp_path / 'pricesmith.db'}"
    (tmp_path / "pricesmith.db").write_bytes(_migrated_file.read_bytes())
    with Store.open(url) as store:
        yield Shop(tmp_path, url, store)


@pytest.fixture
def any_shop(tmp_path: Path, store_url: str) -> Iterator[Shop]:
    with Store.open(store_url) as store:
        yield Shop(tmp_path, store_url, store)


def code_of(job: JobRecord) -> str:
    return str(json.loads(job.problem or "{}").get("code"))


def test_a_job_gets_its_file_and_ends_with_its_result_and_without_the_file(shop: Shop) -> None:
    spool = Spool(shop.folder / "spool")
    upload = spool.begin()
    (upload / "a.csv").write_text("rows")
    spool.keep(upload, "1")
    shop.add("1", file="a.csv", steps=3)
    assert shop.runner().run_next()
    job = shop.job()
    assert (job.state, job.fraction, job.attempts, job.owner) == (JobState.DONE, 1.0, 1, None)
    assert json.loads(job.result or "") == {"read": 3, "file": "rows"}
    assert job.started_at is not None and job.ended_at is not None and job.started_at <= job.ended_at
    assert list((shop.folder / "spool").iterdir()) == []


@pytest.mark.parametrize(
    ("do", "code", "told"),
    [
        ("refuse", "store-unavailable", "remedy: wait"),
        ("break", "internal-error", "operator finds"),
        ("die", "process-ended", "signal 9"),
    ],
)
def test_a_job_that_fails_says_why_and_repeats_no_unexpected_text(shop: Shop, do: str, code: str, told: str) -> None:
    shop.add("1", do)
    shop.runner().run_next()
    job = shop.job()
    assert (job.state, code_of(job)) == (JobState.FAILED, code)
    assert told in (job.problem or "")
    assert "anna-7" not in f"{job} {shop.log.lines}"
    if do == "break":
        assert "scripted_process.py" in str(shop.log.lines)


@pytest.mark.parametrize(("do", "whole"), [("count", True), ("deafen", None)], ids=["by itself", "by force"])
def test_a_cancelled_job_stops_soon_and_tells_what_was_done(shop: Shop, do: str, whole: bool | None) -> None:
    shop.add("1", do, steps=10_000)
    runner = shop.runner()
    runner.start()
    try:
        shop.await_(lambda job: job.rows)
        shop.store.cancel_job("1", datetime.now(UTC))
        job = shop.await_(lambda job: job.state.ended)
    finally:
        runner.stop()
    result = json.loads(job.result or "{}")
    assert job.state is JobState.CANCELLED
    assert (result["read"] > 0, result.get("whole")) == (True, whole)
    assert not psutil.pid_exists(result["process"])


def test_a_server_that_stops_puts_its_job_back_and_leaves_no_process(shop: Shop) -> None:
    shop.add("1", steps=10_000)
    runner = shop.runner()
    runner.start()
    shop.await_(lambda job: job.rows)
    children = psutil.Process().children()
    runner.stop()
    assert not any(child.is_running() for child in children)
    assert (shop.job().state, shop.job().attempts, shop.job().rows) == (JobState.WAITING, 0, None)


def test_a_killed_server_s_process_ends_and_the_next_server_runs_the_job(shop: Shop) -> None:
    shop.add("1", steps=20, pause_s=0.1)
    command = [sys.executable, "-m", "tests.agent.service.jobs.server_process", str(shop.folder), *SCRIPTED]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:  # noqa: S603 - our own command
        shop.await_(lambda job: job.rows)
        [worker] = psutil.Process(server.pid).children()
        server.kill()
        server.wait()
        psutil.wait_procs([worker], timeout=10)
        assert not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE
    assert shop.job().state is JobState.RUNNING, "nobody has noticed yet, and the lease holds for long"
    began = time.monotonic()
    assert shop.runner().run_next()
    assert time.monotonic() - began < Timing().lease_s, "the machine knows that the process is gone"
    assert (shop.job().state, shop.job().attempts) == (JobState.DONE, 2)


def test_a_process_that_hears_nothing_of_its_server_ends_before_another_may_run_its_job(shop: Shop) -> None:
    shop.add("1", steps=10_000)
    runner = shop.runner(Timing(poll_s=0.05, beat_s=1_000, lease_s=1.5, grace_s=0.5))
    runner.start()
    try:
        job = shop.await_(lambda job: job.state.ended)
    finally:
        runner.stop()
    assert code_of(job) == "process-ended"


def test_a_job_that_another_process_has_taken_over_is_let_go(shop: Shop) -> None:
    shop.add("1", steps=10_000)
    runner = shop.runner()
    thread = Thread(target=runner.run_next)
    thread.start()
    shop.await_(lambda job: job.rows)
    far = datetime.now(UTC) + timedelta(hours=1)
    shop.store.claim_job(Claimant("other", timedelta(hours=1), lambda _job: True, lambda _owner: False), far)
    thread.join(LIMIT_S)
    assert not thread.is_alive()
    assert (shop.job().owner, shop.job().state) == ("other", JobState.RUNNING)


def test_servers_on_one_store_run_each_job_once_and_never_two_at_a_time(any_shop: Shop) -> None:
    for number in range(4):
        any_shop.add(str(number), steps=5)
    runners = [any_shop.runner() for _ in range(2)]
    for runner in runners:
        runner.start()
    try:
        for number in range(4):
            any_shop.await_(lambda job: job.state.ended, str(number))
    finally:
        for runner in runners:
            runner.stop()
    jobs = [any_shop.job(str(number)) for number in range(4)]
    assert [(job.state, job.attempts) for job in jobs] == [(JobState.DONE, 1)] * 4
    begun = Counter(facts["job"] for event, facts in any_shop.log.lines if event == "job begins")
    assert set(begun.values()) == {1}
    for earlier, later in pairwise(jobs):
        assert earlier.ended_at is not None and later.started_at is not None
        assert earlier.ended_at <= later.started_at


def test_a_job_whose_file_is_lost_fails_and_the_next_one_runs(shop: Shop) -> None:
    shop.add("1", file="gone.csv")
    shop.add("2")
    runner = shop.runner()
    runner.start()
    try:
        shop.await_(lambda job: job.state.ended, "2")
        lost = shop.await_(lambda job: job.state.ended, "1")
    finally:
        runner.stop()
    assert (lost.state, code_of(lost)) == (JobState.FAILED, "file-missing")


def test_no_zombie_is_left(shop: Shop) -> None:
    for number, do in enumerate(("count", "die", "break")):
        shop.add(str(number), do)
    runner = shop.runner()
    while runner.run_next():
        pass
    zombies = [child for child in psutil.Process().children() if child.status() == psutil.STATUS_ZOMBIE]
    assert zombies == []
