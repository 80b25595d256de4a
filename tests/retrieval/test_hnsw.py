"""HNSW search compared with exact search, with and without filters."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retrieval import RetrievalError, hnsw
from retrieval.hnsw import EXACT_ROWS, EXACT_SHARE_ROWS, HnswGraph, checked_units, read_graph
from tests.retrieval.builders import DIM, units

N = EXACT_ROWS + 4_000
K = 10
VECTORS = units(N)
QUERIES = units(20, seed=1)


@pytest.fixture(scope="module", params=[False, True], ids=["float32", "float16"])
def graph(request: pytest.FixtureRequest) -> Iterator[HnswGraph]:
    """Graph with enough rows that an unfiltered search uses HNSW."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param:
            patch.setattr(hnsw, "HALF_ROWS", N // 2)
        built = HnswGraph(DIM)
        for some in np.array_split(VECTORS, 4):
            built.add(some)
        assert built.is_half == request.param
        yield built


def tolerance(graph: HnswGraph) -> float:
    return 2e-3 if graph.is_half else 1e-6


def exact(allowed: np.ndarray) -> np.ndarray:
    scores = np.where(allowed[None], QUERIES @ VECTORS.T, -np.inf)
    return np.asarray(np.argsort(-scores, axis=1)[:, :K])


@pytest.mark.parametrize("share", [1.0, 0.7, 0.3, 0.01], ids=["all", "most", "some", "few"])
def test_the_nearest_allowed_rows_are_found(graph: HnswGraph, share: float) -> None:
    allowed = np.random.default_rng(2).random(N) < share
    hits = graph.search(QUERIES, K, None if share == 1.0 else allowed)
    expected = exact(np.ones(N, bool) if share == 1.0 else allowed)
    found = [len(set(a) & set(b)) / K for a, b in zip(hits.rows.tolist(), expected.tolist(), strict=True)]
    assert np.mean(found) >= 0.95
    assert share == 1.0 or allowed[hits.rows].all()


def test_few_allowed_rows_are_found_exactly_in_order(graph: HnswGraph) -> None:
    allowed = np.zeros(N, bool)
    allowed[::50] = True
    hits = graph.search(QUERIES, K, allowed)
    similarity = QUERIES @ VECTORS.T
    found = np.take_along_axis(similarity, hits.rows, 1)
    assert np.allclose(hits.similarity, found, atol=tolerance(graph))
    assert np.allclose(found, np.take_along_axis(similarity, exact(allowed), 1), atol=tolerance(graph))
    assert (np.diff(hits.similarity) <= 0).all()


def test_fewer_rows_than_asked_for_leave_the_rest_empty(graph: HnswGraph) -> None:
    allowed = np.zeros(N, bool)
    allowed[[3, 5]] = True
    hits = graph.search(QUERIES[:1], K, allowed)
    assert sorted(hits.rows[0, :2].tolist()) == [3, 5]
    assert (hits.rows[0, 2:] == -1).all()


def test_an_empty_graph_finds_nothing() -> None:
    assert (HnswGraph(DIM).search(QUERIES, K).rows == -1).all()


def test_the_exact_limits_overlap_so_that_no_filter_falls_between() -> None:
    assert EXACT_SHARE_ROWS > EXACT_ROWS


@pytest.mark.parametrize("half_rows", [100, 3])
def test_wiped_vectors_are_zero(half_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hnsw, "HALF_ROWS", half_rows)
    graph = HnswGraph(DIM)
    graph.add(VECTORS[:5])
    graph.wipe(np.asarray([2]))
    assert not graph.vectors(np.asarray([2])).any()
    assert np.allclose(graph.vectors(np.asarray([1])), VECTORS[1:2], atol=tolerance(graph))


def test_a_saved_graph_loads_with_equal_results(graph: HnswGraph, tmp_path: Path) -> None:
    graph.write(tmp_path / "graph")
    again = read_graph(tmp_path / "graph")
    assert again.is_half == graph.is_half
    assert np.array_equal(again.search(QUERIES, K).rows, graph.search(QUERIES, K).rows)
    assert np.array_equal(again.vectors(np.arange(N)), graph.vectors(np.arange(N)))
    again.add(VECTORS[:1])
    again.wipe(np.asarray([0]))
    assert not again.vectors(np.asarray([0])).any()
    assert again.vectors(np.asarray([N])).any()
    assert np.array_equal(read_graph(tmp_path / "graph").vectors(np.arange(N)), graph.vectors(np.arange(N)))


def test_rows_that_are_kept_as_float32_stay_equal_until_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hnsw, "HALF_ROWS", 6)
    graph = HnswGraph(DIM)
    graph.add(VECTORS[:6])
    assert np.array_equal(graph.vectors(np.arange(6)), VECTORS[:6])
    graph.add(VECTORS[6:7])
    assert np.allclose(graph.vectors(np.arange(7)), VECTORS[:7], atol=tolerance(graph))
    assert graph.vectors(np.arange(7)).dtype == np.float32


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (units(3, dim=DIM + 1), r"shape \(3, 9\); allowed: \(3, 8\)"),
        (units(2), r"shape \(2, 8\); allowed: \(3, 8\)"),
        (units(3) * 2, "length 2.0000; allowed: 1"),
        (np.full((3, DIM), np.nan, np.float32), "NaN"),
        (np.zeros((3, DIM), np.float32), "length 0.0000"),
    ],
    ids=["dimension", "count", "length", "nan", "zero"],
)
def test_vectors_that_do_not_fit_are_refused(vectors: np.ndarray, message: str) -> None:
    with pytest.raises(RetrievalError, match=message):
        checked_units(vectors, DIM, 3)
