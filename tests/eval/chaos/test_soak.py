"""Report of a soak test: failed conditions and results by minute."""

import pytest

from eval.chaos.soak_report import Answer, MachineState, Run, SoakReport, evaluate_run

CAPACITIES = [10.0, 12.0]
STATES = [MachineState(float(n), 1e9, n / 200) for n in range(1_000)]


def report(
    slow: float = 0.2, growth: float = 0.0, errors: int = 0, minutes: float = 60.0, *, early: bool = False
) -> SoakReport:
    """Report on 1,000 responses of 100 ms, 2 % of which take `slow` seconds, with memory growing evenly."""
    late = range(20, 1_000, 50)
    took = [slow if (n < 20 if early else n in late) else 0.1 for n in range(1_000)]
    answers = [Answer(float(n), seconds, "cached") for n, seconds in enumerate(took)]
    states = [
        MachineState(state.at, state.resident * (1 + growth * state.at / 1_000), state.stolen_s) for state in STATES
    ]
    return evaluate_run(Run(minutes, 2, CAPACITIES, 0.7, answers, states, errors))


def test_a_run_within_its_conditions_passes() -> None:
    kept = report()
    assert (kept.failed, kept.p50_ms, kept.p99_ms, kept.hour) == ([], 100.0, 200.0, True)
    assert (kept.spread, kept.whole_spread) == (2.0, 2.0)
    assert (kept.capacities_per_s, kept.asked_per_s) == ([10.0, 12.0], [7.0, 8.4])
    assert not report(minutes=3.0).hour


@pytest.mark.parametrize(
    ("broken", "condition"), [({"slow": 0.5}, "p99"), ({"growth": 0.1}, "memory"), ({"errors": 1}, "errors")]
)
def test_a_failed_condition_is_named(broken: dict[str, float], condition: str) -> None:
    assert report(**broken).failed == [condition]  # type: ignore[arg-type]


def test_the_warm_up_counts_only_for_errors() -> None:
    assert report(slow=5.0, early=True).failed == []


def test_each_minute_is_reported() -> None:
    answers = [
        Answer(n, 0.9 if 600 <= n < 660 else 0.1, None if n % 10 == 0 else "model" if n >= 600 else "cached")
        for n in map(float, range(1_000))
    ]
    report = evaluate_run(Run(60.0, 2, CAPACITIES, 0.7, answers, STATES, 0))
    found = report.by_minute
    assert [minute.minute for minute in found] == list(range(1, 18))
    assert [minute.p99_ms for minute in found] == [100.0] * 10 + [900.0] + [100.0] * 6
    assert [minute.answered for minute in found] == [60] * 16 + [40]
    assert found[8].rungs == {"cached": 1.0}  # failed requests have no rung
    assert str(found[10]) == "minute 11 p50 900 ms p99 900 ms known prompts 0% 954 MiB stolen 0.3 s"
    assert report.stolen_s == 5.0
    assert [minute.stolen_s for minute in found] == [0.3] * 16 + [0.2]


def stolen(minutes: int, last: int = 16) -> SoakReport:
    """Report on a run whose host takes 3 of 120 processor seconds in some minutes, slowing a third of the responses."""
    start, end = 60 * (last - minutes), 60 * last
    answers = [Answer(float(n), 0.9 if start <= n < end and n % 3 == 0 else 0.1, "cached") for n in range(2_000)]
    states = [MachineState(float(n), 1e9, max(0, min(n, end) - start) / 20) for n in range(2_000)]
    return evaluate_run(Run(60.0, 2, CAPACITIES, 0.7, answers, states, 0))


def test_minutes_disturbed_by_the_host_are_listed_and_excluded() -> None:
    found = stolen(minutes=1)
    assert (found.disturbed, found.p99_ms, found.whole_p99_ms, found.failed) == ([16, 17], 100.0, 900.0, [])


def test_a_run_with_many_disturbed_minutes_is_invalid() -> None:
    assert stolen(minutes=4).failed == ["host"]


def test_disturbed_minutes_count_only_after_the_warm_up() -> None:
    assert stolen(minutes=4, last=8).failed == ["host"]
    assert stolen(minutes=4, last=5).failed == []  # of the evaluated minutes only the fourth to the sixth


def test_the_spread_separates_a_slower_machine_from_uneven_latency() -> None:
    def slow_half(spread: float) -> SoakReport:
        """Report on a machine that becomes five times slower, with every fiftieth response `spread` times slower."""
        took = [(0.1 if n < 1_200 else 0.5) * (spread if n % 50 == 0 else 1.0) for n in range(2_000)]
        answers = [Answer(float(n), seconds, "cached") for n, seconds in enumerate(took)]
        states = [MachineState(float(n), 1e9, 0.0) for n in range(2_000)]
        return evaluate_run(Run(60.0, 2, CAPACITIES, 0.7, answers, states, 0))

    even, uneven = slow_half(3.0), slow_half(4.5)
    assert (even.spread, uneven.spread) == (3.0, 4.5)
    assert even.failed == uneven.failed == ["p99"]  # the condition is on the whole run, which a long slow stretch fails
