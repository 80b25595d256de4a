"""Options for reading a file, and what one reading of it found out."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from agent.domain.money import MoneyError, fraction_digits
from agent.domain.records import ProductRecord
from agent.service.ingest.errors import OptionError
from agent.service.ingest.numerals import DecimalMark

EPOCHS: Final = {"epoch-seconds": 1, "epoch-milliseconds": 1_000}
_MARKS: Final = {"point": DecimalMark.POINT, ".": DecimalMark.POINT, "comma": DecimalMark.COMMA, ",": DecimalMark.COMMA}
_NAMED: Final = 20
_SHOWN: Final = 160
_MOST_COLUMNS: Final = 1_000

ProductOf = Callable[[str], ProductRecord | None]


class Shop(StrEnum):
    """Shop system whose product export a file is."""

    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    MEDUSA = "medusa"


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """The form in which the rows of a file are written.

    Attributes:
        currency: Of rows that name none.
        mapping: Column names of the file to ours.
        attributes: Columns of a products file that are attributes, whatever their names look like.
        constants: Cells that every row has beside those of the file, by column.
        decimal: Decimal mark of numbers written for people; None takes plain numbers only.
        timezone: Zone of times that have none; None refuses those.
        date_format: `strptime` format of times, or a name of `EPOCHS`; empty for RFC 3339.
        shop: Shop system whose product export the file is.
        replace: Whether a product's row is the whole product; else what it lacks stays as stored.
    """

    currency: str | None = None
    mapping: Mapping[str, str] = field(default_factory=dict)
    attributes: frozenset[str] = frozenset()
    constants: Mapping[str, str] = field(default_factory=dict)
    decimal: DecimalMark | None = None
    timezone: ZoneInfo | None = None
    date_format: str = ""
    shop: Shop | None = None
    replace: bool = False

    def __post_init__(self) -> None:
        """Check the currency and the format of dates.

        Raises:
            OptionError: One of them cannot be used.
        """
        check_currency(self.currency)
        check_date_format(self.date_format)


def check_currency(given: str | None) -> None:
    """Check `--currency`.

    Raises:
        OptionError: There is no such currency.
    """
    try:
        if given is not None:
            fraction_digits(given)
    except MoneyError as error:
        raise OptionError("currency", f": {error}", given or "", "") from None


def check_date_format(given: str) -> None:
    """Check `--date-format`.

    Raises:
        OptionError: It is neither a format nor a name of `EPOCHS`.
    """
    if given and given not in EPOCHS and "%" not in given:
        allowed = "a format such as '%m/%d/%Y' or '%d.%m.%Y %H:%M', " + ", ".join(EPOCHS)
        raise OptionError("date-format", f"is {given!r}", given, allowed)


def read_pairs(option: str, given: Sequence[str], example: str) -> dict[str, str]:
    """Parse options of the form `name=value`.

    Raises:
        OptionError: One is not of that form, or a name is given twice.
    """
    found: dict[str, str] = {}
    for text in given:
        name, mark, value = text.partition("=")
        if not (name.strip() and mark and value.strip()):
            raise OptionError(option, f"is {text!r}", text, example)
        if name.strip() in found:
            raise OptionError(option, f"names {name.strip()!r} twice", text, "once")
        found[name.strip()] = value.strip()
    return found


def read_decimal(given: str | None) -> DecimalMark | None:
    """Parse `--decimal`.

    Raises:
        OptionError: It is neither point nor comma.
    """
    if given is None:
        return None
    mark = _MARKS.get(given.strip().casefold())
    if mark is None:
        raise OptionError("decimal", f"is {given!r}", given, "point (as in 1,234.56) or comma (as in 1.234,56)")
    return mark


def read_timezone(given: str | None) -> ZoneInfo | None:
    """Parse `--timezone`.

    Raises:
        OptionError: There is no zone of that name.
    """
    if given is None:
        return None
    try:
        return ZoneInfo(given)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise OptionError(
            "timezone", f"is {given!r}", given, "names such as Europe/Berlin, America/New_York or UTC"
        ) from None


class Note(StrEnum):
    """Finding about rows that were read all the same."""

    ROUNDED = "amounts rounded from binary floats"
    FLOAT_IDS = "ids written as floats and read without .0"
    CLEANED_IDS = "ids brought to their normal form: composed, without invisible characters"
    MERGED = "rows that repeat a product_id of this file; the last one counts"
    OVERSOLD = "products with stock below 0, which counts as 0"
    TWICE = "local times that a change of clocks has twice; the earlier one counts"
    DOUBTFUL = "products with amounts that are probably not meant"
    NOT_SOLD = "rows of the export that are no product to sell"


@dataclass(slots=True)
class Notes:
    """Findings about one file.

    Attributes:
        ignored: Columns that are not used, each with the reason where there is one.
        remarks: Columns that are used otherwise than their names suggest, each with the remedy.
        counts: Number of rows by finding.
        values: First values by finding.
    """

    ignored: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    counts: Counter[Note] = field(default_factory=Counter)
    values: dict[Note, list[str]] = field(default_factory=dict)

    def ignore(self, column: str, why: str) -> None:
        """Note a column that is not used, unless very many are noted already."""
        if len(self.ignored) < _MOST_COLUMNS:
            self.ignored[column] = why

    def add(self, note: Note, value: object) -> None:
        """Count a finding, and keep its value among the first ones."""
        self.counts[note] += 1
        named = self.values.setdefault(note, [])
        if len(named) < _NAMED and (text := str(value)[:_SHOWN]) not in named:
            named.append(text)

    def lines(self) -> dict[str, str]:
        """Findings in words: how many, and the first values."""
        return {
            note.value: f"{count:,} ({', '.join(map(repr, self.values[note]))}{', ...' if count > _NAMED else ''})"
            for note, count in self.counts.items()
        }


@dataclass(slots=True)
class Reading:
    """One reading of one file; parse functions take it beside the row.

    Attributes:
        product_of: Stored products by id; None where unknown.
        now: Moment of the reading, by which a shop system's dated sale prices are judged.
        products: Products that this file gave, by id, where it is one of products.
    """

    options: ReadingOptions
    product_of: ProductOf
    now: datetime
    notes: Notes = field(default_factory=Notes)
    products: dict[str, ProductRecord] = field(default_factory=dict)
