"""Options of an import: one definition for the command line and for HTTP, whose names, meanings and checks agree."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from agent.service.ingest.errors import OptionError
from agent.service.ingest.intake import ImportOptions
from agent.service.ingest.reading import (
    ReadingOptions,
    Shop,
    check_currency,
    check_date_format,
    read_decimal,
    read_pairs,
    read_timezone,
)
from agent.service.ingest.report import ImportKind

_MOST_PAIRS: Final = 200
_LONGEST: Final = 500
_TIMES: Final = ("timezone", "date_format")
_OF_PRODUCTS: Final = ("attribute", "from", "replace")


class ImportRequest(BaseModel):
    """Kind of rows in a file, and the form in which they are written."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    kind: ImportKind = Field(description="Kind of rows: products, events or outcomes.")
    currency: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="Currency of rows that name none, for example USD. Default: their product's.",
    )
    column: tuple[str, ...] = Field(
        default=(),
        max_length=_MOST_PAIRS,
        description="Read your column under our name, for example sku=product_id. Repeatable.",
    )
    const: tuple[str, ...] = Field(
        default=(),
        max_length=_MOST_PAIRS,
        description="Give every row a cell that the file does not have, for example type=purchase. Repeatable.",
    )
    decimal: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="Read numbers written for people: point for 1,234.56 or $12.00, comma for 1.234,56 or 9,50 EUR. "
        "Without it numbers must be plain, such as 12.99, and 1.250 is refused, as it may be 1.25 or 1,250.",
    )
    timezone: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="Zone of times without one, for example Europe/Berlin; a bare date is its midnight.",
    )
    date_format: str | None = Field(
        default=None,
        max_length=_LONGEST,
        description="Form of times other than RFC 3339: as for strptime, for example %m/%d/%Y, or epoch-seconds or "
        "epoch-milliseconds.",
    )
    attribute: tuple[str, ...] = Field(
        default=(),
        max_length=_MOST_PAIRS,
        description="Take your column as an attribute, although its name is near that of a price. Repeatable.",
    )
    shop: Shop | None = Field(
        default=None, alias="from", description="Read the product export of a shop system, one product a variant."
    )
    replace: bool = Field(default=False, description="Take each row as the whole product: what it lacks is dropped.")
    accept_suspicious: bool = Field(
        default=False,
        description="Import rows too that are probably wrong, such as prices in cents beside dollars.",
    )
    into_demo: bool = Field(
        default=False, description="Import into the demo store on purpose; else it refuses own data."
    )
    dry_run: bool = Field(
        default=False, description="Read and check the whole file, and report on every row, but store nothing."
    )


def option_names(kind: ImportKind) -> list[str]:
    """Names of the options that files of a kind take."""
    others = _TIMES if kind is ImportKind.PRODUCTS else _OF_PRODUCTS
    names = [field.alias or name for name, field in ImportRequest.model_fields.items() if name != "kind"]
    return [name for name in names if name not in others]


def meaning(name: str) -> str:
    """Description of an option by its name in `ImportRequest`."""
    return ImportRequest.model_fields[name].description or ""


def option_errors(asked: ImportRequest) -> list[OptionError]:
    """Every option that is not of its form, or that files of the kind do not take."""
    given = asked.model_dump(by_alias=True, exclude_defaults=True)
    allowed = option_names(asked.kind)
    named = ", ".join(map(_hyphened, allowed))
    foreign = given.keys() - {"kind", *allowed}
    found = [OptionError(_hyphened(name), f"is no option of {asked.kind}", "", named) for name in foreign]
    for read in _readers(asked).values():
        try:
            read()
        except OptionError as error:
            found.append(error)
    return sorted(found, key=lambda error: error.option)


def import_options(asked: ImportRequest, shop_currency: str | None = None) -> ImportOptions:
    """Options as the import takes them; `shop_currency` is that of rows for which nothing else names one.

    Raises:
        OptionError: The first one that is not of its form.
    """
    read: Mapping[str, Any] = {name: reader() for name, reader in _readers(asked).items()}
    reading = ReadingOptions(
        currency=asked.currency or shop_currency,
        mapping=read["column"],
        attributes=frozenset(asked.attribute),
        constants=read["const"],
        decimal=read["decimal"],
        timezone=read["timezone"],
        date_format=asked.date_format or "",
        shop=asked.shop,
        replace=asked.replace,
    )
    return ImportOptions(reading, asked.accept_suspicious)


def _readers(asked: ImportRequest) -> dict[str, Callable[[], object]]:
    return {
        "currency": lambda: check_currency(asked.currency),
        "column": lambda: read_pairs("column", asked.column, "theirs=ours, such as sku=product_id"),
        "const": lambda: read_pairs("const", asked.const, "column=value, such as type=purchase"),
        "decimal": lambda: read_decimal(asked.decimal),
        "timezone": lambda: read_timezone(asked.timezone),
        "date_format": lambda: check_date_format(asked.date_format or ""),
    }


def _hyphened(name: str) -> str:
    return name.replace("_", "-")
