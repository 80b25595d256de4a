"""Options that say how a file is written, for every command that reads one, and the columns in their help."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer
from typer.core import TyperCommand

from agent.service.ingest.columns import Column, RowKind, columns_of
from agent.service.ingest.import_request import meaning

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

    from agent.service.ingest import Notes, ReadingOptions

RowCurrency = Annotated[str | None, typer.Option(help=meaning("currency"))]
Columns = Annotated[list[str] | None, typer.Option(help=meaning("column"))]
Constants = Annotated[list[str] | None, typer.Option(help=meaning("const"))]
Decimal = Annotated[str | None, typer.Option(help=meaning("decimal"))]
Zone = Annotated[str | None, typer.Option("--timezone", help=meaning("timezone"))]
DateFormat = Annotated[str | None, typer.Option(help=meaning("date_format"))]


class ProductsCommand(TyperCommand):
    """A command that lists the columns of its file below its options."""

    kind: ClassVar[RowKind] = RowKind.PRODUCTS

    def format_epilog(self, ctx: "Context", formatter: "HelpFormatter") -> None:
        """Write one entry a column: its form, whether it is needed, its meaning."""
        with formatter.section("Columns"):
            formatter.write_dl([(one.name, _said_of(one, self.kind)) for one in columns_of(self.kind)])


class EventsCommand(ProductsCommand):
    """Lists the columns of events."""

    kind = RowKind.EVENTS


class OutcomesCommand(ProductsCommand):
    """Lists the columns of outcomes."""

    kind = RowKind.OUTCOMES


class ScoreCommand(ProductsCommand):
    """Lists the columns of rows to score."""

    kind = RowKind.SCORE


def _said_of(column: Column, kind: RowKind) -> str:
    needed = column.needed.get(kind, "")
    required = f" Required{'' if needed == 'yes' else ': ' + needed}." if needed else ""
    return f"{column.form}. {column.meaning[kind]}{required}".replace("`", "")


def reading_options(
    currency: str | None,
    columns: Sequence[str] | None,
    constants: Sequence[str] | None,
    numbers_and_times: tuple[str | None, str | None, str | None],
) -> "ReadingOptions":
    """Options of a command as readers take them; `numbers_and_times` are decimal mark, time zone and date format.

    Raises:
        ImportFormatError: An option is not of its form.
    """
    from agent.service.ingest.reading import ReadingOptions, read_decimal, read_pairs, read_timezone

    decimal, zone, date_format = numbers_and_times
    return ReadingOptions(
        currency=currency,
        mapping=read_pairs("column", columns or (), "theirs=ours, such as sku=product_id"),
        constants=read_pairs("const", constants or (), "column=value, such as type=purchase"),
        decimal=read_decimal(decimal),
        timezone=read_timezone(zone),
        date_format=date_format or "",
    )


def note_facts(notes: "Notes") -> Mapping[str, str]:
    """Findings about a file in words: columns that are not used, and why; what was noted of its rows."""
    ignored = [f"{name} ({why})" if why else name for name, why in notes.ignored.items()]
    remarks = [f"{name} {why}" for name, why in notes.remarks.items()]
    columns = {"ignored columns": "; ".join(ignored) or "none"}
    return columns | ({"columns to check": "; ".join(remarks)} if remarks else {}) | notes.lines()
