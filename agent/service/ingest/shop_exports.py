"""Product exports of shop systems as rows of our columns: one row a variant, which is what is sold and priced.

The list price is what everybody pays now: Shopify's price, WooCommerce's sale price while it is valid. The higher price
that a shop strikes through beside it is a claim about the past, so it is not read: what may be said of a reduction
follows from prices that were really charged.
"""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from html.parser import HTMLParser
from typing import Any, Final

from agent.service.ingest.errors import ImportFormatError
from agent.service.ingest.near_misses import spelled
from agent.service.ingest.readers import FileRow
from agent.service.ingest.reading import Note, Reading, Shop

_MARKS: Final[Mapping[Shop, tuple[tuple[str, ...], ...]]] = {
    Shop.SHOPIFY: (("Handle", "Variant Price"), ("URL handle", "Price")),
    Shop.WOOCOMMERCE: (("Type", "Name", "Regular price"),),
    Shop.MEDUSA: (("Product Handle", "Variant Title"), ("Product Handle", "Variant SKU")),
}
_PRICE_OF: Final = re.compile(r"(?:Variant )?Price \[?([A-Za-z]{3})\]?", re.ASCII | re.IGNORECASE)
_DEFAULTS: Final = frozenset(("default title", "default", "default variant", "default option value"))
_NOT_SOLD: Final = frozenset(("variable", "grouped"))
_COSTS: Final = ("Cost of goods", "Cost of goods sold", "Meta: _wc_cog_cost", "Meta: _alg_wc_cog_cost")
_STRUCK: Final = "a price that is struck through; what everybody pays is the list price"
_BLOCKS: Final = frozenset(("p", "br", "div", "li", "ul", "ol", "tr", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6"))
_SHARED: Final = {"title", "description", "category", "brand"}  # what a first or parent row says of all
_FURTHER: Final = 10  # options or attributes of a product

Values = Mapping[str, str]
"""Cells of one row by the spelling of its column; empty ones are absent."""


class _Text(HTMLParser):
    """Collects the text of HTML; blocks are set apart by spaces, scripts and styles are left out."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style")
        if tag in _BLOCKS:
            self.parts.append(" ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style") and self._hidden > 0
        if tag in _BLOCKS:
            self.parts.append(" ")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def text_of_html(html: str) -> str:
    """The text of a description in HTML, in one line."""
    parser = _Text()
    parser.feed(html.replace("\\n", "\n"))
    parser.close()
    return " ".join("".join(parser.parts).split())


def recognise(names: Sequence[str]) -> Shop | None:
    """The shop system whose product export has these columns; None for any other file."""
    have = set(map(spelled, names))
    return next(
        (shop for shop, sets in _MARKS.items() if any(have.issuperset(map(spelled, marks)) for marks in sets)), None
    )


def converted(
    shop: Shop, file: str, table: tuple[Sequence[str], Iterator[FileRow]], reading: Reading
) -> tuple[tuple[str, ...], Iterator[FileRow]]:
    """Names and rows of an export under our names; columns that options name go through as they are.

    Raises:
        ImportFormatError: The file is no product export of that shop system, or has prices in several currencies and
            no option says which.
    """
    names, rows = table
    found = recognise(names)
    if found is not shop:
        needed = " or ".join(" and ".join(marks) for marks in _MARKS[shop])
        remedy = f"--from {found}" if found else "leave out --from, and name columns with --column theirs=ours"
        raise ImportFormatError(
            f"{file} is not a product export of {shop}, which has the columns {needed}; its columns: "
            f"{', '.join(map(repr, names))}; remedy: {remedy}"
        )
    exports: Mapping[Shop, Callable[[str, Sequence[str], Reading], _Export]] = {
        Shop.SHOPIFY: _Shopify,
        Shop.WOOCOMMERCE: _WooCommerce,
        Shop.MEDUSA: _Medusa,
    }
    export = exports[shop](file, names, reading)
    options = reading.options
    kept = [name for name in names if name in options.mapping or name in options.attributes]
    for name in names:
        if name not in kept and spelled(name) not in export.used and name.strip():
            reading.notes.ignore(name, _STRUCK if spelled(name) in export.struck else "")
    return (*export.columns, *kept), _rows(export, kept, rows, reading)


def _rows(export: "_Export", kept: Sequence[str], rows: Iterator[FileRow], reading: Reading) -> Iterator[FileRow]:
    for row in rows:
        if row.problem:
            yield row
            continue
        cells = dict(zip(row.names, row.values, strict=True))
        values = {spelled(name): text for name, cell in cells.items() if (text := _text(cell))}
        try:
            product = export.product(values)
        except ValueError as error:
            yield row._replace(problem=str(error))
            continue
        if product is None:
            reading.notes.add(Note.NOT_SOLD, f"line {row.line}")
            continue
        full = {**product, **{name: cells[name] for name in kept}}
        yield FileRow(row.line, tuple(full), tuple(full.values()))


def _text(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


class _Export(ABC):
    """Columns of one export, and the product that a row is.

    Attributes:
        columns: Our columns that its rows have.
        used: Spellings of the file's columns that are read.
        struck: Spellings of those that hold struck-through prices.
    """

    fields: Mapping[str, tuple[str, ...]] = {}
    struck: frozenset[str] = frozenset()
    options = ("", "")

    def __init__(self, file: str, names: Sequence[str], reading: Reading) -> None:
        self.reading = reading
        self._have = set(map(spelled, names))
        self.columns = [
            "product_id",
            *(ours for ours, theirs in self.fields.items() if self._have & {*map(spelled, theirs)}),
        ]
        further = {spelled(part.format(number)) for part in self.options for number in range(1, _FURTHER + 1)}
        self.used = {spelled(one) for theirs in self.fields.values() for one in theirs} | further

    def get(self, values: Values, *theirs: str) -> str:
        """The first of some cells that is not empty."""
        return next((found for one in theirs if (found := values.get(spelled(one)))), "")

    def named(self, values: Values) -> dict[str, str]:
        """Options or attributes of a row by name."""
        name, value = self.options
        pairs = ((self.get(values, name.format(n)), self.get(values, value.format(n))) for n in range(1, _FURTHER + 1))
        return {key: found for key, found in pairs if key and found}

    def read(self, values: Values, first: Values, product_id: str) -> dict[str, str]:
        """Our cells of a row; what it lacks stands in the `first` row of its product."""
        found = {ours: self.get(values, *self.fields[ours]) for ours in self.columns[1:]}
        shared = {ours: found[ours] or self.get(first, *self.fields[ours]) for ours in _SHARED & found.keys()}
        if "description" in found:
            shared["description"] = text_of_html(shared["description"])
        return {"product_id": product_id} | found | shared

    @abstractmethod
    def product(self, values: Values) -> dict[str, str] | None:
        """Our cells of the product that a row is, None where it is none."""


class _Shopify(_Export):
    """Shopify: rows of one handle are variants of one product; only the first has its title and description."""

    fields: Mapping[str, tuple[str, ...]] = {
        "title": ("Title",),
        "description": ("Body (HTML)", "Description"),
        "category": ("Type", "Product Category"),
        "brand": ("Vendor",),
        "list_price": ("Variant Price", "Price"),
        "cost": ("Cost per item",),
        "inventory": ("Variant Inventory Qty", "Inventory quantity"),
    }
    struck = frozenset(map(spelled, ("Variant Compare At Price", "Compare-at price")))
    options = ("Option{} Name", "Option{} Value")
    _tracker = ("Variant Inventory Tracker", "Inventory tracker")

    def __init__(self, file: str, names: Sequence[str], reading: Reading) -> None:
        super().__init__(file, names, reading)
        self.used |= {*map(spelled, ("Handle", "URL handle", "Variant SKU", "SKU", *self._tracker))}
        self._tracks = bool(self._have & {*map(spelled, self._tracker)})
        self._first: Values = {}

    def product(self, values: Values) -> dict[str, str] | None:
        handle = self.get(values, "Handle", "URL handle")
        if not handle:
            raise ValueError("has no handle; remedy: export the products again")
        if handle != self.get(self._first, "Handle", "URL handle"):
            self._first = values
        if not self.get(values, "Variant Price", "Price", "Variant SKU", "SKU"):
            return None  # a further picture
        named = [(self.get(self._first, f"Option{n} Name"), self.get(values, f"Option{n} Value")) for n in (1, 2, 3)]
        chosen = [(name, value) for name, value in named if value and value.casefold() not in _DEFAULTS]
        options = [value for _, value in chosen]
        found = self.read(values, self._first, self.get(values, "Variant SKU", "SKU") or ":".join([handle, *options]))
        found["title"] = ", ".join(filter(None, [found.get("title", ""), *options]))
        if self._tracks and not self.get(values, *self._tracker):
            found.pop("inventory", None)  # not tracked: its number means nothing
        return found | {f"attributes.{name}": value for name, value in chosen if name}


class _WooCommerce(_Export):
    """WooCommerce: variations are what is sold; their parents describe them."""

    fields: Mapping[str, tuple[str, ...]] = {
        "title": ("Name",),
        "description": ("Description", "Short description"),
        "category": ("Categories",),
        "brand": ("Brands", "Brand"),
        "list_price": ("Regular price", "Sale price"),
        "cost": _COSTS,
        "inventory": ("Stock", "In stock?"),
    }
    options = ("Attribute {} name", "Attribute {} value(s)")
    _dates = ("Date sale price starts", "Date sale price ends")

    def __init__(self, file: str, names: Sequence[str], reading: Reading) -> None:
        super().__init__(file, names, reading)
        self.used |= {*map(spelled, ("ID", "Type", "SKU", "Parent", *self._dates))}
        self._parents: dict[str, Values] = {}

    def product(self, values: Values) -> dict[str, str] | None:
        kinds = {part.strip().casefold() for part in self.get(values, "Type").split(",")}
        sku, number = self.get(values, "SKU"), self.get(values, "ID")
        if kinds & _NOT_SOLD:
            self._parents |= {key: values for key in (sku, f"id:{number}") if key}
            return None
        if not (sku or number):
            raise ValueError("has neither SKU nor ID; remedy: export the products again with both")
        found = self.read(values, self._parents.get(self.get(values, "Parent"), {}), sku or number)
        found["list_price"] = self._price(values)
        if "category" in found:
            found["category"] = found["category"].partition(",")[0].strip()
        if "inventory" in found:
            is_out = self.get(values, "In stock?") == "0"
            found["inventory"] = self.get(values, "Stock") or ("0" if is_out else "")
        return found | {f"attributes.{name}": value for name, value in self.named(values).items()}

    def _price(self, values: Values) -> str:
        """The sale price while it is valid, else the regular one."""
        sale = self.get(values, "Sale price")
        starts, ends = (_date(self.get(values, name)) for name in self._dates)
        today = self.reading.now.date()
        is_on = (starts is None or starts <= today) and (ends is None or today <= ends)
        return sale if sale and is_on else self.get(values, "Regular price")


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10]) if text else None
    except ValueError:
        raise ValueError(f"has the date {text[:20]!r} of a sale; allowed: such as 2026-01-31") from None


class _Medusa(_Export):
    """Medusa: one row a variant, one column a currency."""

    fields: Mapping[str, tuple[str, ...]] = {
        "title": ("Product Title",),
        "description": ("Product Description", "Product Subtitle"),
        "category": ("Product Category 1", "Product Categories", "Product Type", "Product Collection Title"),
        "list_price": (),
        "currency": (),
        "inventory": ("Variant Inventory Quantity",),
    }
    options = ("Option {} Name", "Option {} Value")

    def __init__(self, file: str, names: Sequence[str], reading: Reading) -> None:
        prices = {match.group(1).upper(): name for name in names if (match := _PRICE_OF.fullmatch(name.strip()))}
        wanted = reading.options.currency
        if (wanted is None and len(prices) != 1) or (wanted is not None and wanted not in prices):
            raise ImportFormatError(
                f"{file} has prices in {', '.join(sorted(prices)) or 'no currency'}"
                f"{f', none in {wanted}' if wanted else ''}; remedy: --currency with one of these"
            )
        self._currency = wanted or next(iter(prices))
        self.fields = {**self.fields, "list_price": (prices[self._currency],)}
        super().__init__(file, names, reading)
        self.columns.append("currency")
        self.used |= {*map(spelled, ("Product Id", "Product Handle", "Variant Id", "Variant Title", "Variant SKU"))}
        self.used.add(spelled("Variant Manage Inventory"))

    def product(self, values: Values) -> dict[str, str] | None:
        options = self.named(values)
        chosen = {name: value for name, value in options.items() if value.casefold() not in _DEFAULTS}
        product_id = self.get(values, "Variant SKU", "Variant Id")
        product_id = product_id or ":".join([self.get(values, "Product Handle"), *chosen.values()])
        found = self.read(values, {}, product_id) | {"currency": self._currency}
        variant = self.get(values, "Variant Title")
        if variant.casefold() not in _DEFAULTS and variant != found.get("title"):
            found["title"] = ", ".join(filter(None, [found.get("title", ""), variant]))
        if self.get(values, "Variant Manage Inventory").casefold() == "false":
            found.pop("inventory", None)
        return found | {f"attributes.{name}": value for name, value in chosen.items()}
