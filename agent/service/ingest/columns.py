"""Columns of the files that `import` and `score` read: one table for readers, help texts and the reference."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from agent.domain.records import EventType


class RowKind(StrEnum):
    """Kind of rows in a file."""

    PRODUCTS = "products"
    EVENTS = "events"
    OUTCOMES = "outcomes"
    SCORE = "score"


class Form(StrEnum):
    """Form of a column's cells, in words."""

    ID = "id, at most 200 characters"
    SHORT = "text, at most 200 characters"
    TITLE = "text, at most 500 characters"
    LONG = "text, at most 20,000 characters"
    WORDS = "text, at most 2,000 characters"
    PRICE = "major units, such as 12.99"
    PRICES = "major units; one price or several"
    COUNT = "whole number"
    RATING = "number, 0 to 5"
    FRACTION = "fraction, 0 to 1"
    POSITIVE = "number above 0"
    TIME = "RFC 3339 time, such as 2026-01-31T12:00:00Z"
    TRUTH = "1 or 0, true or false, yes or no"
    CODE = "ISO 4217 code, such as EUR"
    ANY = "number or text, at most 1,000 characters"
    TREND = "-1 to 1, or a word such as rising"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its form, its meaning in each kind of rows that takes it, and where it is needed.

    Attributes:
        needed: By kind: `yes`, or the condition in words.
    """

    name: str
    form: Form
    meaning: Mapping[RowKind, str]
    needed: Mapping[RowKind, str]

    @property
    def is_prefix(self) -> bool:
        """Whether the name stands for any name that begins like it, such as `profile.X`."""
        return self.name.endswith(".X")


_P, _E, _O, _S = RowKind.PRODUCTS, RowKind.EVENTS, RowKind.OUTCOMES, RowKind.SCORE
_SITUATION: Final = (_O, _S)


def _column(name: str, form: Form, meaning: Mapping[RowKind, str], **needed: str) -> Column:
    return Column(name, form, meaning, {RowKind(kind): text for kind, text in needed.items()})


def _of(kinds: tuple[RowKind, ...], meaning: str) -> dict[RowKind, str]:
    return dict.fromkeys(kinds, meaning)


_INLINE: Final = "Stands for the product's own in this row."
_AT_WRITTEN: Final = "Time at which it happened."

COLUMNS: Final = (
    _column(
        "event_id",
        Form.ID,
        {_E: "Your id. Without one, content and number among identical rows of the file are its identity."},
    ),
    _column(
        "outcome_id",
        Form.ID,
        {_O: "Your id. Without one, content and number among identical rows of the file are its identity."},
    ),
    _column(
        "shopper_id",
        Form.ID,
        {_E: "Your id of the shopper."} | _of(_SITUATION, "The shopper; absent for a stranger."),
        events="yes",
    ),
    _column("type", Form.SHORT, {_E: f"One of: {', '.join(EventType)}."}, events="yes"),
    _column(
        "product_id",
        Form.ID,
        {
            _P: "Your id. A known product is updated.",
            _E: "The product.",
            _O: "The product that was offered.",
            _S: "A known product.",
        },
        products="yes",
        events="or text",
        outcomes="yes",
        score="or list_price with a description",
    ),
    _column("title", Form.TITLE, {_P: "Name as shoppers see it; else brand and category, else the id.", _S: _INLINE}),
    _column("description", Form.LONG, {_P: "Longer text, for the encoder.", _S: _INLINE}),
    _column("category", Form.SHORT, {_P: "Category; effects, interest and rules go by it.", _S: _INLINE}),
    _column("brand", Form.SHORT, {_P: "Brand.", _S: _INLINE}),
    _column(
        "price",
        Form.PRICE,
        {
            _E: "Price paid for a unit.",
            _O: "Price that the shopper was shown, above 0.",
            _S: "Price to score, above 0.",
        },
        outcomes="yes",
        score="yes",
    ),
    _column(
        "reference_price",
        Form.PRICE,
        {
            _O: "Price for everyone at that moment; else the product's list price, so import products first.",
            _S: "Price for everyone at that moment; it comes before `list_price`.",
        },
    ),
    _column(
        "list_price",
        Form.PRICE,
        {_P: "Price for everyone, above 0.", _E: "Price for everyone at that moment.", _S: _INLINE},
        products="new products",
    ),
    _column(
        "cost",
        Form.PRICE,
        {
            _P: "Cost of a unit to you. Without cost and `min_price` nothing is personalised.",
            _O: "Cost of a unit to you at that moment; changes of cost show how price moves demand.",
            _S: _INLINE,
        },
    ),
    _column("inventory", Form.COUNT, {_P: "Units in stock; below 0 (oversold) counts as 0.", _S: _INLINE}),
    _column(
        "rating",
        Form.RATING,
        {
            _P: "Rating by shoppers.",
            _O: "The shopper's rating of what was bought, 1 to 5; satisfaction is learned from it.",
            _S: _INLINE,
        },
    ),
    _column("min_price", Form.PRICE, {_P: "Lowest price.", _S: "A quote's limit; checked, no part of a score."}),
    _column("max_price", Form.PRICE, {_P: "Highest price.", _S: "A quote's limit; checked, no part of a score."}),
    _column("map_price", Form.PRICE, {_P: "Minimum advertised price."}),
    _column("min_margin", Form.FRACTION, {_S: "A quote's limit; checked, no part of a score."}),
    _column("max_discount", Form.FRACTION, {_S: "A quote's limit; checked, no part of a score."}),
    _column(
        "currency",
        Form.CODE,
        {
            _P: "Currency of the row's prices; else --currency, else the stored product's.",
            **_of((_E, _O, _S), "Currency of the row's prices, its product's; else --currency, else the product's."),
        },
    ),
    _column("bought", Form.TRUTH, {_O: "Whether the offer was taken."}, outcomes="yes"),
    _column(
        "returned",
        Form.TRUTH,
        {_O: "Whether what was bought was returned; empty: not known. Satisfaction is learned from it."},
    ),
    _column("quantity", Form.COUNT, _of((_E, _O, _S), "Units; 1 when absent.")),
    _column(
        "at",
        Form.TIME,
        {
            _E: _AT_WRITTEN,
            _O: "Time at which the price was shown.",
            _S: "Only what was known before it is used; else now.",
        },
        events="yes",
        outcomes="yes",
    ),
    _column("text", Form.WORDS, {_E: "Search words, for example."}, events="or product_id"),
    _column(
        "propensity",
        Form.POSITIVE,
        {_O: "Probability of showing this price, where prices were drawn by chance."},
    ),
    _column(
        "weight",
        Form.POSITIVE,
        {_O: "Offers that the row stands for, else 1. Where 2 % of declines were kept: 50."},
    ),
    _column("profile.X", Form.ANY, {_E: "Describes the shopper."} | _of(_SITUATION, "Known of the shopper.")),
    _column("context.inventory", Form.COUNT, _of(_SITUATION, "Units left at that moment.")),
    _column(
        "context.competitor_prices",
        Form.PRICES,
        _of(_SITUATION, "Prices of rivals: a list in NDJSON and Parquet, separated by `;` or `|` in CSV."),
    ),
    _column("context.market_trend", Form.TREND, _of(_SITUATION, "Trend of the market.")),
    _column(
        "context.promotion.display",
        Form.TRUTH,
        _of(_SITUATION, "Featured place: end of an aisle, top of a page. Empty: not known."),
    ),
    _column(
        "context.promotion.mailer",
        Form.TRUTH,
        _of(_SITUATION, "Advertised to everyone: leaflet, newsletter. Empty: not known."),
    ),
    _column("context.season", Form.SHORT, _of(_SITUATION, "Season.")),
    _column("context.location", Form.SHORT, _of(_SITUATION, "Place.")),
    _column("context.jurisdiction", Form.SHORT, _of(_SITUATION, "Law that holds, such as US-NY.")),
    _column("context.channel", Form.SHORT, _of(_SITUATION, "Channel, such as app.")),
    _column("context.deadline", Form.TIME, _of(_SITUATION, "End of the offer: end of sale, departure.")),
    _column("context.X", Form.ANY, _of(_SITUATION, "Anything else of the situation.")),
    _column("attributes.X", Form.ANY, {_P: "An attribute. Any other column is one, too; at most 100.", _S: _INLINE}),
)

OTHER_SPELLINGS: Final = {"context.competitor_price": "context.competitor_prices"}
"""Spellings that are taken beside the table's, each for one of ours."""

MONEY: Final = frozenset(("list_price", "cost", "min_price", "max_price", "map_price", "currency"))
"""Columns of products that decide what may be charged: a name close to one of them stops an import."""


def columns_of(kind: RowKind) -> tuple[Column, ...]:
    """Columns that a kind of rows takes, needed ones first."""
    return tuple(sorted((one for one in COLUMNS if kind in one.meaning), key=lambda one: one.needed.get(kind) != "yes"))


def names_of(kind: RowKind) -> frozenset[str]:
    """Names of the columns that a kind of rows takes, without those that stand for many."""
    return frozenset(one.name for one in COLUMNS if kind in one.meaning and not one.is_prefix)


def needed_by(kind: RowKind) -> tuple[str, ...]:
    """Names of the columns without which no row of a kind can be read."""
    return tuple(one.name for one in COLUMNS if one.needed.get(kind) == "yes")
