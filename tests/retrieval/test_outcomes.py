"""Outcome memory: point-in-time queries, capacity, erasure, replay."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval import MemoryRow, OutcomeMemory, RetrievalError
from tests.retrieval.builders import DIM, row, units

N = 40
KEYS = units(N)
ROWS = [row(number) for number in range(N)]
LATER = 10**15


def memory(n: int = N, capacity: int = 300_000) -> OutcomeMemory:
    filled = OutcomeMemory(DIM, "evaluator-1", capacity)
    filled.add(ROWS[:n], KEYS[:n], watermark=n)
    return filled


MEMORY = memory()


def rows(source: OutcomeMemory, keys: np.ndarray, k: int, before_us: list[int]) -> list[list[MemoryRow]]:
    return source.neighbours(keys, k, before_us)[1]


def found(source: OutcomeMemory, before_us: int = LATER) -> set[str]:
    return {outcome.outcome_id for outcome in rows(source, KEYS[:1], 100, [before_us])[0]}


def test_the_nearest_outcome_comes_first_with_all_its_fields() -> None:
    arrays, (best,) = MEMORY.neighbours(KEYS[7:8], 3, [LATER])
    assert best[0] == ROWS[7]
    assert arrays.similarity[0, 0] == pytest.approx(1.0)


def test_arrays_and_rows_are_the_same_outcomes() -> None:
    moments = [LATER, 9_000_000, 0]
    arrays, answers = MEMORY.neighbours(KEYS[:3], 12, moments)
    assert arrays.count.tolist() == [len(answer) for answer in answers] == [12, 9, 0]
    for query, answer in enumerate(answers):
        assert arrays.price_ratio[query, : len(answer)].tolist() == [one.price_ratio for one in answer]
        assert arrays.bought[query, : len(answer)].tolist() == [one.bought for one in answer]
        assert arrays.weight[query, : len(answer)].tolist() == [one.weight for one in answer]
        assert not arrays.weight[query, len(answer) :].any() and not arrays.similarity[query, len(answer) :].any()
    alike = MEMORY.alike(KEYS[:3], 12, moments)
    assert all((getattr(alike, name) == getattr(arrays, name)).all() for name in alike.__slots__)


def test_an_outcome_that_goes_while_it_is_searched_is_in_neither() -> None:
    arrays, _ = MEMORY.neighbours(KEYS[:1], 5, [LATER])
    kept = arrays.keeping(0, [0, 2, 4])
    assert kept.similarity[0].tolist() == [*arrays.similarity[0, [0, 2, 4]].tolist(), 0.0, 0.0]
    assert kept.weight[0, 3:].tolist() == [0.0, 0.0] and kept.count.tolist() == [3]
    assert arrays.count.tolist() == [5]


@given(st.lists(st.integers(-1, N + 1), min_size=1, max_size=6), st.integers(0, 1))
def test_a_query_finds_only_outcomes_before_its_time(seconds: list[int], shift_us: int) -> None:
    moments = [second * 1_000_000 + shift_us for second in seconds]
    answers = rows(MEMORY, KEYS[: len(moments)], 100, moments)
    for moment, answer in zip(moments, answers, strict=True):
        expected = {outcome.outcome_id for outcome in ROWS if outcome.at_us < moment}
        assert {one.outcome_id for one in answer} == expected


def test_queries_of_different_moments_keep_their_order() -> None:
    answers = rows(MEMORY, KEYS[[5, 9, 5]], 1, [LATER, LATER, 3_000_000])
    assert [answer[0].outcome_id for answer in answers[:2]] == ["o5", "o9"]
    assert answers[2][0].at_us < 3_000_000


def test_a_new_outcome_is_found_at_once() -> None:
    fresh = memory(n=10)
    fresh.add([row(99)], KEYS[20:21], watermark=11)
    assert rows(fresh, KEYS[20:21], 1, [LATER])[0][0] == row(99)
    assert fresh.watermark == 11


def test_replaying_outcomes_changes_nothing() -> None:
    replayed = memory(n=10)
    replayed.add(ROWS[5:10], KEYS[5:10], watermark=10)
    assert len(replayed) == 10
    assert rows(replayed, KEYS[:3], 5, [LATER] * 3) == rows(memory(n=10), KEYS[:3], 5, [LATER] * 3)


def test_the_watermark_never_decreases() -> None:
    fresh = memory(n=10)
    fresh.add(ROWS[:1], KEYS[:1], watermark=3)
    assert fresh.watermark == 10


def test_over_capacity_the_oldest_outcomes_are_evicted() -> None:
    full = OutcomeMemory(DIM, "evaluator-1", capacity=20)
    order = np.random.default_rng(0).permutation(N)
    for number in order.tolist():
        full.add([ROWS[number]], KEYS[number : number + 1], watermark=number)
    assert found(full) == {f"o{number}" for number in range(N - 20, N)}


def test_an_erased_shopper_leaves_no_outcome_and_no_key(tmp_path: Path) -> None:
    erased = memory()
    assert erased.erase_shopper("s2") == 8
    assert erased.erase_shopper("s2") == 0
    assert found(erased) == {outcome.outcome_id for outcome in ROWS if outcome.shopper_id != "s2"}
    erased.save(tmp_path)
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert KEYS[2].tobytes() not in files
    assert b"s2" not in next(tmp_path.rglob("outcomes.arrow")).read_bytes()
    assert KEYS[3].tobytes() in files


def test_a_loaded_memory_has_equal_results_and_accepts_outcomes(tmp_path: Path) -> None:
    saved = memory()
    saved.erase_shopper("s1")
    manifest = saved.save(tmp_path)
    again = OutcomeMemory.load(tmp_path, "evaluator-1")
    assert (manifest.watermark, again.watermark) == (N, N)
    assert rows(again, KEYS, 5, [LATER] * N) == rows(saved, KEYS, 5, [LATER] * N)
    assert found(again, 10_000_000) == found(saved, 10_000_000)
    again.add([row(99)], KEYS[2:3], watermark=N + 1)
    assert "o99" in found(again)


def test_an_empty_index_finds_nothing_after_save_and_load(tmp_path: Path) -> None:
    OutcomeMemory(DIM, "evaluator-1").save(tmp_path)
    assert rows(OutcomeMemory.load(tmp_path, "evaluator-1"), KEYS[:2], 5, [LATER, 0]) == [[], []]


def test_keys_of_the_wrong_shape_change_nothing() -> None:
    fresh = memory(n=10)
    with pytest.raises(RetrievalError, match="shape"):
        fresh.add(ROWS[10:12], KEYS[10:11], watermark=12)
    assert (len(fresh), fresh.watermark) == (10, 10)


def test_moments_that_do_not_match_the_keys_are_refused() -> None:
    with pytest.raises(RetrievalError, match="before_us has 1 times"):
        MEMORY.neighbours(KEYS[:2], 5, [LATER])
