"""Jobs: submitted by any process, run by exactly one, taken over by another when that one ends.

The process that runs a job holds a lease on it, which it renews every second or so. A job whose lease has run out, or
whose process is known to be gone, goes back into the queue, at its old place. At most one job of a store runs at once.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, delete, func, insert, select, update

from agent.store.job_records import (
    UNFINISHED,
    JobEnd,
    JobKind,
    JobLease,
    JobProgress,
    JobRecord,
    JobState,
    NewJob,
)
from agent.store.repository import Repository
from agent.store.rows import RecordTable
from agent.store.tables import JOBS
from agent.store.webhook_messages import of_job
from agent.store.webhooks import enqueue_messages

MAX_ATTEMPTS: Final = 3
INTERRUPTED: Final = "interrupted"

_JOB: Final = RecordTable(JobRecord, JOBS)
_ALL: Final = select(*_JOB.columns)
_NO_LEASE: Final = {"owner": None, "lease_until": None}


@dataclass(frozen=True, slots=True)
class Claimant:
    """A process that looks for work.

    Attributes:
        owner: Its name, which no other process has or had.
        lease: Time for which it holds a job unless it renews the lease.
        able: Whether it can run a job: the job's file may be on another machine.
        gone: Whether the process with a name is known to have ended, so that its leases need not run out.
    """

    owner: str
    lease: timedelta
    able: Callable[[JobRecord], bool]
    gone: Callable[[str], bool]


class JobRepository(Repository):
    """Jobs in the order in which they were submitted."""

    def add_job(self, new: NewJob, most_waiting: int) -> JobRecord | None:
        """Put a job into the queue; None when as many wait already. A job that is known is returned as it stands."""
        row = {**asdict(new), "state": JobState.WAITING, **asdict(JobProgress())}
        with self._db.write() as connection:
            self._db.serialise(connection, "jobs")
            known = _one(connection, JOBS.c.job_id == new.job_id)
            if known is not None:
                return known
            waiting = select(func.count()).where(JOBS.c.state == JobState.WAITING)
            if connection.execute(waiting).scalar_one() >= most_waiting:
                return None
            connection.execute(insert(JOBS).values(**row, cancel_requested=False, attempts=0))
            return _one(connection, JOBS.c.job_id == new.job_id)

    def job(self, job_id: str) -> JobRecord | None:
        """A job; None when it is unknown."""
        with self._db.read() as connection:
            return _one(connection, JOBS.c.job_id == job_id)

    def jobs(
        self,
        kind: JobKind | None = None,
        states: Collection[JobState] = (),
        before: str | None = None,
        limit: int = 50,
    ) -> list[JobRecord]:
        """Jobs, newest first; those submitted before the one with the id `before`."""
        query = _ALL.order_by(JOBS.c.job_id.desc()).limit(limit)
        if kind is not None:
            query = query.where(JOBS.c.kind == kind)
        if states:
            query = query.where(JOBS.c.state.in_(states))
        if before is not None:
            query = query.where(JOBS.c.job_id < before)
        with self._db.read() as connection:
            return [_JOB.record(row) for row in connection.execute(query)]

    def unfinished_jobs(self) -> list[JobRecord]:
        """Waiting and running jobs, oldest first."""
        with self._db.read() as connection:
            return _unfinished(connection)

    def claim_job(self, claimant: Claimant, now: datetime) -> JobRecord | None:
        """Begin the oldest waiting job that the claimant can run; None while another job of this store runs.

        Jobs of processes that ended go back into the queue, or end: cancelled if that was asked for, failed after
        several attempts.
        """
        with self._db.read() as connection:
            found = _unfinished(connection)
        if not _to_do(found, claimant, now):
            return None  # the usual case needs no write transaction
        with self._db.write() as connection:
            self._db.serialise(connection, "jobs")
            found = _unfinished(connection)
            for job in found:
                if job.state is JobState.RUNNING and _abandoned(job, claimant, now):
                    self._put_back(connection, job, now)
            found = _unfinished(connection)
            if any(job.state is JobState.RUNNING for job in found):
                return None
            able = [job for job in found if claimant.able(job)]
            if not able:
                return None
            job = able[0]
            begun: dict[str, Any] = {
                "state": JobState.RUNNING,
                "owner": claimant.owner,
                "lease_until": now + claimant.lease,
                "started_at": job.started_at or now,
                "attempts": job.attempts + 1,
                **asdict(JobProgress(step="start")),
            }
            connection.execute(update(JOBS).where(JOBS.c.job_id == job.job_id).values(begun))
            return _one(connection, JOBS.c.job_id == job.job_id)

    def renew_job(self, job_id: str, owner: str, until: datetime, progress: JobProgress) -> JobLease:
        """Renew the owner's lease and note the progress."""
        with self._db.write() as connection:
            renewed = update(JOBS).where(_held(job_id, owner)).values(lease_until=until, **asdict(progress))
            held = connection.execute(renewed).rowcount == 1
            asked = connection.execute(select(JOBS.c.cancel_requested).where(JOBS.c.job_id == job_id)).scalar()
        return JobLease(held, bool(asked))

    def end_job(self, end: JobEnd, owner: str, now: datetime) -> bool:
        """End a job of the owner; False when another process has taken it over."""
        with self._db.write() as connection:
            return self._end(connection, end, _held(end.job_id, owner), now)

    def release_job(self, job_id: str, owner: str) -> bool:
        """Put a job of the owner back into the queue, as if it had not been begun: its process is about to stop."""
        values = {"state": JobState.WAITING, "attempts": JOBS.c.attempts - 1, **asdict(JobProgress()), **_NO_LEASE}
        with self._db.write() as connection:
            return connection.execute(update(JOBS).where(_held(job_id, owner)).values(values)).rowcount == 1

    def cancel_job(self, job_id: str, now: datetime) -> JobRecord | None:
        """End a waiting job, and ask the process of a running one to end it; None when the job is unknown."""
        mine = JOBS.c.job_id == job_id
        with self._db.write() as connection:
            self._db.serialise(connection, "jobs")
            waiting = mine & (JOBS.c.state == JobState.WAITING)
            self._end(connection, JobEnd(job_id, JobState.CANCELLED), waiting, now)
            running = mine & JOBS.c.state.in_((JobState.RUNNING, JobState.CANCELLED))
            connection.execute(update(JOBS).where(running).values(cancel_requested=True))
            return _one(connection, mine)

    def fail_lost_job(self, job_id: str, problem: str, now: datetime) -> bool:
        """End a waiting job that no process can run."""
        with self._db.write() as connection:
            self._db.serialise(connection, "jobs")
            waiting = (JOBS.c.job_id == job_id) & (JOBS.c.state == JobState.WAITING)
            return self._end(connection, JobEnd(job_id, JobState.FAILED, problem=problem), waiting, now)

    def purge_jobs(self, before: datetime) -> int:
        """Delete jobs that ended before a moment; returns their number."""
        with self._db.write() as connection:
            return connection.execute(delete(JOBS).where(JOBS.c.ended_at < before)).rowcount

    def _put_back(self, connection: Connection, job: JobRecord, now: datetime) -> None:
        """Queue or end a job whose process is gone."""
        mine = (JOBS.c.job_id == job.job_id) & (JOBS.c.state == JobState.RUNNING)
        if job.cancel_requested:
            self._end(connection, JobEnd(job.job_id, JobState.CANCELLED), mine, now)
        elif job.attempts >= MAX_ATTEMPTS:
            detail = (
                f"the server ended {job.attempts} times while this job ran, so that it is not tried again; remedy: "
                "look for the reason in the server's log, such as too little memory, and submit the job again"
            )
            problem = json.dumps({"code": INTERRUPTED, "detail": detail})
            self._end(connection, JobEnd(job.job_id, JobState.FAILED, problem=problem), mine, now)
        else:
            values = {"state": JobState.WAITING, **asdict(JobProgress()), **_NO_LEASE}
            connection.execute(update(JOBS).where(mine).values(values))

    def _end(self, connection: Connection, end: JobEnd, where: ColumnElement[bool], now: datetime) -> bool:
        values: dict[str, Any] = {"state": end.state, "ended_at": now, "result": end.result, "problem": end.problem}
        if end.state is JobState.DONE:
            values |= {"fraction": 1.0, "step": "done"}
        if end.rows is not None:
            values["rows"] = end.rows
        if connection.execute(update(JOBS).where(where).values(**values, **_NO_LEASE)).rowcount != 1:
            return False
        ended = _one(connection, JOBS.c.job_id == end.job_id)
        if ended is not None:
            enqueue_messages(self._db, connection, [of_job(ended)], now)
        return True


def _one(connection: Connection, where: ColumnElement[bool]) -> JobRecord | None:
    row = connection.execute(_ALL.where(where)).one_or_none()
    return None if row is None else _JOB.record(row)


def _unfinished(connection: Connection) -> list[JobRecord]:
    query = _ALL.where(JOBS.c.state.in_(UNFINISHED)).order_by(JOBS.c.job_id)
    return [_JOB.record(row) for row in connection.execute(query)]


def _held(job_id: str, owner: str) -> ColumnElement[bool]:
    return (JOBS.c.job_id == job_id) & (JOBS.c.owner == owner) & (JOBS.c.state == JobState.RUNNING)


def _abandoned(job: JobRecord, claimant: Claimant, now: datetime) -> bool:
    """Whether the process that ran a job does so no longer; a claimant itself runs nothing while it looks for work."""
    if job.owner is None or job.lease_until is None or job.lease_until <= now:
        return True
    return job.owner == claimant.owner or claimant.gone(job.owner)


def _to_do(unfinished: Sequence[JobRecord], claimant: Claimant, now: datetime) -> bool:
    running = [job for job in unfinished if job.state is JobState.RUNNING]
    if running:
        return any(_abandoned(job, claimant, now) for job in running)
    return any(claimant.able(job) for job in unfinished)
