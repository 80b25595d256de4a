"""Options for reading a file, and what one reading of it found out."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from agent.domain.records import ProductRecord
from agent.service.ingest.errors import ImportFormatError

_NAMED: Final = 20

ProductOf = Callable[[str], ProductRecord | None]


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """The form in which the rows of a file are written.

    Attributes:
        currency: Of rows that name none.
        mapping: Column names of the file to ours.
    """

    currency: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, currency: str | None = None, columns: Sequence[str] = ()) -> "ReadingOptions":
        """Parse the options of a command.

        Raises:
            ImportFormatError: An option is not of its form.
        """
        pairs = [column.partition("=") for column in columns]
        bad = next((column for column, pair in zip(columns, pairs, strict=True) if not all(pair)), None)
        if bad is not None:
            raise ImportFormatError(f"--column is {bad!r}; allowed: theirs=ours, such as sku=product_id")
        return cls(currency, {theirs: ours for theirs, _, ours in pairs})


class Note(StrEnum):
    """Something that a merchant should know about rows that were read all the same."""

    ROUNDED = "amounts rounded from floats"
    MERGED = "rows that repeat a product_id of this file (the last one counts)"


@dataclass(slots=True)
class Notes:
    """Findings about the rows of one file: how many, and the first values by note."""

    counts: Counter[Note] = field(default_factory=Counter)
    values: dict[Note, list[str]] = field(default_factory=dict)

    def add(self, note: Note, value: object) -> None:
        """Count a finding, and keep its value among the first ones."""
        self.counts[note] += 1
        named = self.values.setdefault(note, [])
        if len(named) < _NAMED and str(value) not in named:
            named.append(str(value)[:80])


@dataclass(slots=True)
class Reading:
    """One reading of one file; parse functions take it beside the row.

    Attributes:
        product_of: Stored products by id; None where unknown.
    """

    options: ReadingOptions
    product_of: ProductOf
    notes: Notes = field(default_factory=Notes)
