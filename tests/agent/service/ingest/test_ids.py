"""Ids in files are read in the form that every other door reads."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.fields import normal_id
from agent.service.ingest.cells import Cells
from agent.service.ingest.errors import CellError
from agent.service.ingest.raw_rows import Layout, RawRow
from agent.service.ingest.reading import Note, Reading, ReadingOptions

NAMES = ("shopper_id",)


def read(text: str) -> tuple[str, Reading]:
    reading = Reading(ReadingOptions("USD"), lambda _: None, datetime(2026, 3, 1, tzinfo=UTC))
    row = RawRow(2, {"shopper_id": text}, Layout(NAMES, {}, complete=True), NAMES, (text,))
    return Cells(row, reading).identifier("shopper_id"), reading


@given(st.text(st.sampled_from("bo\u0301\u00e9/|% \u200b\u200d\ufe0f\u3000\u00ad\U0001fa77"), min_size=1))
def test_an_id_cell_is_what_the_other_doors_read(text: str) -> None:
    if not text.strip():
        return  # an empty cell
    try:
        expected = normal_id(text)
    except ValueError:
        with pytest.raises(CellError, match="visible"):
            read(text)
        return
    assert read(text)[0] == expected


def test_an_id_that_changes_is_counted_and_named() -> None:
    found, reading = read("cafe\u0301\u200b")
    assert found == "caf\u00e9"
    assert reading.notes.counts[Note.CLEANED_IDS] == 1 and reading.notes.values[Note.CLEANED_IDS] == ["caf\u00e9"]
    assert read("bob")[1].notes.counts[Note.CLEANED_IDS] == 0
