"""Columns are found by spelling; near misses are named, and never taken."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.domain.records import ProductRecord
from agent.service.ingest import ImportFormatError, ImportKind, Notes, ReadingOptions, RowKind
from agent.service.ingest.columns import COLUMNS, MONEY, columns_of, names_of, needed_by
from agent.service.ingest.headers import Headers
from agent.service.ingest.near_misses import near_miss
from tests.agent.service.ingest.builders import import_text

PRODUCTS, EVENTS, OUTCOMES = ImportKind.PRODUCTS, ImportKind.EVENTS, ImportKind.OUTCOMES


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """A column of products, and it as someone may write it."""
    name = draw(st.sampled_from(sorted(names_of(RowKind.PRODUCTS))))
    separators = st.sampled_from(("_", " ", "-", ".", "", "  ", " - "))
    words = [draw(st.sampled_from((word, word.upper(), word.title()))) for word in name.split("_")]
    text = words[0] + "".join(draw(separators) + word for word in words[1:])
    return name, text


@given(spellings())
def test_a_column_is_found_whatever_its_case_and_separators(spelling: tuple[str, str]) -> None:
    name, text = spelling
    assert Headers(RowKind.PRODUCTS, ReadingOptions(), Notes()).layout((text,)).names == (name,)


@given(st.text(max_size=20))
def test_any_other_name_of_products_is_an_attribute_stops_or_is_left_out(name: str) -> None:
    headers = Headers(RowKind.PRODUCTS, ReadingOptions(), Notes())
    try:
        headers.check("a.csv", ("product_id", "list_price", "cost", name))
    except ImportFormatError:
        return
    (*_, ours) = headers.layout(("product_id", "list_price", "cost", name)).names
    assert ours is None or ours.startswith("attributes.") or ours in names_of(RowKind.PRODUCTS)
    assert near_miss(name, RowKind.PRODUCTS) not in MONEY - {"list_price", "cost"} or ours in names_of(RowKind.PRODUCTS)


def test_columns_of_every_spelling_land_in_the_product(tmp_path: Path) -> None:
    head = "product_id,title,list_price,Cost,MIN_PRICE,map price,minimum_price,Currency,max-price,stock"
    read = import_text(tmp_path, PRODUCTS, f"{head}\nA,a,100,70,80,90,80,USD,120,5\n", currency="EUR")
    assert read.products == [
        ProductRecord(
            product_id="A",
            title="a",
            currency="USD",
            list_minor=10_000,
            cost_minor=7_000,
            floor_minor=8_000,
            ceiling_minor=12_000,
            map_minor=9_000,
            attributes={"minimum_price": 80.0, "stock": 5.0},
        )
    ]
    assert "min_price is another column" in read.report.notes.remarks["minimum_price"]
    assert "--column stock=inventory" in read.report.notes.remarks["stock"]


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("cost_price", "cost"),
        ("purchase_price", "cost"),
        ("Costs", "cost"),
        ("cost_eur", "cost"),
        ("minimum_price", "min_price"),
        ("floor", "min_price"),
        ("min_prcie", "min_price"),
        ("maximum price", "max_price"),
        ("MAP", "map_price"),
        ("currency_code", "currency"),
        ("einkaufspreis", "cost"),
    ],
)
def test_a_name_near_money_stops_the_import_of_products_with_the_remedy(theirs: str, ours: str, tmp_path: Path) -> None:
    content = f"product_id,list_price,{theirs}\nA,100,70\n"
    with pytest.raises(ImportFormatError, match=f"did you mean {ours}.*--column .*={ours}.*--attribute"):
        import_text(tmp_path, PRODUCTS, content, currency="EUR")
    kept = import_text(tmp_path, PRODUCTS, content, currency="EUR", attributes=frozenset({theirs}))
    assert kept.products[0].attributes == {theirs: 70.0}
    if ours != "currency":
        mapped = import_text(tmp_path, PRODUCTS, content, currency="EUR", mapping={theirs: ours})
        assert mapped.products[0].attributes == {}


@pytest.mark.parametrize("name", ["colour", "size", "weight_kg", "material", "sku", "ean", "season", "price_group_x"])
def test_an_ordinary_attribute_is_taken_without_a_word(name: str, tmp_path: Path) -> None:
    read = import_text(tmp_path, PRODUCTS, f"product_id,list_price,{name}\nA,100,70\n", currency="EUR")
    assert read.products[0].attributes == {name: 70.0}
    assert not read.report.notes.remarks


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [("qty", "quantity"), ("unit_price", "price"), ("referense_price", "reference_price"), ("rival_price", None)],
)
def test_names_that_outcomes_do_not_take_are_named(theirs: str, ours: str | None, tmp_path: Path) -> None:
    content = f"product_id,price,bought,at,{theirs}\nA,1,1,2026-01-31T12:00:00Z,2\n"
    read = import_text(tmp_path, OUTCOMES, content, {"A": ProductRecord("A", "a", "EUR", 100)})
    told = read.report.notes.ignored[theirs]
    assert (f"--column {theirs}={ours}" in told) if ours and ours != "price" else "--column" in told or not told
    assert read.outcomes[0].quantity == 1


@pytest.mark.parametrize(
    ("header", "options", "told"),
    [
        ("product_id,Product ID,list_price", {}, "'product_id' and 'Product ID' are both product_id"),
        ("product_id,sku,list_price", {"mapping": {"sku": "product_id"}}, "both product_id"),
        ("product_id,list_price", {"mapping": {"prise": "cost"}}, "'prise', which rows.csv does not have"),
        ("product_id,list_price,costs", {"mapping": {"cost": "cost"}}, "did you mean 'costs'"),
        ("product_id,list_price", {"mapping": {"list_price": "lst_price"}}, "did you mean list_price"),
        ("product_id,list_price", {"attributes": frozenset({"floor"})}, "--attribute names 'floor'"),
        ("product_id,list_price", {"constants": {"List Price": "5"}}, "the file has the column 'list_price'"),
        ("product_id,list_price", {"constants": {"tipe": "x"}}, "--const names 'tipe'"),
        ("sku,list_price", {}, "did you mean --column sku=product_id"),
        ("product_id;list_price;list_price", {}, "several columns named list_price"),
    ],
)
def test_columns_and_options_that_do_not_fit_are_told(
    header: str, options: dict[str, Any], told: str, tmp_path: Path
) -> None:
    delimiter = ";" if ";" in header else ","
    row = delimiter.join("1" for _ in header.split(delimiter))
    with pytest.raises(ImportFormatError) as caught:
        import_text(tmp_path, PRODUCTS, f"{header}\n{row}\n", currency="EUR", **options)
    assert told in str(caught.value)


def test_a_constant_stands_in_every_row(tmp_path: Path) -> None:
    content = "shopper_id,product_id,at,price\ns,A,2026-01-31T12:00:00Z,1\ns,B,2026-01-31T12:00:00Z,2\n"
    read = import_text(
        tmp_path, EVENTS, content, constants={"type": "purchase", "currency": "EUR", "profile.vip": "yes"}
    )
    assert [(event.type.value, event.currency) for event in read.events] == [("purchase", "EUR")] * 2


def test_rows_with_columns_of_their_own_are_held_to_the_same_rules(tmp_path: Path) -> None:
    rows = (
        '{"Product_ID": 10, "list_price": 5}\n{"product_id": 11, "list_price": 5, "Cost": 3}\n'
        '{"product_id": 12, "Product Id": 13, "list_price": 5}\n'
    )
    read = import_text(tmp_path, PRODUCTS, rows, name="rows.ndjson", currency="EUR")
    assert [(one.product_id, one.cost_minor) for one in read.products] == [("10", None), ("11", 300)]
    assert "are both product_id" in read.reasons[3]
    late = "".join(f'{{"product_id": {number}, "list_price": 5}}\n' for number in range(1_000))
    read = import_text(
        tmp_path,
        PRODUCTS,
        late + '{"product_id": "x", "list_price": 5, "floor": 4}\n',
        name="rows.ndjson",
        currency="EUR",
    )
    assert "did you mean min_price" in read.reasons[1_001]


def test_profile_and_context_may_be_objects(tmp_path: Path) -> None:
    row = (
        '{"product_id": "A", "price": 1, "bought": true, "at": "2026-01-31T12:00:00Z", '
        '"profile": {"age": 30}, "context": {"competitor_prices": [9.9, 8.5], "channel": "app", '
        '"promotion": {"mailer": true}}}\n'
    )
    read = import_text(tmp_path, OUTCOMES, row, {"A": ProductRecord("A", "a", "EUR", 100)}, name="rows.ndjson")
    assert read.outcomes[0].profile == {"age": 30.0}
    assert read.outcomes[0].context == {"competitor_prices": 850.0, "channel": "app", "promotion.mailer": True}


def test_the_table_gives_every_kind_its_needed_columns() -> None:
    assert [needed_by(kind) for kind in RowKind] == [
        ("product_id",),
        ("shopper_id", "type", "at"),
        ("product_id", "price", "bought", "at"),
        ("price",),
    ]
    for kind in RowKind:
        assert {one.name for one in columns_of(kind)} == {one.name for one in COLUMNS if kind in one.meaning}


@settings(max_examples=50)
@given(st.permutations(("product_id", "list_price", "Cost", "MIN PRICE", "colour")))
def test_the_order_of_columns_does_not_matter(order: list[str]) -> None:
    layout = Headers(RowKind.PRODUCTS, ReadingOptions(), Notes()).layout(order)
    cells = layout.cells(order)
    assert cells == {
        "product_id": "product_id",
        "list_price": "list_price",
        "cost": "Cost",
        "min_price": "MIN PRICE",
        "attributes.colour": "colour",
    }
