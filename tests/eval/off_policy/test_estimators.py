"""Off-policy estimators on simulated logs with known truth."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.off_policy import Estimator, OffPolicyEvaluator, Target, bootstrap, diagnose
from eval.off_policy.calibration import SimulatedLog, simulate_log
from eval.off_policy.demand import CrossFit, folds
from eval.off_policy.weights import BANDWIDTHS, exact_weights, kernel_weights
from eval.simulators import Courses


@pytest.fixture(scope="module")
def drawn() -> SimulatedLog:
    return simulate_log(Courses(1), 8_000, seed=1)


def test_exact_weights_average_one_over_a_log(drawn: SimulatedLog) -> None:
    on_support, _ = drawn.targets()
    weights = exact_weights(drawn.sample, on_support)
    assert weights.value.mean() == pytest.approx(1.0, abs=0.05)
    assert weights.supported.mean() == 1.0


@pytest.mark.parametrize("bandwidth", BANDWIDTHS)
def test_kernel_weights_average_one_where_a_nearby_price_is_possible(drawn: SimulatedLog, bandwidth: float) -> None:
    _, between = drawn.targets()
    weights = kernel_weights(drawn.sample, between, bandwidth)
    there = weights.supported > 0
    assert weights.value[there, 0].mean() == pytest.approx(1.0, abs=0.1)
    assert (weights.value[~there] == 0).all()


@pytest.mark.parametrize("estimator", [e for e in Estimator if e is not Estimator.IPS])
def test_estimators_are_near_the_truth_on_support(drawn: SimulatedLog, estimator: Estimator) -> None:
    target, _ = drawn.targets()
    found = OffPolicyEvaluator.of(drawn.sample).terms(target, estimator).value
    assert found == pytest.approx(drawn.truth(target), rel=0.06)


def test_kernel_dr_covers_the_truth_between_prices_of_the_log(drawn: SimulatedLog) -> None:
    _, between = drawn.targets()
    evaluator = OffPolicyEvaluator.of(drawn.sample)
    estimate = bootstrap(evaluator.terms(between, Estimator.KERNEL_DR), drawn.sample.cluster)
    truth = drawn.truth(between)
    assert estimate.low < truth < estimate.high
    assert estimate.high - estimate.low < 0.1 * truth
    assert (
        np.isnan(evaluator.terms(between, Estimator.SNIPS).value)
        or exact_weights(drawn.sample, between).supported.mean() < 1.0
    )


def test_doubly_robust_is_unbiased_with_a_wrong_reward_model(drawn: SimulatedLog) -> None:
    target, _ = drawn.targets()
    blind = replace(drawn.sample, context=np.zeros((len(drawn.sample), 1)))
    evaluator, truth = OffPolicyEvaluator.of(blind), drawn.truth(target)
    assert abs(evaluator.terms(target, Estimator.DM).value - truth) > 0.05 * truth, (
        "the reward model must be biased here"
    )
    assert evaluator.terms(target, Estimator.DR).value == pytest.approx(truth, rel=0.06)


def test_wrong_propensities_show_in_the_mean_weight(drawn: SimulatedLog) -> None:
    target, _ = drawn.targets()
    wrong = replace(drawn.sample, propensity=drawn.sample.propensity * 2)
    facts = diagnose(wrong, target, exact_weights(wrong, target))
    assert facts.mean_weight == pytest.approx(0.5, abs=0.05)


def test_the_difference_of_two_policies_has_a_narrower_interval_than_their_values(drawn: SimulatedLog) -> None:
    one, other = drawn.targets()
    evaluator = OffPolicyEvaluator.of(drawn.sample)
    first, second = evaluator.terms(one, Estimator.KERNEL_DR), evaluator.terms(other, Estimator.KERNEL_DR)
    gap = bootstrap(first, drawn.sample.cluster, less=second)
    value = bootstrap(first, drawn.sample.cluster)
    assert gap.high - gap.low < 0.7 * (value.high - value.low)
    assert gap.value == pytest.approx(first.value - second.value)


def test_a_log_without_the_price_has_no_support_and_no_estimate(drawn: SimulatedLog) -> None:
    far = Target.of("far", np.full(len(drawn.sample), 9.0))
    facts = diagnose(drawn.sample, far, kernel_weights(drawn.sample, far, BANDWIDTHS[-1]))
    assert facts.supported == 0
    assert facts.effective == 0
    assert math.isnan(OffPolicyEvaluator.of(drawn.sample).terms(far, Estimator.SNIPS).value)


@given(st.lists(st.integers(0, 20), min_size=1, max_size=200), st.integers(2, 5))
def test_folds_keep_a_shopper_together(shoppers: list[int], count: int) -> None:
    cluster = np.asarray(shoppers, np.int64)
    found = folds(cluster, count, seed=3)
    assert all(len(set(found[cluster == one].tolist())) == 1 for one in set(shoppers))


def test_the_reward_model_never_predicts_a_row_that_it_was_fitted_on(drawn: SimulatedLog) -> None:
    rows = np.arange(600)
    sample = drawn.sample.rows(rows)
    model = CrossFit(sample)
    before = model.demand(sample.shown[:, None])
    row = 7
    bought = sample.bought.copy()
    bought[row] = 1 - bought[row]
    flipped = replace(sample, bought=bought)
    after = CrossFit(flipped).demand(sample.shown[:, None])
    assert after[row] == pytest.approx(before[row], abs=1e-9)
    assert not np.allclose(after, before)


def test_intervals_widen_for_correlated_decisions() -> None:
    rng = np.random.default_rng(5)
    taste = np.repeat(rng.normal(size=100), 20)
    sample = simulate_log(Courses(1), 2_000, seed=2).sample
    evaluator = OffPolicyEvaluator.of(sample)
    terms = evaluator.terms(Target.of("one", np.ones(2_000)), Estimator.DM)
    together = type(terms)(terms.numerator + taste, terms.denominator)
    own = bootstrap(together, np.arange(2_000))
    shoppers = bootstrap(together, np.repeat(np.arange(100), 20))
    assert shoppers.high - shoppers.low > 2 * (own.high - own.low)
