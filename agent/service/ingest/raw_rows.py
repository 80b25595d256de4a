"""Rows as readers hand them on: their cells under our names and under those of the file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of a row: ours by position, None for those that are not used.

    Attributes:
        groups: Columns `profile.X`, `context.X` and `attributes.X` in full and as X, by the part before the dot.
        complete: Whether every column is used.
    """

    names: tuple[str | None, ...]
    groups: Mapping[str, tuple[tuple[str, str], ...]]
    complete: bool

    def cells(self, values: Iterable[Any]) -> dict[str, Any]:
        """The used cells of a row by our names."""
        found: dict[Any, Any] = dict(zip(self.names, values, strict=False))
        if not self.complete:
            found.pop(None, None)
        return found


class RawRow(NamedTuple):
    """One row: `cells` by our names; `names` and `values` are the file's. `problem` says why it is unreadable."""

    line: int
    cells: Mapping[str, Any]
    layout: Layout
    names: tuple[str, ...]
    values: Sequence[Any]
    problem: str = ""

    def written(self, column: str) -> str:
        """The file's own name of one of our columns; ours where it has none."""
        at = self.layout.names.index(column) if column in self.layout.names else len(self.names)
        return self.names[at] if at < len(self.names) else column
