"""Whatever happens to servers and jobs: each job ends once, and each row of its file is stored once."""

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain.clock import FixedClock
from agent.service.ingest import ImportKind, ImportOptions, ImportReport, ReadingOptions, import_file
from agent.service.ingest.store_targets import dry, store_targets
from agent.store import Store
from agent.store.job_records import JobEnd, JobKind, JobProgress, JobState, NewJob
from agent.store.jobs import MAX_ATTEMPTS, Claimant

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LEASE = timedelta(seconds=30)
ROWS, BATCH = 12, 4
FINAL = {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


class Killed(Exception):
    """The process is gone in the middle of its work."""


@dataclass
class World:
    """A store, files of the three kinds, and servers that are named by a number."""

    store: Store
    clock: FixedClock
    folder: Path
    submitted: int = 0
    server: int = 0
    ended: dict[str, JobState] = field(default_factory=dict)

    def submit(self, kind: ImportKind) -> None:
        self.submitted += 1
        options = json.dumps({"kind": kind.value})
        new = NewJob(f"{self.submitted:04}", JobKind.IMPORT, "key", options, self.clock.at)
        assert self.store.add_job(new, 100) is not None

    def cancel(self) -> None:
        waiting = self.store.unfinished_jobs()
        if waiting:
            self.store.cancel_job(waiting[-1].job_id, self.clock.at)

    def run(self, killed_after: int | None, *, before_commit: bool) -> bool:
        """Run the next job, unless its server is killed after a number of batches; whether there was one."""
        name = str(self.server)
        job = self.store.claim_job(Claimant(name, LEASE, lambda _: True, lambda _: False), self.clock.at)
        if job is None:
            return False
        kind, batches = ImportKind(json.loads(job.options)["kind"]), 0

        def told(report: ImportReport) -> None:
            nonlocal batches
            batches += 1
            lease = self.store.renew_job(job.job_id, name, self.clock.at + LEASE, JobProgress(rows=report.read))
            assert lease.held
            if killed_after is not None and batches >= killed_after:
                raise Killed

        targets = store_targets(self.store, self.clock)
        if before_commit and killed_after is not None:
            targets = dry(targets)  # the batch at work is rolled back
        try:
            options = ImportOptions(ReadingOptions("USD"))
            import_file(kind, self.folder / f"{kind}.csv", targets, options, told, BATCH)
        except Killed:
            self.server += 1
            return True
        assert self.store.end_job(JobEnd(job.job_id, JobState.DONE, "{}"), name, self.clock.at)
        return True

    def check(self) -> None:
        """A job that has ended stays as it is."""
        for job in self.store.jobs(limit=1_000):
            if job.job_id in self.ended:
                assert job.state is self.ended[job.job_id]
            elif job.state in FINAL:
                self.ended[job.job_id] = job.state


def write_files(folder: Path) -> None:
    (folder / "products.csv").write_text(
        "product_id,list_price\n" + "".join(f"p{n},{n + 1}.00\n" for n in range(ROWS)), "utf-8"
    )
    (folder / "events.csv").write_text(
        "shopper_id,type,product_id,at\n"
        + "".join(f"s{n % 3},{('view', 'purchase')[n % 2]},p{n // 4},2026-11-01T10:00:00Z\n" for n in range(ROWS)),
        "utf-8",
    )
    (folder / "outcomes.csv").write_text(
        "shopper_id,product_id,price,bought,at\n"
        + "".join(f"t{n % 3},p{n // 4},1.00,{n % 2},2026-11-02T10:00:00Z\n" for n in range(ROWS)),
        "utf-8",
    )


STEPS = st.lists(
    st.one_of(
        st.sampled_from([*ImportKind, "cancel", "later"]),
        st.tuples(st.none() | st.integers(1, 3), st.booleans()),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def once(_migrated_file: Path) -> Iterator[tuple[Path, dict[str, int]]]:
    """An empty database, and what a store holds after each file was imported once, uninterrupted."""
    with tempfile.TemporaryDirectory() as folder:
        world = opened(Path(folder), _migrated_file)
        for kind in ImportKind:
            world.submit(kind)
        while world.run(None, before_commit=False):
            pass
        yield _migrated_file, held(world.store)
        world.store.close()


def opened(folder: Path, database: Path) -> World:
    (folder / "store.db").write_bytes(database.read_bytes())
    write_files(folder)
    clock = FixedClock(NOW)
    return World(Store.open(f"sqlite:///{folder}/store.db", clock), clock, folder)


def held(store: Store) -> dict[str, int]:
    marks = store.marks()
    return {"products": store.product_count(), "events": store.event_count(), "outcomes": marks.outcome}


@given(STEPS)
@settings(max_examples=40)
def test_each_job_ends_once_and_each_row_is_stored_once(once: tuple[Path, dict[str, int]], steps: list[object]) -> None:
    database, whole = once
    with tempfile.TemporaryDirectory() as folder:
        world = opened(Path(folder), database)
        with world.store:
            world.submit(ImportKind.PRODUCTS)
            while world.run(None, before_commit=False):
                pass
            for step in steps:
                if isinstance(step, ImportKind):
                    world.submit(step)
                elif step == "cancel":
                    world.cancel()
                elif step == "later":
                    world.clock.at += LEASE
                elif isinstance(step, tuple):
                    world.run(step[0], before_commit=step[1])
                world.check()
            for _ in range(2 + (MAX_ATTEMPTS + 1) * world.submitted):
                world.clock.at += LEASE
                world.run(None, before_commit=False)
                world.check()
            assert {job.state for job in world.store.jobs(limit=1_000)} <= FINAL
            done = {json.loads(job.options)["kind"] for job in world.store.jobs(states=[JobState.DONE], limit=1_000)}
            found = held(world.store)
            for kind, rows in whole.items():
                if kind == "events" and "outcomes" in done and "events" not in done:
                    continue  # purchases among the outcomes are events as well
                assert found[kind] <= rows
            if {"events", "outcomes"} <= done:
                assert found == whole
