"""A soak's report says which promise was broken."""

import pytest

from eval.chaos.soak import SoakReport, _Shots, judge


def report(
    slow: float = 0.2, growth: float = 0.0, errors: int = 0, minutes: float = 60.0, *, early: bool = False
) -> SoakReport:
    """Of 1,000 answers in 100 ms, 2 % of them `slow`, over memory that grows evenly."""
    shots = _Shots("http://127.0.0.1:9", "key", [("s", "p")])
    shots.http.close()
    late = range(20, 1_000, 50)
    shots.latencies = [(float(n), slow if (n < 20 if early else n in late) else 0.1) for n in range(1_000)]
    shots.errors = errors
    memory = [(float(n), 1e9 * (1 + growth * n / 1_000)) for n in range(1_000)]
    return judge(shots, memory, minutes, (10.0, 7.0))


def test_a_run_that_keeps_its_promises_passes() -> None:
    kept = report()
    assert (kept.failed, kept.p50_ms, kept.p99_ms, kept.hour) == ([], 100.0, 200.0, True)
    assert not report(minutes=3.0).hour


@pytest.mark.parametrize(
    ("broken", "promise"), [({"slow": 0.5}, "p99"), ({"growth": 0.1}, "memory"), ({"errors": 1}, "errors")]
)
def test_a_broken_promise_is_named(broken: dict[str, float], promise: str) -> None:
    assert report(**broken).failed == [promise]  # type: ignore[arg-type]


def test_the_warm_up_counts_for_nothing_but_errors() -> None:
    assert report(slow=5.0, early=True).failed == []


def test_the_worst_minute_is_told() -> None:
    shots = _Shots("http://127.0.0.1:9", "key", [("s", "p")])
    shots.http.close()
    shots.latencies = [(float(n), 0.9 if 580 <= n < 640 else 0.1) for n in range(1_000)]
    found = judge(shots, [(float(n), 1e9) for n in range(1_000)], 60.0, (10.0, 7.0))
    assert (found.worst_minute, found.worst_minute_p99_ms) == (9.7, 900.0)
