"""Jobs in the store: one runs at a time, in order; leases decide whose it is."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Barrier

import pytest

from agent.domain.clock import FixedClock, StoreClock
from agent.store import Store
from agent.store.job_records import JobEnd, JobKind, JobLease, JobProgress, JobRecord, JobState, NewJob
from agent.store.jobs import INTERRUPTED, MAX_ATTEMPTS, Claimant
from agent.store.webhook_messages import WebhookEvent

LEASE = timedelta(seconds=30)
MOST = 5


def add(store: Store, clock: FixedClock, job_id: str, kind: JobKind = JobKind.IMPORT) -> JobRecord:
    new = NewJob(job_id, kind, "key", '{"kind": "products"}', clock.at, "a.csv", 12)
    found = store.add_job(new, MOST)
    assert found is not None
    return found


def claimant(name: str, able: bool = True, gone: str = "") -> Claimant:
    return Claimant(name, LEASE, lambda _job: able, lambda owner: owner == gone)


def claimed(store: Store, clock: FixedClock, name: str = "a") -> JobRecord:
    job = store.claim_job(claimant(name), clock.at)
    assert job is not None
    return job


def state(store: Store, job_id: str) -> JobState:
    job = store.job(job_id)
    assert job is not None
    return job.state


def test_jobs_begin_in_the_order_of_their_ids_one_at_a_time(store: Store, clock: FixedClock) -> None:
    for job_id in ("2", "1", "3"):
        add(store, clock, job_id)
    order = []
    while (job := store.claim_job(claimant("a"), clock.at)) is not None:
        assert store.claim_job(claimant("b"), clock.at) is None
        order.append(job.job_id)
        assert store.end_job(JobEnd(job.job_id, JobState.DONE, "{}", rows=3), "a", clock.at)
    assert order == ["1", "2", "3"]
    assert store.unfinished_jobs() == []


def test_of_many_claimants_at_once_one_gets_the_job(store: Store, clock: FixedClock) -> None:
    add(store, clock, "1")
    barrier = Barrier(8)

    def claim(name: str) -> bool:
        barrier.wait()
        return store.claim_job(claimant(name), clock.at) is not None

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claim, "abcdefgh")) == 1


def test_a_job_submitted_again_under_its_id_is_the_same(store: Store, clock: FixedClock) -> None:
    first = add(store, clock, "1")
    claimed(store, clock)
    again = add(store, clock, "1")
    assert (first.state, again.state) == (JobState.WAITING, JobState.RUNNING)
    assert len(store.jobs()) == 1


def test_so_many_may_wait_and_no_more(store: Store, clock: FixedClock) -> None:
    for number in range(MOST):
        add(store, clock, str(number))
    assert store.add_job(NewJob("x", JobKind.IMPORT, "key", "{}", clock.at), MOST) is None


def test_a_job_is_another_process_s_when_its_lease_has_run_out(store: Store, clock: FixedClock) -> None:
    add(store, clock, "1")
    claimed(store, clock, "a")
    clock.at += LEASE / 2
    assert store.renew_job("1", "a", clock.at + LEASE, JobProgress(0.5, "half", 7)) == JobLease(held=True)
    clock.at += LEASE * 0.9
    assert store.claim_job(claimant("b"), clock.at) is None
    clock.at += LEASE * 0.2
    taken = claimed(store, clock, "b")
    assert (taken.attempts, taken.fraction, taken.rows) == (2, 0.0, None)
    assert not store.renew_job("1", "a", clock.at + LEASE, JobProgress()).held
    assert not store.end_job(JobEnd("1", JobState.DONE), "a", clock.at)
    assert store.end_job(JobEnd("1", JobState.DONE), "b", clock.at)


def test_a_process_that_is_known_to_be_gone_holds_nothing(store: Store, clock: FixedClock) -> None:
    add(store, clock, "1")
    claimed(store, clock, "a")
    assert store.claim_job(claimant("b", gone="a"), clock.at) is not None


def test_a_job_that_ends_its_server_again_and_again_fails_with_the_reason(store: Store, clock: FixedClock) -> None:
    add(store, clock, "1")
    add(store, clock, "2")
    for _ in range(MAX_ATTEMPTS):
        assert claimed(store, clock).job_id == "1"
        clock.at += LEASE
    assert claimed(store, clock).job_id == "2"
    failed = store.job("1")
    assert failed is not None and failed.problem is not None
    assert (failed.state, json.loads(failed.problem)["code"]) == (JobState.FAILED, INTERRUPTED)


def test_a_job_that_is_given_back_counts_no_attempt(store: Store, clock: FixedClock) -> None:
    add(store, clock, "1")
    for _ in range(MAX_ATTEMPTS + 1):
        assert claimed(store, clock).attempts == 1
        assert store.release_job("1", "a")


def test_a_job_whose_file_is_elsewhere_is_left_to_others(store: Store, clock: FixedClock) -> None:
    add(store, clock, "1")
    assert store.claim_job(claimant("a", able=False), clock.at) is None
    assert claimed(store, clock, "b").owner == "b"


def test_cancelling_ends_a_waiting_job_and_asks_for_the_end_of_a_running_one(store: Store, clock: FixedClock) -> None:
    for job_id in ("1", "2"):
        add(store, clock, job_id)
    claimed(store, clock)
    cancelled = [store.cancel_job(job_id, clock.at) for job_id in ("1", "2", "1", "2", "none")]
    assert [job and (job.state, job.cancel_requested) for job in cancelled] == [
        (JobState.RUNNING, True),
        (JobState.CANCELLED, True),
        (JobState.RUNNING, True),
        (JobState.CANCELLED, True),
        None,
    ]
    assert store.renew_job("1", "a", clock.at + LEASE, JobProgress()) == JobLease(held=True, cancel_requested=True)
    store.end_job(JobEnd("1", JobState.DONE), "a", clock.at)
    late = store.cancel_job("1", clock.at)
    assert late is not None and late.state is JobState.DONE


def test_a_cancelled_job_whose_process_died_is_not_begun_again(store: Store, clock: FixedClock) -> None:
    add(store, clock, "1")
    claimed(store, clock)
    store.cancel_job("1", clock.at)
    clock.at += LEASE
    assert store.claim_job(claimant("b"), clock.at) is None
    assert state(store, "1") is JobState.CANCELLED


def test_pages_go_back_from_the_newest_and_no_insert_moves_them(store: Store, clock: FixedClock) -> None:
    for number in range(4):
        add(store, clock, f"1{number}", JobKind.IMPORT if number % 2 else JobKind.TRAINING)
    first = store.jobs(limit=2)
    add(store, clock, "19")
    second = store.jobs(before=first[-1].job_id, limit=2)
    assert [job.job_id for job in (*first, *second)] == ["13", "12", "11", "10"]
    assert [job.job_id for job in store.jobs(JobKind.TRAINING)] == ["12", "10"]
    assert store.jobs(states=[JobState.DONE]) == []


def test_ended_jobs_are_purged_by_their_end_and_others_stay(store: Store, clock: FixedClock) -> None:
    for job_id in ("1", "2"):
        add(store, clock, job_id)
    store.cancel_job("1", clock.at)
    clock.at += timedelta(days=40)
    assert store.purge_jobs(clock.at - timedelta(days=30)) == 1
    assert [job.job_id for job in store.jobs()] == ["2"]


def test_the_end_of_a_job_is_told_once_and_names_no_rows(store: Store, clock: FixedClock) -> None:
    store.add_webhook("https://shop.example/hooks", [WebhookEvent.JOB_ENDED], clock.at)
    add(store, clock, "1")
    claimed(store, clock)
    store.end_job(JobEnd("1", JobState.DONE, '{"problems": [{"value": "anna"}]}'), "a", clock.at)
    store.cancel_job("1", clock.at)
    [due] = store.webhooks_due(clock.at, LEASE, 10)
    assert json.loads(due.body)["data"] == {"job_id": "1", "kind": "import", "state": "done"}


REPORT = {"kind": "events", "read": 3, "bad": 1, "problems": [{"value": "anna-7"}], "advice": []}


@pytest.mark.parametrize("where", ["result", "problem"])
def test_reports_that_name_an_erased_shopper_keep_numbers_alone(store: Store, clock: FixedClock, where: str) -> None:
    for job_id in ("1", "2"):
        add(store, clock, job_id)
        claimed(store, clock)
        end = JobEnd(job_id, JobState.DONE)
        if job_id == "1":
            text = json.dumps(REPORT)
            end = replace(end, result=text) if where == "result" else replace(end, problem=text)
        store.end_job(end, "a", clock.at)
    store.erase_shopper("bertha")
    assert getattr(store.job("1"), where) == json.dumps(REPORT)
    store.erase_shopper("anna-7")
    assert json.loads(getattr(store.job("1"), where)) == {"kind": "events", "read": 3, "bad": 1, "erased": True}
    store.erase_before(clock.at + timedelta(days=1), StoreClock())
    assert store.jobs() == []
