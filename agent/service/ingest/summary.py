"""Summary of an import under stable names, as commands print it in JSON and jobs keep it."""

from pydantic import BaseModel, ConfigDict, Field

from agent.service.ingest.reading import Note, Notes
from agent.service.ingest.report import ImportKind, ImportReport


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class ColumnRemark(_Part):
    """A column that is not used, or is used otherwise than its name suggests, and why."""

    column: str
    """The column."""
    reason: str = ""
    """The reason, and the remedy where there is one."""


class RowNote(_Part):
    """A finding about rows that were read all the same: how many, and the first values."""

    code: str = Field(description=f"One of {', '.join(note.name.lower() for note in Note)}.")
    text: str
    """The finding in words."""
    count: int
    """Rows that have it."""
    values: list[str] = []
    """The first values."""


class RefusedRow(_Part):
    """A row that was refused: its line in the file, the bad column and value, and the reason."""

    line: int
    """Line in the file; the first one is 1."""
    column: str
    """The bad column; empty where the row as a whole is bad."""
    value: str
    """The value received, shortened."""
    reason: str
    """What is wrong, and what is allowed."""


class SuspiciousExample(_Part):
    """A row that was set aside, and the value that it was compared with."""

    line: int
    """Line in the file."""
    product_id: str
    """Id of the product."""
    value: str
    """The value received."""
    expected: str
    """The value that it was compared with."""


class SuspicionGroup(_Part):
    """Rows that were set aside for one reason, with the first of them."""

    doubt: str
    """The reason in words."""
    power: int = Field(description="Nearest power of ten of value over expected; 0 if these are not prices.")
    count: int
    """Rows set aside for it."""
    examples: list[SuspiciousExample] = []
    """The first of them."""
    factor: str = ""
    """By how much they differ from what was expected, in words."""


class ImportSummary(_Part):
    """Result of an import; `read` is the sum of new, known, changed, unchanged, merged, suspicious and bad."""

    kind: ImportKind
    """Kind of rows."""
    dry_run: bool = Field(default=False, description="Whether nothing was stored; counts say what would have been.")
    read: int = Field(default=0, description="Rows of the file.")
    imported: int = Field(default=0, description="Rows that changed what is stored: new and changed.")
    new: int = Field(default=0, description="Rows that were not stored before.")
    known: int = Field(default=0, description="Events and outcomes that were stored before.")
    changed: int = Field(default=0, description="Products that were stored with another description.")
    unchanged: int = Field(default=0, description="Products that were stored as they are.")
    merged: int = Field(default=0, description="Rows with the id of an earlier row of the file.")
    suspicious: int = Field(default=0, description="Rows that were set aside, as they are probably wrong.")
    bad: int = Field(default=0, description="Rows that were refused.")
    ignored_columns: list[ColumnRemark] = Field(default=[], description="Columns that are not used.")
    columns_to_check: list[ColumnRemark] = Field(
        default=[], description="Columns that are used otherwise than their names suggest, with the remedy."
    )
    notes: list[RowNote] = Field(default=[], description="Findings about rows that were read all the same.")
    merged_ids: list[str] = Field(default=[], description="The first ids that several rows have.")
    problems: list[RefusedRow] = Field(default=[], description="Refused rows, the first thousand.")
    problems_left_out: int = Field(default=0, description="Refused rows that are not in `problems`.")
    suspicions: list[SuspicionGroup] = Field(default=[], description="Rows that were set aside, by reason.")
    advice: list[str] = Field(default=[], description="What the suspicious rows have in common, and what to do.")
    erased: bool = Field(
        default=False, description="Whether all but numbers was erased, as the report named a shopper who was erased."
    )


def summary_of(report: ImportReport, *, dry_run: bool = False) -> ImportSummary:
    """Summary of a report, also of one that is not finished."""
    notes = report.notes
    return ImportSummary(
        kind=report.kind,
        dry_run=dry_run,
        **report.counts(),
        ignored_columns=[ColumnRemark(column=name, reason=why) for name, why in notes.ignored.items()],
        columns_to_check=[ColumnRemark(column=name, reason=why) for name, why in notes.remarks.items()],
        notes=_notes(notes),
        merged_ids=report.merged_ids,
        problems=[
            RefusedRow(line=one.line, column=one.column, value=one.value, reason=one.reason) for one in report.problems
        ],
        problems_left_out=report.bad - len(report.problems),
        suspicions=[
            SuspicionGroup(
                doubt=group.doubt.value,
                power=group.power,
                count=group.count,
                factor=group.factor,
                examples=[
                    SuspiciousExample(line=one.line, product_id=one.product_id, value=one.value, expected=one.expected)
                    for one in group.examples
                ],
            )
            for group in report.suspicions()
        ],
        advice=report.advice(),
    )


def _notes(notes: Notes) -> list[RowNote]:
    return [
        RowNote(code=note.name.lower(), text=note.value, count=count, values=notes.values[note])
        for note, count in notes.counts.items()
    ]
