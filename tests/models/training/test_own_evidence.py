"""Prior sds by evidence: what many effects show is found, noise shrinks, and directions do not matter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.training.own_evidence import LEAST_SD, Evidence


def observed(true_sd: float, noise_sd: float, count: int, seed: int, prior: float) -> tuple[np.ndarray, np.ndarray]:
    """Posterior means and variances of effects, each seen once with noise, under a prior sd."""
    rng = np.random.default_rng(seed)
    seen = rng.normal(0, true_sd, count) + rng.normal(0, noise_sd, count)
    variance = 1 / (1 / noise_sd**2 + 1 / prior**2)
    return variance * seen / noise_sd**2, np.full(count, variance)


@pytest.mark.parametrize("prior", [0.05, 0.5, 3.0])
def test_the_sd_of_many_effects_is_found_wherever_the_iteration_began(prior: float) -> None:
    mean, variance = observed(1.3, 0.6, 400, 1, prior)
    evidence = Evidence()
    evidence.add_independent(mean, variance, prior)
    assert evidence.best_sd(1.0) == pytest.approx(1.3, rel=0.12)


def test_noise_shrinks_to_the_least_sd() -> None:
    mean, variance = observed(0.0, 0.6, 400, 2, 0.5)
    evidence = Evidence()
    evidence.add_independent(mean, variance, 0.5)
    assert evidence.best_sd(1.0) < 0.25
    sure = Evidence()
    sure.add_independent(np.zeros(5), np.full(5, 1e-4), 0.5)
    assert sure.best_sd(1.0) == pytest.approx(LEAST_SD)


def test_a_steep_few_are_not_lost_because_the_prior_was_small() -> None:
    """Twelve slopes with sd 1.5, each known to .7, under a prior of .25: an update by moments ended at the least sd."""
    mean, variance = observed(1.5, 0.7, 12, 3, 0.25)
    evidence = Evidence()
    evidence.add_independent(mean, variance, 0.25)
    assert evidence.best_sd(1.0) > 0.8


@given(st.integers(0, 10_000), st.integers(1, 6), st.floats(0.1, 2.0))
def test_joint_effects_count_as_independent_ones_in_any_direction(seed: int, count: int, prior: float) -> None:
    mean, variance = observed(0.8, 0.5, count, seed, prior)
    turned = np.linalg.qr(np.random.default_rng(seed).normal(size=(count, count)))[0]
    apart, joint = Evidence(), Evidence()
    apart.add_independent(mean, variance, prior)
    joint.add(turned @ mean, turned @ np.diag(variance) @ turned.T, prior)
    assert joint.best_sd(1.0) == pytest.approx(apart.best_sd(1.0), rel=0.1)
