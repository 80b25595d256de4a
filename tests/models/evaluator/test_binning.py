import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.evaluator.binning import LIMIT, Binning


def numbers(n: int = 4000, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    skewed = np.where(rng.random(n) < 0.9, 0.0, rng.exponential(3.0, n))
    return np.stack([rng.standard_normal(n), skewed, np.full(n, 2.0)], axis=1).astype(np.float32)


def test_encoding_is_standardised_on_the_training_rows() -> None:
    rows = numbers()
    encoded = Binning.fit(rows, 6).encode(rows)
    assert encoded.shape == (len(rows), 3 * 8)
    assert np.abs(encoded.mean(0)).max() < 0.1
    assert np.abs(encoded).max() <= LIMIT


def test_ramps_of_a_rarely_moving_input_cover_its_non_zero_values() -> None:
    rows = numbers()
    binning = Binning.fit(rows, 6)
    moved = rows[rows[:, 1] > 0, 1]
    assert binning.low[1, 0] == moved.min()
    assert binning.steep[2].sum() == 0  # a constant has no bins


@settings(max_examples=50, deadline=None)
@given(st.floats(-50, 50, width=32), st.floats(-50, 50, width=32))
def test_every_column_of_an_input_but_its_zero_flag_rises_with_it(one: float, other: float) -> None:
    binning = Binning.fit(numbers(), 6)
    low, high = np.zeros((2, 3), np.float32)
    low[0], high[0] = min(one, other), max(one, other)
    step = binning.encode(high[None])[0] - binning.encode(low[None])[0]
    assert (step[:3] >= 0).all()
    assert (step[3 : 3 + 6] >= 0).all()
