"""Product index: filters, exclusion, replacement, snapshots."""

from pathlib import Path

import pytest

from retrieval import ProductFilter, ProductIndex, RetrievalError, SnapshotError
from retrieval.snapshot import CURRENT
from tests.retrieval.builders import DIM, entry, units

VECTORS = units(6)
ENTRIES = [
    entry("milk"),
    entry("cream", brand="best", price_minor=399),
    entry("bread", category="bakery", price_minor=199),
    entry("roll", category="bakery", brand="best", price_minor=None),
    entry("euro", currency="EUR"),
    entry("dear", price_minor=99_00),
]


@pytest.fixture
def index() -> ProductIndex:
    """Index of six products."""
    filled = ProductIndex(DIM, "encoder-1")
    filled.upsert(ENTRIES, VECTORS)
    return filled


def found(index: ProductIndex, condition: ProductFilter | None = None) -> set[str]:
    return {neighbour.entry.id for neighbour in index.similar(VECTORS[:1], 10, condition)[0]}


@pytest.mark.parametrize(
    ("condition", "ids"),
    [
        (ProductFilter(), {"milk", "cream", "bread", "roll", "euro", "dear"}),
        (ProductFilter(category="bakery"), {"bread", "roll"}),
        (ProductFilter(brand="best"), {"cream", "roll"}),
        (ProductFilter(currency="EUR"), {"euro"}),
        (ProductFilter(max_price_minor=279), {"milk", "bread", "euro"}),
        (ProductFilter(min_price_minor=279, max_price_minor=399), {"milk", "cream", "euro"}),
        (ProductFilter(category="bakery", brand="best", min_price_minor=0), set()),
        (ProductFilter(category="Bakery"), set()),
    ],
    ids=["none", "category", "brand", "currency", "ceiling", "range", "no price", "case"],
)
def test_only_products_that_meet_every_condition_are_found(
    index: ProductIndex, condition: ProductFilter, ids: set[str]
) -> None:
    assert found(index, condition) == ids


def test_neighbours_have_the_stored_entry_best_first(index: ProductIndex) -> None:
    neighbours = index.similar(VECTORS[1:2], 6)[0]
    assert neighbours[0].entry == ENTRIES[1]
    assert neighbours[0].similarity == pytest.approx(1.0)
    assert [n.similarity for n in neighbours] == sorted((n.similarity for n in neighbours), reverse=True)


def test_each_query_leaves_out_its_own_product_and_still_gets_k(index: ProductIndex) -> None:
    rows = index.similar(VECTORS[:2], 3, exclude=["milk", None])
    assert [len(row) for row in rows] == [3, 3]
    assert "milk" not in {neighbour.entry.id for neighbour in rows[0]}
    assert rows[1][0].entry.id == "cream"


def test_exclusions_that_do_not_match_the_queries_are_refused(index: ProductIndex) -> None:
    with pytest.raises(RetrievalError, match="exclude names 1 products"):
        index.similar(VECTORS[:2], 3, exclude=["milk"])


def test_an_upsert_replaces_vector_entry_and_filters_at_once(index: ProductIndex) -> None:
    index.upsert([entry("milk", title="new", category="dairy")], VECTORS[5:6])
    assert len(index) == 6
    assert found(index, ProductFilter(category="dairy")) == {"milk"}
    best = {n.entry.title for n in index.similar(VECTORS[5:6], 2)[0]}
    assert best == {"new", "title of dear"}


def test_a_removed_product_is_not_found(index: ProductIndex) -> None:
    index.remove(["milk", "nobody"])
    assert "milk" not in found(index)
    assert index.vector("milk") is None
    assert len(index) == 5


def test_every_write_changes_the_version(index: ProductIndex) -> None:
    before = index.version
    index.upsert(ENTRIES[:1], VECTORS[:1])
    assert index.version != before
    assert index.version.startswith("encoder-1/")


def test_only_currency_is_known_if_there_is_only_one(index: ProductIndex) -> None:
    dollars = ProductIndex(DIM, "encoder-1")
    assert dollars.only_currency is None
    dollars.upsert(ENTRIES[:2], VECTORS[:2])
    assert dollars.only_currency == "USD"
    assert index.only_currency is None


def test_a_loaded_index_has_equal_results(index: ProductIndex, tmp_path: Path) -> None:
    index.remove(["dear"])
    manifest = index.save(tmp_path / "products")
    again = ProductIndex.load(tmp_path / "products", "encoder-1")
    assert manifest.count == len(again) == 5
    assert again.similar(VECTORS, 6) == index.similar(VECTORS, 6)
    assert found(again, ProductFilter(category="bakery")) == {"bread", "roll"}
    again.upsert([ENTRIES[5]], VECTORS[5:6])
    assert again.similar(VECTORS[5:6], 1)[0][0].entry == ENTRIES[5]


def test_a_snapshot_of_another_encoder_is_refused(index: ProductIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    with pytest.raises(SnapshotError, match="encoder-2"):
        ProductIndex.load(tmp_path, "encoder-2")


def test_a_truncated_graph_is_refused_before_it_is_parsed(index: ProductIndex, tmp_path: Path) -> None:
    index.save(tmp_path)
    graph = tmp_path / (tmp_path / CURRENT).read_text().strip() / "products.faiss"
    graph.write_bytes(graph.read_bytes()[:-100])
    with pytest.raises(SnapshotError, match=r"products\.faiss"):
        ProductIndex.load(tmp_path, "encoder-1")
