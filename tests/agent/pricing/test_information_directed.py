"""Information-directed choice: the mix is a distribution on two candidates, and no other mix has a lower ratio."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.pricing.information_directed import mix


@st.composite
def worths(draw: st.DrawFn) -> np.ndarray:
    m = draw(st.integers(1, 7))
    rng = np.random.default_rng(draw(st.integers(0, 100_000)))
    spread = draw(st.sampled_from([0.0, 0.02, 0.5]))
    return np.asarray(rng.normal(1, 0.1, m)[:, None] + spread * rng.standard_normal((m, 32)))


def ratio(worth: np.ndarray, probabilities: np.ndarray) -> float:
    mean, best = worth.mean(axis=1), worth.argmax(axis=0)
    regret = np.maximum(0.0, worth.max(axis=0).mean() - mean)
    information = np.full(len(worth), 1e-12)
    for one in np.unique(best):
        given_best = worth[:, best == one]
        information += given_best.shape[1] / worth.shape[1] * (given_best.mean(axis=1) - mean) ** 2
    return float((probabilities @ regret) ** 2 / (probabilities @ information))


@given(worth=worths())
def test_the_mix_is_a_distribution_on_at_most_two_candidates(worth: np.ndarray) -> None:
    found = mix(worth)
    assert np.isclose(found.sum(), 1.0)
    assert (found >= 0).all()
    assert np.count_nonzero(found) <= 2


@given(worth=worths(), seed=st.integers(0, 1000))
def test_no_other_mix_has_a_lower_information_ratio(worth: np.ndarray, seed: int) -> None:
    least = ratio(worth, mix(worth))
    others = np.random.default_rng(seed).dirichlet(np.full(len(worth), 0.3), 50)
    assert all(least <= ratio(worth, other) * (1 + 1e-6) + 1e-9 for other in [*others, *np.eye(len(worth))])


def test_a_sure_best_candidate_is_shown_for_sure() -> None:
    worth = np.asarray([1.0, 1.2, 1.1])[:, None] + np.zeros((3, 16))
    assert mix(worth).tolist() == [0.0, 1.0, 0.0]
