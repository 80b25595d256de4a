"""Report on an import: every row that was read is counted once, under what became of it."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from agent.domain.plausibility import Doubt, Suspicion
from agent.service.ingest.reading import Notes

_SHOWN: Final = 1_000
_EXAMPLES: Final = 5
_MOST: Final = 0.5  # share of the rows from which on the whole file is doubted


class ImportKind(StrEnum):
    """Kind of records in a file."""

    PRODUCTS = "products"
    EVENTS = "events"
    OUTCOMES = "outcomes"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """A bad row: its line, the bad column and value, and the reason."""

    line: int
    column: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class SuspiciousRow:
    """A row that was set aside: its line, product, value, and the value that it was compared with."""

    line: int
    product_id: str
    value: str
    expected: str


@dataclass(frozen=True, slots=True)
class Suspicious:
    """Rows that were set aside for one reason, with the first of them.

    Attributes:
        power: Nearest power of ten of value over expected, 0 if these are not prices.
    """

    doubt: Doubt
    power: int
    count: int
    examples: tuple[SuspiciousRow, ...]

    @property
    def factor(self) -> str:
        """The power of ten in words; empty without one."""
        return factor_text(self.power)


@dataclass(slots=True)
class ImportReport:
    """Result of an import; `read` is the sum of all other counts.

    All bad rows are counted and the first thousand listed.

    Attributes:
        new: Rows that were stored and were not there before.
        known: Events and outcomes that were stored before this import.
        changed, unchanged: Products that were stored before, with another or the same description.
        merged: Rows whose id an earlier row of the file has; of products the last one counts, else the first.
        suspicious: Rows that were set aside because they are probably wrong.
        notes: Findings about rows that were read all the same.
        merged_ids: The first ids that several rows have.
    """

    kind: ImportKind
    read: int = 0
    new: int = 0
    known: int = 0
    changed: int = 0
    unchanged: int = 0
    merged: int = 0
    suspicious: int = 0
    bad: int = 0
    problems: list[RowProblem] = field(default_factory=list)
    notes: Notes = field(default_factory=Notes)
    merged_ids: list[str] = field(default_factory=list)
    _groups: Counter[tuple[Doubt, int]] = field(default_factory=Counter)
    _examples: dict[tuple[Doubt, int], list[SuspiciousRow]] = field(default_factory=dict)

    def refuse(self, problem: RowProblem) -> None:
        """Count a bad row, and list it among the first thousand."""
        self.bad += 1
        if len(self.problems) < _SHOWN:
            self.problems.append(problem)

    def merge(self, row_id: str) -> None:
        """Count an event or outcome whose id an earlier one has, and name the first such ids."""
        self.merged += 1
        if len(self.merged_ids) < _EXAMPLES and row_id not in self.merged_ids:
            self.merged_ids.append(row_id)

    def suspect(self, line: int, suspicion: Suspicion) -> None:
        """Count a row that is set aside, and keep the first of its kind."""
        self.suspicious += 1
        group = (suspicion.doubt, suspicion.power)
        self._groups[group] += 1
        examples = self._examples.setdefault(group, [])
        if len(examples) < _EXAMPLES:
            examples.append(SuspiciousRow(line, suspicion.product_id, suspicion.value, suspicion.expected))

    @property
    def imported(self) -> int:
        """Rows that changed what is stored."""
        return self.new + self.changed

    @property
    def complete(self) -> bool:
        """Whether nothing was refused or set aside."""
        return not (self.bad or self.suspicious)

    def counts(self) -> dict[str, int]:
        """Counts by name, those that this kind of file can have; all but the first two sum up to `read`."""
        names = ("new", "changed", "unchanged") if self.kind is ImportKind.PRODUCTS else ("new", "known")
        return {name: getattr(self, name) for name in ("read", "imported", *names, "merged", "suspicious", "bad")}

    def suspicions(self) -> list[Suspicious]:
        """Rows that were set aside, by reason, the most frequent first."""
        return [
            Suspicious(doubt, power, count, tuple(self._examples[doubt, power]))
            for (doubt, power), count in self._groups.most_common()
        ]

    def advice(self) -> list[str]:
        """Sentences about the rows that were set aside: what they have in common, and what to do."""
        if not self.suspicious:
            return []
        powers: Counter[int] = Counter()
        for (_, power), count in self._groups.items():
            powers[power] += count
        (power, count), judged = powers.most_common(1)[0], self.new + self.changed + self.unchanged + self.suspicious
        lines = []
        if power and count >= _MOST * judged:
            unit = "cents (minor units)" if power == 2 else "another unit"
            lines.append(
                f"{count / judged:.0%} of the prices are {factor_text(power)} what they are compared with: the file "
                f"seems to be in {unit}; remedy: {'divide' if power > 0 else 'multiply'} its prices by "
                f"{10 ** abs(power):,} and import it again"
            )
        lines.append(
            f"{self.suspicious:,} suspicious rows were not imported; remedy: correct them and import the file again "
            "(rows that are stored already count once), or import them as they are with --accept-suspicious"
        )
        return lines


def factor_text(power: int) -> str:
    """A power of ten in words: `about 100 times`, `about 1/100 of`."""
    if power == 0:
        return ""
    return f"about {10**power:,} times" if power > 0 else f"about 1/{10**-power:,} of"
