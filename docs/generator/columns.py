"""The page of import columns, from the table that readers and help texts share."""

from typing import Final

from agent.service.ingest.columns import Column, RowKind, columns_of
from docs.generator.markdown import table

_INTRO: Final = """# Import columns

Files are CSV, TSV, Parquet, NDJSON or JSONL, text may be packed (`.csv.gz`), in UTF-8 (UTF-16 where the file says so).
CSV names its columns in the first line; the separator (comma, semicolon, tab or bar) is found, or named by a first
line `sep=;` as Excel writes. [Your own data](../guides/own-data.md#files-as-they-are) shows the options by example.

- **Names** are found whatever their case, spaces, hyphens, underscores and dots: `Min Price` is `min_price`. Other
  names are never guessed: one that comes close is named with the remedy. `--column theirs=ours` renames a column,
  `--const column=value` gives one to all rows; both may be repeated.
- **Prices** are decimals in major units (`2.99`), with no more digits than the currency has. The currency is the row's
  `currency`, else `--currency`, else the product's. Rows about a known product must be in its currency.
- **Numbers** are plain: `1234.50`. `--decimal point` also reads `1,234.50` and `$12.00`, `--decimal comma` reads
  `1.234,50`, `1 234,50` and `12,00 EUR`. Without it `1.250` is refused, as it may be 1.25 or 1,250.
- **Times** are RFC 3339 with a zone: `2026-01-31T12:00:00Z`. `--timezone` is the zone of those without one,
  `--date-format` the form of others.
- **Ids** have one form everywhere: composed, without invisible characters and outer white space. Whole floats of typed
  files lose their `.0`; ids in scientific notation are refused, as their digits are lost.
- Empty cells are absent.

Columns that are not used are named after the import (`ignored columns`). Bad rows are listed and skipped, suspicious
ones are set aside ([what becomes of each row](../guides/own-data.md#what-becomes-of-each-row)); the exit code is then
1."""
_PRODUCTS: Final = """Of a known product only what the file has changes: a missing column and an empty cell leave what
is stored. `--replace` takes each row as the whole product. Any other column becomes an attribute: a number where the
cell is one, else a text; a code such as `007` stays a text. A name that comes close to that of a price, a limit or the
currency stops the import, until `--column` or `--attribute` says what it is. `--from shopify`, `--from woocommerce`
and `--from medusa` read the product exports of these shops ([how](../guides/own-data.md#products-from-a-shop))."""
_SCORE: Final = """The output repeats the row and adds `purchase_probability`, `profit` and `satisfaction`, each with
`_low` and `_high` (90 %), and `currency`, `problem`, `note`. `profit` is the expected profit of the whole quantity in
major units of `currency`, as the price is; it is empty where the cost is unknown, which `note` says."""
_HEADINGS: Final = {
    RowKind.PRODUCTS: ("Products", _PRODUCTS),
    RowKind.EVENTS: ("Events", ""),
    RowKind.OUTCOMES: ("Outcomes", ""),
    RowKind.SCORE: ("Rows for `pricesmith score`", _SCORE),
}


def columns_page() -> str:
    """The columns of each kind of rows: whether they are needed, their form, their meaning."""
    sections = [_INTRO]
    for kind, (heading, told) in _HEADINGS.items():
        rows = [_row(one, kind) for one in columns_of(kind)]
        sections += [f"## {heading}", *([told] if told else []), table(("column", "required", "form", "meaning"), rows)]
    return "\n\n".join(sections) + "\n"


def _row(column: Column, kind: RowKind) -> tuple[str, ...]:
    return f"`{column.name}`", column.needed.get(kind, ""), column.form.value, column.meaning[kind]
