"""Cells of a row as text, numbers, money and times; every error names its column."""

import math
import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from agent.domain.fields import EARLIEST, LATEST, clean_text
from agent.domain.money import MoneyError, fraction_digits, to_minor
from agent.domain.request import MAX_ATTRIBUTES, MAX_NAME
from agent.service.ingest.errors import CellError

Attribute = str | float | bool

_LIMITS: Final = {"title": 500, "description": 20_000, "text": 2_000}
_SHORT: Final = 200
_ATTRIBUTE: Final = 1_000
PREFIXES: Final = ("profile.", "context.")
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
_NUMERAL: Final = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d{1,15})?", re.ASCII)
_MAX_COUNT: Final = 10**9


class Cells:
    """Cells of one row by column; empty ones count as absent. Every method raises CellError for a bad cell."""

    def __init__(self, cells: Mapping[str, Any], currency: str | None) -> None:
        """`currency` applies to a row that names none."""
        self._cells = {name: value for name, value in cells.items() if not _empty(value)}
        self._currency = currency

    def text(self, column: str, *, needed: bool = False, limit: int = 0) -> str:
        """Text without control characters; empty when absent."""
        value = self._cells.get(column)
        if value is None:
            if needed:
                raise CellError(column, "", "is missing")
            return ""
        if isinstance(value, dict | list):
            raise CellError(column, value, "is a list or object; allowed: one text or number")
        text = _plain(value)
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

    def currency(self) -> str:
        """Currency of the row, else of the import."""
        code = self.text("currency") or self._currency
        if not code:
            raise CellError("currency", "", "is missing; remedy: a currency column, or --currency")
        try:
            fraction_digits(code)
        except MoneyError as error:
            raise CellError("currency", code, str(error)) from None
        return code

    def minor(self, column: str, *, least: int = 0) -> int | None:
        """A price in major units, returned in minor units; None when absent."""
        value = self._cells.get(column)
        if value is None:
            return None
        if isinstance(value, bool | dict | list):
            raise CellError(column, value, "is not a price; allowed: a number such as 12.99")
        try:
            minor = _minor(_plain(value), self.currency())
        except MoneyError as error:
            raise CellError(column, value, str(error)) from None
        if minor < least:
            raise CellError(
                column, value, f"is too low; allowed: at least {least} minor unit{'s' if least != 1 else ''}"
            )
        return minor

    def count(self, column: str, *, least: int = 0) -> int | None:
        """A whole number; None when absent."""
        value = self._cells.get(column)
        if value is None:
            return None
        number = self.number(column)
        if number is None or not number.is_integer() or not least <= number <= _MAX_COUNT:
            raise CellError(column, value, f"is not a whole number from {least} to {_MAX_COUNT:,}")
        return int(number)

    def number(self, column: str, low: float = -1e15, high: float = 1e15) -> float | None:
        """A finite number within bounds; None when absent."""
        value = self._cells.get(column)
        if value is None:
            return None
        text = _plain(value)
        if isinstance(value, bool) or not _NUMBER.fullmatch(text):
            raise CellError(column, value, "is not a number")
        number = float(text)
        if not low <= number <= high:
            raise CellError(column, value, f"is out of range; allowed: {low:g} to {high:g}")
        return number

    def time(self, column: str) -> datetime:
        """A time with time zone.

        Raises:
            CellError: It is absent, has no time zone, or is outside 1990-2100.
        """
        value = self._cells.get(column)
        if value is None:
            raise CellError(column, "", "is missing")
        try:
            at = value if isinstance(value, datetime) else datetime.fromisoformat(_plain(value))
        except ValueError:
            raise CellError(column, value, "is not a time; allowed: RFC 3339 such as 2026-01-31T12:00:00Z") from None
        if at.tzinfo is None:
            raise CellError(column, value, "has no time zone; allowed: a time such as 2026-01-31T12:00:00Z")
        if not EARLIEST <= at <= LATEST:
            raise CellError(column, value, f"is out of range; allowed: {EARLIEST:%Y} to {LATEST:%Y}")
        return at

    def prefixed(self, prefix: str) -> dict[str, Attribute]:
        """Columns named `prefix.X` by X, as attributes."""
        start = f"{prefix}."
        return {n[len(start) :]: self.attribute(n) for n in self._cells if n.startswith(start) and n != start}

    def others(self, known: frozenset[str]) -> dict[str, Attribute]:
        """Columns outside `known` as attributes, but for `profile.X` and `context.X`."""
        others = [name for name in self._cells if name not in known and not name.startswith(PREFIXES)]
        if len(others) > MAX_ATTRIBUTES:
            raise CellError(
                others[MAX_ATTRIBUTES], "", f"is one of {len(others)} attributes; allowed: {MAX_ATTRIBUTES}"
            )
        return {name: self.attribute(name) for name in others}

    def attribute(self, column: str) -> Attribute:
        """A cell as a number where it is one (codes such as 007 are not), else as text."""
        if len(column) > MAX_NAME or not column.isprintable():
            raise CellError(
                column[:MAX_NAME],
                "",
                f"is not usable as an attribute name; allowed: up to {MAX_NAME} printable characters",
            )
        value = self._cells[column]
        if isinstance(value, bool):
            return value
        if isinstance(value, int | float) or _NUMERAL.fullmatch(_plain(value)):
            return self.number(column) or 0.0
        return self.text(column, limit=_ATTRIBUTE)


_minor = lru_cache(50_000)(to_minor)  # a shop has few prices


def _empty(value: Any) -> bool:
    return (
        value is None
        or (isinstance(value, str) and not value.strip())
        or (isinstance(value, float) and math.isnan(value))
    )


def _plain(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value).strip()
