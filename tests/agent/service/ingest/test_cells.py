"""Ids of typed and untyped files, stock, truth values."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.fields import normal_id
from agent.domain.records import ProductRecord
from agent.service.ingest import CellError, ImportFormatError, ImportKind, Note, RawRow, Reading, ReadingOptions
from agent.service.ingest.cells import Cells
from agent.service.ingest.raw_rows import Layout
from tests.agent.service.ingest.builders import Read, import_path, import_text, nothing_stored

PRODUCTS, OUTCOMES = ImportKind.PRODUCTS, ImportKind.OUTCOMES


def cells(value: Any, column: str = "product_id") -> Cells:
    row = RawRow(1, {column: value}, Layout((column,), {}, True), (column,), (value,))
    return Cells(row, Reading(ReadingOptions(), nothing_stored, datetime.now(UTC)))


def of_parquet(folder: Path, **columns: Any) -> Read:
    path = folder / "rows.parquet"
    parquet.write_table(pa.table(columns), path)
    return import_path(PRODUCTS, path, currency="EUR")


def test_ids_of_floats_lose_their_point_and_too_large_ones_are_refused(tmp_path: Path) -> None:
    read = of_parquet(tmp_path, product_id=[123.0, None, 1e16, 12345678.0, 1.5], list_price=[1.5, 2.5, 3.5, 4.5, 5.5])
    assert read.prices == {"123": 150, "12345678": 450}
    assert list(read.reasons) == [2, 3, 5]
    assert "lost digits" in read.reasons[3]
    assert read.report.notes.counts[Note.FLOAT_IDS] == 2


def test_ids_of_bytes_are_text(tmp_path: Path) -> None:
    assert of_parquet(tmp_path, product_id=[b"A1", b"\xff"], list_price=[1.0, 2.0]).prices == {"A1": 100}


def test_prices_of_32_bits_are_rounded_with_a_count(tmp_path: Path) -> None:
    prices = pa.array([12.99, 0.1, 19.9], pa.float32())
    read = of_parquet(tmp_path, product_id=["A", "B", "C"], list_price=prices)
    assert read.prices == {"A": 1299, "B": 10, "C": 1990}
    assert read.report.notes.counts[Note.ROUNDED] == 3


def test_times_in_nanoseconds_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    at = pa.array([1769860800123456789], pa.timestamp("ns", "UTC"))
    parquet.write_table(
        pa.table({"product_id": ["A"], "price": [1.0], "bought": [True], "at": at, "context.rival": [1.0]}), path
    )
    read = import_path(OUTCOMES, path, {"A": ProductRecord("A", "a", "EUR", 100)})
    assert type(read.outcomes[0].at) is datetime
    assert read.outcomes[0].at == datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)


def test_a_column_that_stands_twice_in_parquet_is_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays(
        [pa.array(["a"]), pa.array([1.0]), pa.array([2.0])], ["product_id", "list_price", "list_price"]
    )
    parquet.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(ImportFormatError, match="several columns named list_price"):
        import_path(PRODUCTS, tmp_path / "rows.parquet", currency="EUR")


def test_a_key_that_stands_twice_in_json_makes_a_bad_row(tmp_path: Path) -> None:
    rows = '{"product_id":"1","product_id":"2","list_price":1}\n{"product_id":"3","list_price":1,"x":{"a":1,"a":2}}\n'
    read = import_text(tmp_path, PRODUCTS, rows, name="rows.ndjson", currency="EUR")
    assert {line: "twice" in reason for line, reason in read.reasons.items()} == {1: True, 2: True}


def test_ids_that_a_spreadsheet_destroyed_are_refused(tmp_path: Path) -> None:
    content = "product_id,list_price\n4.00638E+12,10\n4.00638E+12,20\n1082185.0,30\n007,40\n1E5,50\n3E2X,60\n"
    read = import_text(tmp_path, PRODUCTS, content, currency="EUR")
    assert read.prices == {"1082185": 3000, "007": 4000, "1E5": 5000, "3E2X": 6000}
    assert list(read.reasons) == [2, 3]
    assert "as text" in read.reasons[2]


@pytest.mark.parametrize("value", [True, float("inf"), 2.5, 1e16, -1e17, [1], {"a": 1}, b"\xff", datetime.now(UTC)])
def test_values_that_are_no_ids_are_refused(value: Any) -> None:
    with pytest.raises(CellError):
        cells(value).identifier("product_id")


@given(st.integers(-(2**53) + 1, 2**53 - 1))
def test_a_whole_number_is_the_same_id_as_int_float_and_text(number: int) -> None:
    assert cells(number).identifier("product_id") == str(number)
    assert cells(float(number)).identifier("product_id") == str(number)
    assert cells(str(number)).identifier("product_id") == str(number)


@given(st.text(max_size=30))
def test_an_id_has_its_normal_form_or_is_refused(text: str) -> None:
    try:
        found = cells(text).identifier("product_id", needed=True)
    except CellError:
        return
    assert normal_id(found) == found


def test_repeated_and_merged_ids_are_named(tmp_path: Path) -> None:
    content = (
        "product_id,title,list_price\nA1,first,10\nA1,second,20\n A1 ,third,30\nA\u200b1,fourth,40\na1,fifth,50\n"
        '"A\n1",seven,70\n\u200b,eight,80\n'
    )
    read = import_text(tmp_path, PRODUCTS, content, currency="EUR")
    assert read.prices == {"A1": 4000, "a1": 5000}
    notes = read.report.notes
    assert (notes.counts[Note.MERGED], notes.values[Note.MERGED]) == (3, ["A1"])
    assert notes.values[Note.CLEANED_IDS] == ["A1"]
    assert list(read.reasons) == [7, 9]


def test_oversold_stock_is_none_left_and_no_row_is_lost(tmp_path: Path) -> None:
    content = 'product_id,list_price,inventory\nA,10,-3\nB,10,5.0\nC,10,2.5\nD,10,"1,000"\nE,10,unlimited\nF,10,\n'
    read = import_text(tmp_path, PRODUCTS, content, currency="EUR")
    assert {one.product_id: one.inventory for one in read.products} == {"A": 0, "B": 5, "F": None}
    assert read.report.notes.counts == {Note.OVERSOLD: 1}
    assert list(read.reasons) == [4, 5, 6]
    assert "--decimal point" in read.reasons[5]


@pytest.mark.parametrize(("text", "truth"), [("1", True), ("YES", True), ("f", False), ("n", False), ("False", False)])
def test_truth_values_are_read_whatever_their_case(text: str, truth: bool) -> None:
    assert cells(text, "bought").truth("bought") is truth


@pytest.mark.parametrize("value", ["ja", "2", "on", "maybe", "-1", 0.5])
def test_other_truth_values_are_refused(value: Any) -> None:
    with pytest.raises(CellError, match="yes or no"):
        cells(value, "bought").truth("bought")


@pytest.mark.parametrize(
    ("value", "rivals"),
    [
        ("9.90", [990]),
        ("9.90;8.50", [990, 850]),
        ("9.90 | 8", [990, 800]),
        ([9.9, "8"], [990, 800]),
        (7, [700]),
        ([], []),
    ],
)
def test_one_rival_s_price_or_several_are_read(value: Any, rivals: list[int]) -> None:
    row = cells(value, "context.competitor_prices")
    row.currency("EUR")
    assert row.minors("context.competitor_prices") == rivals
