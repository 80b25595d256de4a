import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.evaluator.monotone import N_DRAWS, MonotoneHead, price_basis, ramp_basis, sigmoid, softplus

_weights = arrays(np.float64, (3, 5), elements=st.floats(-8, 8))
_phi = arrays(np.float64, (2, 5), elements=st.floats(-8, 8))
_PRICES = np.linspace(-1.5, 1.0, 26)


@given(_weights, _phi)
def test_the_logit_falls_in_price_for_any_weights(weights: np.ndarray, phi: np.ndarray) -> None:
    head = MonotoneHead.from_posterior(weights, np.eye(weights.size))
    prices = np.repeat(_PRICES[None], 2, axis=0)
    assert (np.diff(head.logits(phi, prices), axis=1) < 0).all()
    assert (np.diff(head.drawn_logits(phi, prices), axis=1) < 0).all()


def test_draws_have_the_mean_and_covariance_of_the_posterior() -> None:
    rng = np.random.default_rng(1)
    root = rng.standard_normal((6, 6)) / 4
    covariance = root @ root.T
    head = MonotoneHead.from_posterior(np.zeros((2, 3)), covariance)
    flat = head.draws.reshape(N_DRAWS, -1)
    assert flat.mean(axis=0) == pytest.approx(np.zeros(6), abs=1e-12)
    assert np.trace(np.cov(flat.T)) == pytest.approx(np.trace(covariance), rel=0.5)


def test_no_covariance_means_no_spread() -> None:
    mean = np.arange(6.0).reshape(2, 3)
    head = MonotoneHead.from_posterior(mean, np.zeros((6, 6)))
    phi = np.asarray([[0.3, -0.2, 1.0]])
    drawn = head.drawn_logits(phi, np.zeros((1, 1)))
    assert drawn == pytest.approx(np.repeat(head.logits(phi, np.zeros((1, 1)))[..., None], N_DRAWS, axis=2))


@given(st.floats(-700, 700))
def test_sigmoid_and_softplus_stay_finite(value: float) -> None:
    point = np.asarray([value])
    assert 0 <= sigmoid(point)[0] <= 1
    assert softplus(point)[0] >= max(0.0, value) - 1e-9


def test_every_basis_function_is_zero_at_the_reference_price() -> None:
    assert price_basis(np.zeros((1, 1)), 2) == pytest.approx(np.zeros((1, 1, 2)))


@given(st.lists(st.tuples(st.floats(-0.5, 0.4), st.floats(0.01, 0.4)), min_size=1, max_size=6))
def test_ramps_decrease_and_are_zero_at_the_reference(places: list[tuple[float, float]]) -> None:
    basis = ramp_basis(np.linspace(-0.8, 0.8, 161), np.asarray(places))
    assert (np.diff(basis, axis=0) <= 1e-12).all()
    assert basis[80] == pytest.approx(np.zeros(len(places)), abs=1e-12)
