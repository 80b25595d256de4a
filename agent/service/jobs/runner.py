"""Runner of jobs: one thread of a server that takes jobs from the stores of all merchants, one at a time.

Processes that serve one data folder share its turn, so that one job at a time runs on a machine, whoever was asked.

Each job runs in a process of its own, which leaves the server's interpreter and memory to quotes, and can be ended. The
thread renews the job's lease, notes progress, and ends the process when the job is to be cancelled, when the server
stops, or when another process has taken the job over.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import Any, Final

from agent.domain.clock import Clock
from agent.service.jobs.messages import End, JobProblem, Order, Told, place_of, settings_for_order
from agent.service.jobs.owner import has_ended, own_name
from agent.service.jobs.process import COMMAND, JobProcess
from agent.service.jobs.spool import Spool
from agent.service.merchants import MerchantError, Merchants, settings_of
from agent.service.opening import open_store
from agent.service.settings import DEFAULT_MERCHANT, Settings
from agent.store import Store, StoreError
from agent.store.data_folder import DataFolder
from agent.store.folder_lock import FolderLock
from agent.store.job_records import JobEnd, JobLease, JobRecord, JobState
from agent.store.jobs import Claimant

KEPT_FOR: Final = timedelta(days=30)
"""Retention of ended jobs."""
MOST_WAITING: Final = 20
"""Jobs of one merchant that may wait."""
_WAIT_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Timing:
    """Periods of the runner, seconds.

    Attributes:
        poll_s: Between looks at stores with unfinished jobs.
        scan_s: Between looks at the stores of all merchants.
        beat_s: Between renewals of a lease.
        lease_s: Length of a lease.
        grace_s: Time for a process to stop by itself.
        lost_s: Time after which a job whose file is missing counts as lost.
    """

    poll_s: float = 1.0
    scan_s: float = 30.0
    beat_s: float = 1.0
    lease_s: float = 30.0
    grace_s: float = 5.0
    lost_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """One merchant's settings, store and spool."""

    merchant: str
    settings: Settings
    store: Store
    spool: Spool


@dataclass(slots=True)
class _Run:
    """One run of a job, as far as it has come; `asked_at` is when its process was asked to stop."""

    last: Told
    end: Told | None = None
    lease: JobLease = field(default_factory=lambda: JobLease(held=True))
    held_until: float = 0.0
    beat_at: float = 0.0
    asked_at: float | None = None


class JobRunner:
    """Runs jobs until it is stopped."""

    def __init__(
        self,
        settings: Settings,
        home: Store,
        clock: Clock,
        log: Any,
        timing: Timing | None = None,
        command: Sequence[str] = COMMAND,
    ) -> None:
        """`settings` and the store `home` are the default merchant's."""
        self._settings = settings
        self._home = home
        self._clock = clock
        self._log = log
        self._timing = timing or Timing()
        self._command = command
        self._owner = own_name()
        self._machine = FolderLock(DataFolder(settings.data_dir).workers / "jobs.lock")
        self._stopping = Event()
        self._wake = Event()
        self._lock = Lock()
        self._due: set[str] = set()
        self._turns: dict[str, float] = {}
        self._scanned_at: float | None = None
        self._missing: dict[str, float] = {}
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to look for jobs, interrupted ones first."""
        self._thread = Thread(target=self._loop, name="jobs", daemon=True)
        self._thread.start()

    def nudge(self, merchant: str) -> None:
        """Look at once for jobs of a merchant, who has just submitted one."""
        with self._lock:
            self._due.add(merchant)
        self._wake.set()

    def stop(self) -> None:
        """End the process that is at work, put its job back into the queue, and wait for both."""
        self._stopping.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def _loop(self) -> None:
        failing = ""
        while not self._stopping.is_set():
            worked = False
            try:
                worked = self.run_next()
                failing = ""
            except Exception as error:  # the thread must outlive any failure, or no job would ever run again
                place = place_of(error)
                if str(place) != failing:  # one that stays is logged once
                    self._log.error("jobs wait", error=place)
                failing = str(place)
            if not worked:
                self._wake.wait(self._timing.poll_s)
                self._wake.clear()

    def run_next(self) -> bool:
        """Run the next job of any merchant to its end; False when there was none. Merchants take turns.

        Raises:
            StoreError: A store failed.
        """
        failed: StoreError | None = None
        for merchant in self._merchants():
            try:
                if self._run_next_of(merchant):
                    return True
            except StoreError as error:  # that of one merchant does not hold up the others
                failed = error
        if failed is not None:
            raise failed
        return False

    def _run_next_of(self, merchant: str) -> bool:
        with self._opened(merchant) as place:
            if not self._machine.take():  # another process of this folder runs a job
                return False
            try:
                job = place.store.claim_job(self._claimant(place), self._clock.now())
                if job is not None:
                    self._turns[merchant] = time.monotonic()
                    self.nudge(merchant)
                    self._run(place, job)
                    return True
            finally:
                self._machine.release()
            self._fail_lost(place)
            if not place.store.unfinished_jobs():
                with self._lock:
                    self._due.discard(merchant)
        return False

    def _merchants(self) -> list[str]:
        """Merchants to look at: the default one, those with unfinished jobs, and now and then all."""
        now = time.monotonic()
        if self._scanned_at is None or now - self._scanned_at > self._timing.scan_s:
            self._scanned_at = now
            known = Merchants(self._settings, self._home, self._clock).list()
            with self._lock:
                self._due.update(one.merchant_id for one in known if one.removed_at is None)
            self._sweep()
        with self._lock:
            return sorted({DEFAULT_MERCHANT, *self._due}, key=lambda one: (self._turns.get(one, 0.0), one))

    @contextmanager
    def _opened(self, merchant: str) -> Iterator[Place]:
        own = settings_of(self._settings, merchant)
        spool = Spool(DataFolder(own.data_dir).spool)
        if merchant == DEFAULT_MERCHANT:
            yield Place(merchant, own, self._home, spool)
            return
        with open_store(own, self._clock) as store:
            yield Place(merchant, own, store, spool)

    def _claimant(self, place: Place) -> Claimant:
        return Claimant(self._owner, timedelta(seconds=self._timing.lease_s), place.spool.able, has_ended)

    def _run(self, place: Place, job: JobRecord) -> None:
        order = Order(
            settings=settings_for_order(place.settings),
            job_id=job.job_id,
            kind=job.kind,
            options=job.options,
            file=None if (file := place.spool.file(job)) is None else file.resolve(),
            lease_s=self._timing.lease_s,
        )
        self._log.info("job begins", job=job.job_id, kind=job.kind.value, attempt=job.attempts)
        run = _Run(Told(step="start"), held_until=time.monotonic() + self._timing.lease_s)
        process = JobProcess(order, place.spool.folder(job.job_id), self._command)
        try:
            while run.lease.held and not (run.end or process.ended):
                for told in process.told(_WAIT_S):
                    run.last = told if told.end is None else run.last
                    run.end = told if told.end is not None else None
                self._watch_over(place, job, process, run)
        finally:
            code = process.close()
        self._conclude(place, job, run, code)

    def _watch_over(self, place: Place, job: JobRecord, process: JobProcess, run: _Run) -> None:
        """Renew the lease when it is time to, and end the process when there is reason to."""
        now, timing = time.monotonic(), self._timing
        if now >= run.beat_at:
            run.beat_at = now + timing.beat_s
            try:
                until = self._clock.now() + timedelta(seconds=timing.lease_s)
                run.lease = place.store.renew_job(job.job_id, self._owner, until, run.last.progress)
                run.held_until = now + timing.lease_s
                process.beat()
            except StoreError as error:
                self._log.warning("a lease could not be renewed", job=job.job_id, error=type(error).__qualname__)
                run.lease = JobLease(now < run.held_until, run.lease.cancel_requested)
        if run.asked_at is None and (run.lease.cancel_requested or self._stopping.is_set()):
            run.asked_at = now
            process.ask_to_stop()
        if run.asked_at is not None and now - run.asked_at > timing.grace_s:
            process.kill()

    def _conclude(self, place: Place, job: JobRecord, run: _Run, code: int) -> None:
        if not run.lease.held:
            self._log.warning("another process took a job over", job=job.job_id)
            return
        end = _end_of(job, run, code)
        if end is None:
            place.store.release_job(job.job_id, self._owner)
            self._log.info("job goes back into the queue", job=job.job_id)
            return
        if run.end is not None and run.end.place:
            self._log.error("unexpected error in a job", job=job.job_id, error=run.end.place)
        ended = self._stored(place, end)
        place.spool.remove(job.job_id)
        if ended:
            self._log.info("job ended", job=job.job_id, kind=job.kind.value, state=end.state.value)

    def _stored(self, place: Place, end: JobEnd) -> bool:
        """Store the end, for which a store that does not answer gets as long as the lease holds."""
        last = time.monotonic() + self._timing.lease_s
        while True:
            try:
                return place.store.end_job(end, self._owner, self._clock.now())
            except StoreError:
                if time.monotonic() > last or self._stopping.wait(_WAIT_S):
                    raise

    def _fail_lost(self, place: Place) -> None:
        """End the first waiting job when its file has been missing for long, so that later ones can run."""
        first = next((job for job in place.store.unfinished_jobs()), None)
        if first is None or first.state is not JobState.WAITING or place.spool.able(first):
            return
        since = self._missing.setdefault(first.job_id, time.monotonic())
        if time.monotonic() - since > self._timing.lost_s:
            detail = "the uploaded file is gone; remedy: upload it again"
            problem = JobProblem(code="file-missing", detail=detail)
            place.store.fail_lost_job(first.job_id, problem.model_dump_json(), self._clock.now())
            self._missing.pop(first.job_id)

    def _sweep(self) -> None:
        for merchant in [DEFAULT_MERCHANT, *sorted(self._due - {DEFAULT_MERCHANT})]:
            try:
                with self._opened(merchant) as place:
                    place.spool.sweep({job.job_id for job in place.store.unfinished_jobs()})
            except (StoreError, MerchantError, OSError) as error:
                self._log.warning("the spool could not be swept", error=type(error).__qualname__)


def _end_of(job: JobRecord, run: _Run, code: int) -> JobEnd | None:
    """The final state of a job; None when it is to be run again."""
    told = run.end
    if told is not None and told.end is End.DONE:
        return JobEnd(job.job_id, JobState.DONE, _text(told), rows=told.rows)
    if told is not None and told.end is End.FAILED and told.problem is not None:
        return JobEnd(job.job_id, JobState.FAILED, problem=told.problem.model_dump_json())
    if run.lease.cancel_requested:
        last = told or run.last
        return JobEnd(job.job_id, JobState.CANCELLED, _text(last), rows=last.rows)
    if told is not None or run.asked_at is not None:
        return None
    how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
    detail = (
        f"the process at work was ended {how}, which mostly means too little memory; remedy: a larger machine, or a "
        "file in parts"
    )
    return JobEnd(
        job.job_id, JobState.FAILED, problem=JobProblem(code="process-ended", detail=detail).model_dump_json()
    )


def _text(told: Told) -> str | None:
    return None if told.result is None else json.dumps(told.result)
