"""Cells of a row as text, ids, numbers, money and times; every error names its column."""

import math
import re
from collections.abc import Collection
from datetime import date, datetime
from typing import Any, Final

from agent.domain.fields import clean_text, normal_id
from agent.domain.money import MoneyError, fraction_digits
from agent.domain.records import ProductRecord
from agent.domain.request import MAX_ATTRIBUTES, MAX_NAME
from agent.service.ingest.errors import CellError
from agent.service.ingest.numerals import NumberError, is_numeral, minor_of_float, minor_of_text, number_of_text
from agent.service.ingest.raw_rows import RawRow
from agent.service.ingest.reading import Note, Reading
from agent.service.ingest.times import TimeError, read_time

Attribute = str | float | bool

_LIMITS: Final = {"title": 500, "description": 20_000, "text": 2_000, "profile": 4_000}
_SHORT: Final = 200
_ATTRIBUTE: Final = 1_000
_MAX_COUNT: Final = 10**9
_WHOLE: Final = 2**53  # from here on neighbouring whole numbers are one float
_SCIENTIFIC: Final = re.compile(r"\d(\.\d+)?[eE]\+\d{1,3}", re.ASCII)
_FLOAT: Final = re.compile(r"(0|[1-9]\d*)\.0", re.ASCII)
_SEVERAL: Final = re.compile(r"[;|]")
_TRUTHS: Final = {
    **dict.fromkeys(("1", "true", "yes", "y", "t", "1.0"), True),
    **dict.fromkeys(("0", "false", "no", "n", "f", "0.0"), False),
}


class Cells:
    """Cells of one row by column; empty ones count as absent. Every method raises CellError for a bad cell."""

    __slots__ = ("_cells", "_code", "_groups", "_product", "_reading")

    def __init__(self, row: RawRow, reading: Reading) -> None:
        """`reading` has the options, and takes the notes."""
        self._cells = row.cells
        self._groups = row.layout.groups
        self._reading = reading
        self._product: ProductRecord | None = None
        self._code: str | None = None

    def has(self, column: str) -> bool:
        """Whether the row has a cell there that is not empty."""
        return self.value(column) is not None

    def value(self, column: str) -> Any:
        """The cell as it is, text without white space around it; None when absent."""
        value = self._cells.get(column)
        if value.__class__ is str:
            return value.strip() or None
        return None if value.__class__ is float and math.isnan(value) else value

    def text(self, column: str, *, needed: bool = False, limit: int = 0) -> str:
        """Text without control characters; empty when absent."""
        value = self.value(column)
        if value is None:
            if needed:
                raise CellError(column, "", "is missing")
            return ""
        text = _plain(column, value)
        limit = limit or _LIMITS.get(column, _SHORT)
        if len(text) > limit:
            raise CellError(column, text, f"has {len(text):,} characters; allowed: {limit:,}")
        try:
            cleaned = clean_text(text)
        except ValueError as error:
            raise CellError(column, text, str(error)) from None
        if needed and not cleaned:
            raise CellError(column, text, "is empty")
        return cleaned

    def identifier(self, column: str, *, needed: bool = False) -> str:
        """An id in its normal form; empty when absent. Floats of typed files lose their `.0`."""
        value = self.value(column)
        if value is None:
            if needed:
                raise CellError(column, "", "is missing")
            return ""
        if not isinstance(value, str):
            value = self._typed_id(column, value)
        elif value[0].isdigit():
            value = self._written_id(column, value)
        try:
            found = normal_id(value)
        except ValueError as error:
            raise CellError(column, value, str(error)) from None
        if found != value:
            self._reading.notes.add(Note.CLEANED_IDS, found)
        return found

    def priced_as(self, product: ProductRecord | None) -> None:
        """Take the currency of the row's product where nothing else names one; money in another one is refused."""
        self._product = product

    def currency(self, default: str | None = None) -> str:
        """Currency of the row, else of the import, else of the product of `priced_as`, else `default`."""
        if self._code is None:
            own = self._product.currency if self._product is not None else None
            code = self._named_currency() or own or default
            if code is None:
                raise CellError("currency", "", "is missing; remedy: a currency column, or --currency")
            if self._product is not None and code != own:
                raise CellError(
                    "currency",
                    code,
                    f"is another than that of product {self._product.product_id!r:.80}; allowed: {own}; remedy: "
                    "convert the prices, or give the product its new currency first",
                )
            self._code = code
        return self._code

    def minor(self, column: str, *, least: int = 0) -> int | None:
        """A price in major units, returned in minor units; None when absent."""
        value = self.value(column)
        return None if value is None else self._minor(column, value, least)

    def minors(self, column: str) -> list[int]:
        """Prices above 0: of a list, or of a text in which `;` or `|` stands between them."""
        value = self.value(column)
        if value is None:
            return []
        several = _SEVERAL.split(value) if isinstance(value, str) else value if isinstance(value, list) else [value]
        given = [one.strip() if isinstance(one, str) else one for one in several]
        return [self._minor(column, one, 1) for one in given if one not in (None, "")]

    def count(self, column: str, *, least: int = 0) -> int | None:
        """A whole number; None when absent."""
        value = self.value(column)
        number = self.number(column)
        if number is None:
            return None
        if not number.is_integer() or not least <= number <= _MAX_COUNT:
            raise CellError(column, value, f"is not a whole number from {least} to {_MAX_COUNT:,}")
        return int(number)

    def stock(self, column: str) -> int | None:
        """Units in stock; below 0, as an oversold product has, counts as 0."""
        number = self.number(column)
        if number is not None and number < 0 and number.is_integer():
            self._reading.notes.add(Note.OVERSOLD, f"{self._cells.get('product_id', '')}: {number:g}")
            return 0
        return self.count(column)

    def number(self, column: str, low: float = -1e15, high: float = 1e15) -> float | None:
        """A finite number within bounds; None when absent."""
        value = self.value(column)
        if value is None:
            return None
        if isinstance(value, bool | dict | list | bytes | date):
            raise CellError(column, value, "is not a number")
        try:
            number = float(value) if not isinstance(value, str) else self._number(value, high)
        except NumberError as error:
            raise CellError(column, value, str(error)) from None
        if not low <= number <= high:
            raise CellError(column, value, f"is out of range; allowed: {low:g} to {high:g}")
        return number

    def truth(self, column: str) -> bool:
        """A truth value; needed."""
        value = self.value(column)
        if value is None:
            raise CellError(column, "", "is missing")
        found = _TRUTHS.get(str(value).casefold())
        if found is None:
            raise CellError(column, value, "is not a truth value; allowed: 1 or 0, true or false, yes or no")
        return found

    def time(self, column: str) -> datetime:
        """A time with time zone; needed."""
        value = self.value(column)
        if value is None:
            raise CellError(column, "", "is missing")
        try:
            return read_time(value, self._reading)
        except TimeError as error:
            raise CellError(column, value, str(error)) from None

    def group(self, name: str, without: Collection[str] = ()) -> dict[str, Attribute]:
        """Columns `name.X` that are not empty by X, but for some."""
        found = {
            x: self._attribute(column, x, value)
            for column, x in self._groups.get(name, ())
            if x not in without and (value := self.value(column)) is not None
        }
        if len(found) > MAX_ATTRIBUTES:
            column = f"{name}.{list(found)[MAX_ATTRIBUTES]}"
            raise CellError(column, "", f"is one of {len(found)} attributes; allowed: {MAX_ATTRIBUTES}")
        return found

    def names(self, group: str) -> list[str]:
        """The X of columns `group.X`, empty or not."""
        return [x for _, x in self._groups.get(group, ())]

    def _attribute(self, column: str, name: str, value: Any) -> Attribute:
        """A cell as a number where it is one (codes such as 007 are not), else as text."""
        if len(name) > MAX_NAME or not name.isprintable():
            raise CellError(
                name[:MAX_NAME],
                "",
                f"is not usable as an attribute name; allowed: up to {MAX_NAME} printable characters",
            )
        if value.__class__ is str:
            if value[-1].isdigit() and is_numeral(value, self._reading.options.decimal):
                return self.number(column) or 0.0
        elif isinstance(value, bool):
            return value
        elif not isinstance(value, bytes | list | dict | date):
            return self.number(column) or 0.0
        return self.text(column, limit=_ATTRIBUTE)

    def _minor(self, column: str, value: Any, least: int) -> int:
        if isinstance(value, bool | dict | list | bytes | date):
            raise CellError(column, value, "is not a price; allowed: a number such as 12.99")
        try:
            if isinstance(value, float):
                minor, rounded = minor_of_float(value, self.currency())
                if rounded:
                    self._reading.notes.add(Note.ROUNDED, f"{value!r}")
            else:
                text = (
                    value
                    if isinstance(value, str)
                    else format(value, "f")
                    if value.__class__ is not int
                    else str(value)
                )
                mark = self._reading.options.decimal if isinstance(value, str) else None
                minor = minor_of_text(text, self.currency(), mark, isinstance(value, str))
        except (MoneyError, NumberError) as error:
            raise CellError(column, value, str(error)) from None
        if minor < least:
            raise CellError(
                column, value, f"is too low; allowed: at least {least} minor unit{'s' if least != 1 else ''}"
            )
        return minor

    def _number(self, text: str, high: float) -> float:
        return number_of_text(text, self._reading.options.decimal, high)

    def _named_currency(self) -> str | None:
        """Currency that the row or the import names."""
        code = self.value("currency")
        if code is None:
            return self._reading.options.currency
        try:
            fraction_digits(str(code))
        except MoneyError as error:
            raise CellError("currency", code, str(error)) from None
        return str(code)

    def _typed_id(self, column: str, value: Any) -> str:
        """The id that a typed cell holds: a whole number, or bytes of UTF-8."""
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
            self._reading.notes.add(Note.FLOAT_IDS, f"{value}")
            return str(int(value))
        if isinstance(value, bytes):
            return _decoded(column, value).strip()
        kind = "a float that has lost digits" if isinstance(value, float) else f"of type {type(value).__name__}"
        raise CellError(column, value, f"is {kind}; allowed: a text or a whole number; remedy: write ids as text")

    def _written_id(self, column: str, value: str) -> str:
        if _SCIENTIFIC.fullmatch(value):
            raise CellError(
                column,
                value,
                "is in scientific notation: a spreadsheet has lost its digits; remedy: format the column as text, then "
                "export again",
            )
        if _FLOAT.fullmatch(value):
            self._reading.notes.add(Note.FLOAT_IDS, value)
            return value.removesuffix(".0")
        return value


def _plain(column: str, value: Any) -> str:
    """A cell as text; a whole float without its `.0`, which only a typed file adds."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list):
        raise CellError(column, value, "is a list or object; allowed: one text or number")
    if isinstance(value, bytes):
        return _decoded(column, value)
    if isinstance(value, float) and value.is_integer() and abs(value) < _WHOLE:
        return str(int(value))
    return value.isoformat() if isinstance(value, date) else str(value).strip()


def _decoded(column: str, value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise CellError(column, value, "is not UTF-8; remedy: write it as text") from None
