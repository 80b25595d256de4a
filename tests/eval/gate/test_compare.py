from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from eval.gate import GateError, Row, RunVersions, Summary, compare
from eval.gate.rows import Measure

VERSIONS = RunVersions(models={"evaluator": "v3"}, prompts=["strategist/v002"], revision="abc")


def summary(
    values: dict[str, float], measure: Measure = Measure.PASS, *, strict: bool = False, mode: str = "full"
) -> Summary:
    rows = [
        Row(case=case, group="one", value=value, measure=measure, strict=strict, shown=f"{case} answered {value}")
        for case, value in values.items()
    ]
    return Summary(command="prompts", mode=mode, made_at=datetime(2026, 1, 1, tzinfo=UTC), versions=VERSIONS, rows=rows)


def passes(n: int, failing: range = range(0)) -> dict[str, float]:
    return {f"c{i}": float(i not in failing) for i in range(n)}


def test_a_run_compared_with_itself_has_no_changes() -> None:
    one = summary(passes(30, range(5)))
    found = compare(one, one)
    assert found.regressions == []
    assert (found.groups[0].fell, found.groups[0].rose, found.groups[0].p_worse) == (0, 0, 1.0)


@pytest.mark.parametrize(("broken", "tolerance", "lost"), [(2, 0.02, False), (8, 0.02, True), (8, 0.5, False)])
def test_a_loss_beyond_tolerance_and_chance_is_a_regression(broken: int, tolerance: float, lost: bool) -> None:
    found = compare(summary(passes(100)), summary(passes(100, range(broken))), tolerance)
    assert bool(found.regressions) is lost


def test_cases_are_aligned_by_id_and_not_by_position() -> None:
    before = passes(40, range(10))
    found = compare(summary(before), summary(dict(reversed(before.items()))))
    assert found.groups[0].fell == found.groups[0].rose == 0


def test_fixed_cases_offset_broken_ones_and_both_are_shown() -> None:
    found = compare(summary(passes(100, range(0, 10))), summary(passes(100, range(10, 20))))
    one = found.groups[0]
    assert (one.fell, one.rose) == (10, 10)
    assert found.regressions == []
    assert one.worse[0].was.endswith("answered 1.0")
    assert one.worse[0].now.endswith("answered 0.0")
    assert {change.case for change in one.better} <= {f"c{i}" for i in range(10)}


def test_one_failing_strict_case_is_a_regression() -> None:
    found = compare(summary(passes(200), strict=True), summary(passes(200, range(1)), strict=True), tolerance=1.0)
    assert "must never fail" in found.regressions[0]


def test_a_strict_case_that_failed_before_may_fail_again() -> None:
    known = summary(passes(20, range(1)), strict=True)
    assert compare(known, known).regressions == []


def test_missing_cases_are_a_regression_unless_the_mode_differs() -> None:
    fewer = {case: 1.0 for case in list(passes(20))[:12]}
    assert "were not run" in compare(summary(passes(20)), summary(fewer)).regressions[0]
    assert compare(summary(passes(20)), summary(fewer, mode="quick")).regressions == []


def test_new_cases_are_listed_and_not_tested() -> None:
    found = compare(summary(passes(10)), summary(passes(12, range(10, 12))))
    assert found.new == ("one: c10", "one: c11")
    assert found.regressions == []


def test_the_exact_test_is_mcnemars() -> None:
    found = compare(summary(passes(50, range(0, 3))), summary(passes(50, range(3, 12))))
    assert found.groups[0].p_worse == pytest.approx(binomtest(9, 12, 0.5, alternative="greater").pvalue)


def test_scores_are_compared_in_pairs_so_that_a_small_consistent_loss_is_detected() -> None:
    rng = np.random.default_rng(0)
    before = {f"c{i}": float(value) for i, value in enumerate(rng.uniform(0, 1, 40))}
    after = {case: value - 0.03 + 0.005 * rng.standard_normal() for case, value in before.items()}
    noise = {case: value + 0.05 * rng.standard_normal() for case, value in before.items()}
    worse = compare(summary(before, Measure.SCORE), summary(after, Measure.SCORE))
    chance = compare(summary(before, Measure.SCORE), summary(noise, Measure.SCORE))
    assert worse.regressions
    assert worse.groups[0].high < 0
    assert chance.regressions == []


def test_small_losses_in_many_groups_are_detected_together() -> None:
    def spread(failing: int) -> Summary:
        rows = [Row(case=f"c{i}", group=f"group {g}", value=float(i >= failing)) for g in range(6) for i in range(10)]
        return summary({}).model_copy(update={"rows": rows})

    found = compare(spread(0), spread(1))
    assert [one.group for one in found.groups if one.regression] == ["all non-strict groups"]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.booleans(), min_size=1, max_size=40), st.data())
def test_a_run_that_only_improves_is_never_a_regression(before: list[bool], data: st.DataObject) -> None:
    after = [was or data.draw(st.booleans()) for was in before]
    old = {f"c{i}": float(value) for i, value in enumerate(before)}
    new = {f"c{i}": float(value) for i, value in enumerate(after)}
    assert compare(summary(old, strict=True), summary(new, strict=True), tolerance=0.0).regressions == []


def test_runs_without_common_cases_or_command_are_refused() -> None:
    with pytest.raises(GateError, match="none of the cases"):
        compare(summary({"a": 1.0}), summary({"b": 1.0}))
    with pytest.raises(GateError, match="eval policy"):
        compare(summary({"a": 1.0}).model_copy(update={"command": "policy"}), summary({"a": 1.0}))
