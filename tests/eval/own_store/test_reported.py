from dataclasses import replace

from eval.own_store.reported import run_satisfaction, satisfaction_regressions


def test_reports_bring_satisfaction_nearer_to_the_truth_than_the_prior_and_a_loss_is_told() -> None:
    trials = run_satisfaction((5_000,), 3, 0, lambda _what, _share: None)
    assert {one.source for one in trials if one.kind == "nothing"} == {"prior"}
    assert satisfaction_regressions(trials) == []
    both = [one for one in trials if one.kind == "both"]
    assert all(one.error < one.prior_error / 2 for one in both)
    assert all(one.drop > 0 for one in trials)
    worse = [replace(one, error=one.prior_error + 0.1) for one in both]
    (line,) = satisfaction_regressions(worse)
    assert line.startswith("satisfaction learned from both is")
