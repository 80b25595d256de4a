import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.pricing.score import score_columns
from models.evaluator.evaluator import Response


@given(seed=st.integers(0, 10_000), n_draws=st.integers(2, 70))
def test_intervals_are_the_quantiles_of_the_draws(seed: int, n_draws: int) -> None:
    rng = np.random.default_rng(seed)
    draws = rng.random((2, 3, 4, n_draws))
    middle = np.median(draws, axis=3)
    found = score_columns(Response(middle[0], draws[0], middle[1], draws[1]), np.ones((3, 4)))
    low, high = np.quantile(draws, (0.05, 0.95), axis=3)
    for place, one in ((0, 0), (6, 1)):
        assert (found[:, :, place + 1] == np.minimum(low[one], middle[one])).all()
        assert (found[:, :, place + 2] == np.maximum(high[one], middle[one])).all()
