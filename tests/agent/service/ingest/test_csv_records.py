"""CSV as spreadsheets and scripts write it."""

import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.service.ingest import ImportFormatError, ImportKind
from agent.service.ingest.csv_records import delimiter_of, records
from agent.service.ingest.readers import expected_rows
from tests.agent.service.ingest.builders import Read, import_text

HEAD = "product_id,title,list_price\n"


def products(folder: Path, content: str | bytes, name: str = "rows.csv") -> Read:
    return import_text(folder, ImportKind.PRODUCTS, content, name=name, currency="EUR")


@pytest.mark.parametrize("line", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_first_line_that_names_the_separator_is_heeded(line: str, tmp_path: Path) -> None:
    read = products(tmp_path, f"{line}\r\nproduct_id;title;list_price\r\nA;a, b, c;10\r\nB;b;x\r\n")
    assert read.prices == {"A": 1000}
    assert list(read.reasons) == [4]


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        ('product_id;title;list_price;"size, colour, fit, cut"\nA;a;10;x\n', ";"),
        ('product_id,"a;b;c;d",list_price\nA,a,10\n', ","),
        ("product_id\ttitle, long\tlist_price\nA\ta, b, c, d\t10\n", "\t"),
        ("product_id|title|list_price\nA|a, b|10\n", "|"),
        ("product_id;list_price\nA;1,50\nB;2,50\nC;3,50\n", ";"),
    ],
)
def test_the_separator_is_looked_for_outside_quotes_and_in_several_lines(content: str, delimiter: str) -> None:
    assert delimiter_of(content.splitlines(keepends=True)) == delimiter


def test_columns_without_a_name_are_named_where_they_hold_something(tmp_path: Path) -> None:
    empty = products(tmp_path, "product_id,title,list_price,,\nA,a,10,,\n")
    assert (empty.prices, empty.report.notes.ignored) == ({"A": 1000}, {})
    full = products(tmp_path, "product_id,title,list_price,,\nA,a,10,,y\n")
    assert (full.prices, full.report.notes.ignored) == ({"A": 1000}, {"column 5": "has no name"})


def test_an_open_quote_fails_its_line_and_no_other(tmp_path: Path) -> None:
    read = products(tmp_path, HEAD + 'A,"19"" monitor",10\nB,19" monitor,10\nC,"open,10\nD,d,10\nE,e,10\n')
    assert [product.title for product in read.products] == ['19" monitor', '19" monitor', "d", "e"]
    assert list(read.reasons) == [4]
    assert "opens a quote that does not close" in read.reasons[4]


def test_an_open_quote_that_a_later_one_closes_fails_its_line_alone(tmp_path: Path) -> None:
    read = products(tmp_path, HEAD + 'A,a,1\nB,"open,2\nC,"c",3\nD,d,4\nE,"two\nlines",5\n')
    assert read.prices == {"A": 100, "C": 300, "D": 400, "E": 500}
    assert list(read.reasons) == [3]


def test_many_open_quotes_in_a_long_file_are_named_one_by_one(tmp_path: Path) -> None:
    rows = "".join(f"p{number},{chr(34) if number % 50 == 0 else ''}t,1\n" for number in range(5_000))
    read = products(tmp_path, HEAD + rows)
    assert read.report.read == 5_000
    assert read.report.bad == 100
    assert list(read.reasons)[:2] == [2, 52]


def test_utf_16_of_excel_and_packed_files_are_read(tmp_path: Path) -> None:
    content = "product_id\ttitle\tlist_price\r\nA\tBröd\t10\r\n"
    assert products(tmp_path, content.encode("utf-16")).products[0].title == "Bröd"
    packed = products(tmp_path, gzip.compress(content.encode()), "rows.csv.gz")
    assert packed.prices == {"A": 1000}
    lines = gzip.compress(b'{"product_id": 1, "list_price": 2}\n' * 3)
    assert products(tmp_path, lines, "rows.ndjson.gz").report.read == 3


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("rows.csv.gz", b"product_id", "unpacked"),
        ("rows.csv", "product_id\nA\n".encode("utf-16-le"), "UTF-8"),
        ("rows.csv", b"\xff\xfep\x00r\x00o", "UTF-8"),
        ("rows.zip", b"PK", "unpack it"),
        ("rows.xlsx", b"PK", "save the sheet as CSV"),
        ("rows.csv", b'"product_id', "first line"),
        ("rows.csv", b"", "no header"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(name: str, content: bytes, told: str, tmp_path: Path) -> None:
    with pytest.raises(ImportFormatError, match=told):
        products(tmp_path, content, name)


def test_the_rows_of_a_packed_file_are_estimated(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"".join(b"p%d,1\n" % (number * 7919 % 10007) for number in range(50_000))))
    assert 5_000 < expected_rows(path) < 500_000


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), max_size=12)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t|"),
    ending=st.sampled_from(("\n", "\r\n")),
    named=st.booleans(),
)
def test_what_a_csv_writer_wrote_is_read(
    rows: list[tuple[str, str, str]], delimiter: str, ending: str, named: bool, tmp_path: Path
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=csv.QUOTE_ALL)
    writer.writerow(("one", "two", "three"))
    writer.writerows(rows)
    path = tmp_path / "rows.csv"
    path.write_bytes(((f"sep={delimiter}{ending}" if named else "") + text.getvalue()).encode())
    header, *found = records(path)
    assert header.cells == ["one", "two", "three"]
    assert [tuple(record.cells) for record in found] == rows
    assert not any(record.problem for record in found)
