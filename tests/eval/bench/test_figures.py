"""Statistics of loads, shares of stages, and ratios."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.bench.figures import Load, flatness, row_figures, shares, times_faster


def test_figures_count_quotes_not_requests() -> None:
    found = row_figures(Load([1_000.0] * 99 + [9_000.0], 2, seconds=4.0, generator_cpu_s=0.2), 4, 48)
    assert (found.requests, found.quotes, found.quotes_s, found.errors) == (100, 4_800, 1_200.0, 2)
    assert found.p50_ms == 1.0
    assert 1.0 < found.p99_ms < 9.0
    assert found.generator_cpu_frac == 0.05


def test_a_load_without_answers_has_no_latency_and_no_throughput() -> None:
    found = row_figures(Load([], 3, seconds=0.0), 1, 1)
    assert math.isnan(found.p50_ms)
    assert (found.quotes_s, found.errors) == (0.0, 3)


def test_turns_are_joined() -> None:
    joined = Load([1.0], 1, 2.0, 0.5).and_then(Load([3.0, 2.0], 0, 1.0, 0.25))
    assert joined == Load([1.0, 3.0, 2.0], 1, 3.0, 0.75)


@given(st.floats(0.01, 1e4), st.floats(0.01, 1e4))
def test_faster_is_above_one_in_either_figure(slow: float, fast: float) -> None:
    slow, fast = max(slow, fast), min(slow, fast)
    assert (times_faster({"p50_ms": fast}, {"p50_ms": slow}, "p50_ms") or 0) >= 1
    assert (times_faster({"quotes_s": slow}, {"quotes_s": fast}, "quotes_s") or 0) >= 1


@pytest.mark.parametrize("before", [{}, {"p50_ms": float("nan")}, {"p50_ms": 0.0}], ids=["none", "nan", "zero"])
def test_nothing_is_compared_with_what_was_not_measured(before: dict[str, float]) -> None:
    assert times_faster({"p50_ms": 1.0}, before, "p50_ms") is None


def test_shares_of_stages_and_the_rest_add_up() -> None:
    found = shares([{"observe": 2.0, "score": 1.0}, {"observe": 2.0, "score": 1.0}], [4.0, 4.0])
    assert found["observe"] == {"p50_ms": 2.0, "share": 0.5}
    assert found["rest"] == {"p50_ms": 1.0, "share": 0.25}


def test_cost_that_does_not_grow_is_flat() -> None:
    assert flatness([10.0, 9.0, 8.0]) == 1.0
    assert flatness([10.0, 15.0, 12.0]) == 1.5
    assert math.isnan(flatness([]))
