import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrieval.dynamic_array import DynamicArray

BATCHES = st.lists(st.lists(st.integers(-9, 9), max_size=40), max_size=20)


@given(BATCHES, st.lists(st.integers(-9, 9), max_size=5))
def test_values_are_those_appended_in_order(batches: list[list[int]], start: list[int]) -> None:
    array, expected = DynamicArray(np.asarray(start, np.int64)), list(start)
    for batch in batches:
        array.extend(np.asarray(batch, np.int64))
        expected += batch
        assert array.values.tolist() == expected
    assert array.values.dtype == np.int64


def test_an_earlier_view_does_not_change_with_later_appends() -> None:
    array = DynamicArray(np.arange(3))
    before = array.values
    array.extend(np.arange(100))
    array.values[0] = 7
    assert before.tolist() == [0, 1, 2]
    assert array.values[:4].tolist() == [7, 1, 2, 0]


def test_initial_values_are_copied_and_writes_persist() -> None:
    start = np.zeros(2, bool)
    array = DynamicArray(start)
    array.values[0] = True
    array.extend(np.ones(30, bool))
    assert not start.any()
    assert array.values[:3].tolist() == [True, False, True]
