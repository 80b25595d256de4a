"""Similar products are found as the index finds them, whether they were searched ahead, before, or just now."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.records import ProductRecord
from agent.state.similar_products import COUNT, SimilarProducts
from retrieval import ProductEntry, ProductIndex

DIM, N = 8, 30


def units(n: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, DIM)).astype(np.float32)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


class Shelf:
    """A catalogue with an index, as far as a search needs it."""

    def __init__(self, currencies: list[str]) -> None:
        self.index = ProductIndex(DIM, "encoder-1")
        self.currencies = currencies
        self.vectors = units(N, 1)
        self.put(range(N))

    def put(self, rows: range | list[int]) -> None:
        entries = [ProductEntry(f"p{row}", f"product {row}", "", "", self.currency(row), 100 + row) for row in rows]
        self.index.upsert(entries, self.vectors[list(rows)])

    def currency(self, row: int) -> str:
        return self.currencies[row % len(self.currencies)]

    def products(self) -> list[ProductRecord]:
        return [ProductRecord(f"p{row}", f"product {row}", self.currency(row), 100 + row) for row in range(N)]

    def known_states(self, ids: list[str]) -> np.ndarray:
        return self.vectors[[int(one[1:]) for one in ids]]


def expected(shelf: Shelf, row: int) -> list[str]:
    near = -(shelf.vectors @ shelf.vectors[row])
    others = [one for one in np.argsort(near, kind="stable").tolist() if one != row]
    return [f"p{one}" for one in others if shelf.currency(one) == shelf.currency(row)][:COUNT]


@given(
    st.lists(st.integers(0, N - 1), min_size=1, max_size=8), st.booleans(), st.sampled_from([["USD"], ["USD", "EUR"]])
)
def test_products_found_are_those_of_the_index(rows: list[int], ahead: bool, currencies: list[str]) -> None:
    shelf = Shelf(currencies)
    similar = SimilarProducts(shelf)  # type: ignore[arg-type]
    if ahead:
        assert similar.fill(N - 1) and similar.fill(N) and not similar.fill(N)
    asked = [(f"p{row}", shelf.currency(row)) for row in rows]
    for _ in range(2):
        found = similar.find(asked, shelf.vectors[rows])
        assert [[one.product_id for one in own] for own in found] == [expected(shelf, row) for row in rows]


def test_a_change_of_the_index_is_seen_by_the_next_search() -> None:
    shelf = Shelf(["USD"])
    similar = SimilarProducts(shelf)  # type: ignore[arg-type]
    before = similar.find([("p0", "USD")], shelf.vectors[:1])[0]
    shelf.vectors[5] = shelf.vectors[0]
    shelf.put([5])
    after = similar.find([("p0", "USD")], shelf.vectors[:1])[0]
    assert after[0].product_id == "p5" and after != before
    assert similar.fill(5)


def test_a_product_outside_the_index_is_searched_each_time() -> None:
    shelf = Shelf(["USD"])
    similar = SimilarProducts(shelf)  # type: ignore[arg-type]
    states = units(2, 9)
    first, second = (similar.find([("new", "USD"), (None, "USD")], some) for some in (states, states[::-1]))
    assert [one.product_id for one in first[0]] == [one.product_id for one in second[1]]
    assert first[0] != second[0] and len(first[1]) == COUNT
