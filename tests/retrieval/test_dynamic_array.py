import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.dynamic_array import Growing

BATCHES = st.lists(st.lists(st.integers(-9, 9), max_size=40), max_size=20)


@given(BATCHES, st.lists(st.integers(-9, 9), max_size=5))
def test_it_holds_what_was_appended_in_order(batches: list[list[int]], start: list[int]) -> None:
    growing, expected = Growing(np.asarray(start, np.int64)), list(start)
    for batch in batches:
        growing.extend(np.asarray(batch, np.int64))
        expected += batch
        assert growing.values.tolist() == expected
    assert growing.values.dtype == np.int64


def test_a_view_taken_before_sees_nothing_of_what_comes_after() -> None:
    growing = Growing(np.arange(3))
    before = growing.values
    growing.extend(np.arange(100))
    growing.values[0] = 7
    assert before.tolist() == [0, 1, 2]
    assert growing.values[:4].tolist() == [7, 1, 2, 0]


def test_what_it_starts_with_is_copied_and_what_is_written_stays() -> None:
    start = np.zeros(2, bool)
    growing = Growing(start)
    growing.values[0] = True
    growing.extend(np.ones(30, bool))
    assert not start.any()
    assert growing.values[:3].tolist() == [True, False, True]
