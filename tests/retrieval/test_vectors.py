"""Vector index compared with a dictionary of its expected contents."""

from collections.abc import Sequence
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval import RetrievalError, SnapshotError, VectorIndex
from retrieval import vectors as module
from retrieval.hnsw import HnswGraph, Vectors
from tests.retrieval.builders import DIM, units

POOL = units(40, seed=3)
QUERIES = units(3, seed=4)


def index_of(n: int, columns: bool = False) -> VectorIndex:
    index = VectorIndex(DIM, ("number",) if columns else ())
    index.add([f"id{i}" for i in range(n)], POOL[:n], {"number": np.arange(n)} if columns else None)
    return index


def ids(found: Sequence[Sequence[object]]) -> list[list[str]]:
    return [[match.id for match in row] for row in found]  # type: ignore[attr-defined]


def test_an_added_vector_is_found_at_once_and_first() -> None:
    index = index_of(10)
    match = index.search(POOL[4:5], 3)[0][0]
    assert match.id == "id4"
    assert match.similarity == pytest.approx(1.0)


def test_a_replaced_vector_is_found_where_it_is_now() -> None:
    index = index_of(10)
    index.add(["id4"], POOL[20:21])
    assert len(index) == 10
    assert index.search(POOL[20:21], 1)[0][0].id == "id4"
    assert index.search(POOL[4:5], 10)[0][0].id != "id4"
    assert np.array_equal(np.stack(index.vectors(["id4"])), POOL[20:21])  # type: ignore[arg-type]


def test_of_a_repeated_id_the_last_vector_counts() -> None:
    index = VectorIndex(DIM)
    index.add(["a", "b", "a"], POOL[:3])
    assert len(index) == 2
    assert np.array_equal(np.stack(index.vectors(["a"])), POOL[2:3])  # type: ignore[arg-type]


def test_a_removed_id_is_not_found_and_unknown_ids_are_passed_over() -> None:
    index = index_of(10)
    assert index.remove(["id4", "id4", "nobody"]) == 1
    assert "id4" not in index
    assert "id4" not in ids(index.search(POOL[4:5], 10))[0]
    assert index.vectors(["id4"]) == [None]


@pytest.mark.parametrize("where", [{"id1", "id7", "nobody"}, lambda columns: np.isin(columns["number"], (1, 7))])
def test_a_search_returns_allowed_ids_only(where: module.Where) -> None:
    assert {frozenset(row) for row in ids(index_of(10, columns=True).search(QUERIES, 5, where))} == {
        frozenset(("id1", "id7"))
    }


def test_a_condition_never_brings_back_a_removed_id() -> None:
    index = index_of(10, columns=True)
    index.remove(["id7"])
    assert ids(index.search(QUERIES[:1], 5, lambda columns: columns["number"] == 7)) == [[]]


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "compact"]), st.integers(0, 12), st.integers(0, 39))))
@settings(max_examples=60)
def test_any_sequence_of_writes_has_the_contents_of_a_dictionary(steps: list[tuple[str, int, int]]) -> None:
    index, expected = VectorIndex(DIM, ("number",)), dict[str, int]()
    for act, name, vector in steps:
        if act == "add":
            index.add([f"id{name}"], POOL[vector : vector + 1], {"number": np.asarray([vector])})
            expected[f"id{name}"] = vector
        elif act == "remove":
            index.remove([f"id{name}"])
            expected.pop(f"id{name}", None)
        else:
            index.compact()
    found = index.search(QUERIES[:1], 40)[0]
    assert {match.id for match in found} == expected.keys()
    for match in found:
        assert match.similarity == pytest.approx(float(POOL[expected[match.id]] @ QUERIES[0]), abs=1e-5)
    small = index.search(QUERIES[:1], 40, lambda columns: columns["number"] < 20)[0]
    assert {match.id for match in small} == {id for id, vector in expected.items() if vector < 20}


def test_deleted_rows_are_compacted_when_they_exceed_a_quarter() -> None:
    index = VectorIndex(DIM)
    vectors = units(400, seed=5)
    names = [f"id{i}" for i in range(400)]
    index.add(names, vectors)
    index.remove(names[:100])
    assert index.deleted == 100
    index.remove(names[100:101])
    assert index.deleted == 0
    assert index.search(vectors[200:201], 1)[0][0].id == "id200"


def test_writes_during_a_rebuild_are_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    index = index_of(20)
    index.remove(["id0"])

    class BusyGraph(HnswGraph):
        """Graph that simulates concurrent writes during a rebuild."""

        def add(self, vectors: Vectors) -> None:
            super().add(vectors)
            if len(self) == 19:
                monkeypatch.undo()
                index.add(["late"], POOL[30:31])
                index.add(["id3"], POOL[31:32])
                index.remove(["id5"], wipe=True)

    monkeypatch.setattr(module, "HnswGraph", BusyGraph)
    index.compact()
    assert index.search(POOL[30:31], 1)[0][0].id == "late"
    assert index.search(POOL[31:32], 1)[0][0].id == "id3"
    assert "id5" not in index
    assert len(index) == 19
    assert len(index.search(QUERIES[:1], 40)[0]) == 19


def test_readers_see_consistent_states_while_a_writer_replaces_and_rebuilds() -> None:
    index = VectorIndex(DIM)
    vectors = units(200, seed=6)
    names = [f"id{i}" for i in range(200)]
    index.add(names, vectors)
    wrong: list[int] = []
    going = True

    def read() -> None:
        while going:
            found = {match.id for match in index.search(QUERIES[:1], 300)[0]}
            if found != set(names):
                wrong.append(len(found))

    readers = [Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for turn in range(30):
        index.add(names[turn : turn + 50], vectors[turn : turn + 50])
    going = False
    for reader in readers:
        reader.join()
    assert wrong == []


def test_a_wiped_vector_is_gone_from_memory_and_file(tmp_path: Path) -> None:
    index = index_of(10)
    index.remove(["id4"], wipe=True)
    written = index.write(tmp_path / "graph")
    assert written[4] is None
    assert POOL[4].tobytes() not in (tmp_path / "graph").read_bytes()
    assert POOL[5].tobytes() in (tmp_path / "graph").read_bytes()


def test_a_restored_index_has_equal_results_and_deleted_rows_stay_deleted(tmp_path: Path) -> None:
    index = index_of(10, columns=True)
    index.remove(["id4"])
    again = VectorIndex(DIM, ("number",))
    again.restore(tmp_path / "graph", index.write(tmp_path / "graph"), {"number": np.arange(10)})
    assert again.search(QUERIES, 10) == index.search(QUERIES, 10)
    assert ids(again.search(QUERIES[:1], 10, lambda columns: columns["number"] == 4)) == [[]]


def test_a_graph_with_another_number_of_rows_is_refused(tmp_path: Path) -> None:
    written = index_of(10).write(tmp_path / "graph")
    with pytest.raises(SnapshotError, match="10 vectors of 8 dimensions; expected: 9"):
        VectorIndex(DIM).restore(tmp_path / "graph", written[:9], {})


def test_refused_vectors_change_nothing() -> None:
    index = index_of(5)
    with pytest.raises(RetrievalError):
        index.add(["id0", "new"], np.stack([POOL[0], POOL[1] * 3]))
    assert len(index) == 5
    assert index.search(POOL[:1], 1)[0][0].id == "id0"


@pytest.mark.parametrize("k", [0, -1])
def test_a_search_for_no_results_returns_none(k: int) -> None:
    assert index_of(5).search(QUERIES, k) == [[], [], []]


def test_an_empty_id_is_an_id_like_any_other() -> None:
    index = VectorIndex(DIM)
    index.add([""], POOL[:1])
    assert index.search(POOL[:1], 1)[0][0].id == ""
