"""Options that say how a file is written, and the columns in the help of the commands that take them."""

from typing import Any

import pytest
from typer.testing import CliRunner

from agent.cli.main import app
from agent.cli.reading_options import note_facts, reading_options
from agent.service.ingest import ImportFormatError, Note, Notes, RowKind
from agent.service.ingest.columns import columns_of
from agent.service.ingest.numerals import DecimalMark


@pytest.mark.parametrize("kind", RowKind)
def test_help_lists_every_column_with_its_form_and_whether_it_is_needed(kind: RowKind) -> None:
    words = ["score"] if kind is RowKind.SCORE else ["import", kind.value]
    done = CliRunner().invoke(app, [*words, "--help"], catch_exceptions=False, terminal_width=400)
    section = " ".join(done.output.partition("\nColumns:\n")[2].split())
    for column in columns_of(kind):
        assert f"{column.name} {column.form}." in section
    assert section.count("Required.") == sum(one.needed.get(kind) == "yes" for one in columns_of(kind))


def test_options_are_read() -> None:
    found = reading_options("EUR", ["a=b", "c d = title"], ["type=purchase"], (",", "Europe/Berlin", "%d.%m.%Y"))
    assert (found.mapping, found.constants) == ({"a": "b", "c d": "title"}, {"type": "purchase"})
    assert (found.decimal, str(found.timezone), found.date_format) == (DecimalMark.COMMA, "Europe/Berlin", "%d.%m.%Y")
    assert reading_options(None, None, None, (".", None, None)).decimal is DecimalMark.POINT


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((None, ["sku"], None, (None, None, None)), "theirs=ours"),
        ((None, ["a=b", "a=c"], None, (None, None, None)), "twice"),
        ((None, None, ["type="], (None, None, None)), "column=value"),
        ((None, None, None, ("dot", None, None)), "point .* or comma"),
        ((None, None, None, (None, "CET+1", None)), "--timezone"),
        (("EURO", None, None, (None, None, None)), "--currency"),
    ],
)
def test_an_option_that_is_not_of_its_form_is_refused(options: Any, told: str) -> None:
    with pytest.raises(ImportFormatError, match=told):
        reading_options(*options)


def test_findings_are_told_in_words() -> None:
    notes = Notes()
    assert note_facts(notes) == {"ignored columns": "none"}
    notes.ignored |= {"qty": "did you mean quantity?", "x": ""}
    notes.remarks["stock"] = "is an attribute"
    for number in range(25):
        notes.add(Note.MERGED, f"p{number}")
    facts = note_facts(notes)
    assert facts["ignored columns"] == "qty (did you mean quantity?); x"
    assert facts["columns to check"] == "stock is an attribute"
    assert facts[Note.MERGED.value].startswith("25 ('p0', 'p1',")
    assert facts[Note.MERGED.value].endswith("'p19', ...)")
