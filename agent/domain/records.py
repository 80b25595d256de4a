"""What the store keeps: products, shoppers, events, outcomes and weekly product facts.

All times are timezone-aware UTC; all money is integer minor units beside its ISO 4217 currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Attribute = str | float | bool


class EventType(StrEnum):
    """Behaviour that a shop can report."""

    VIEW = "view"
    CLICK = "click"
    SEARCH = "search"
    ADD_TO_CART = "add_to_cart"
    REMOVE_FROM_CART = "remove_from_cart"
    WISHLIST = "wishlist"
    PURCHASE = "purchase"


class OutcomeType(StrEnum):
    """What became of a quote."""

    PURCHASED = "purchased"
    DECLINED = "declined"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """One product as the merchant describes it.

    `list_minor` is the shelf price that everyone may pay; `floor_minor`, `ceiling_minor` and `map_minor`
    (minimum advertised price) are per-product limits that the gateway enforces.
    """

    product_id: str
    title: str
    currency: str
    list_minor: int | None = None
    cost_minor: int | None = None
    description: str = ""
    category: str = ""
    brand: str = ""
    inventory: int | None = None
    rating: float | None = None
    floor_minor: int | None = None
    ceiling_minor: int | None = None
    map_minor: int | None = None
    attributes: Mapping[str, Attribute] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One act of one shopper. `price_minor` and `list_minor` are per unit; one `event_id` is kept once."""

    shopper_id: str
    type: EventType
    at: datetime
    product_id: str | None = None
    quantity: int = 1
    price_minor: int | None = None
    list_minor: int | None = None
    currency: str | None = None
    text: str = ""
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """An offer that a shopper saw and what followed.

    `quote_id` is None for imported outcomes. `weight` is the inverse sampling rate when a log was subsampled.
    `propensity` is the probability (density) with which the offered price was chosen, when known. `profile` and
    `context` are the situation of an imported outcome; that of a quote is in its decision. In a context
    `competitor_prices` is the cheapest one in minor units, `deadline` RFC 3339.
    """

    outcome_id: str
    shopper_id: str | None
    product_id: str | None
    currency: str
    price_minor: int
    reference_minor: int | None
    type: OutcomeType
    quantity: int
    at: datetime
    quote_id: str | None = None
    propensity: float | None = None
    weight: float = 1.0
    profile: Mapping[str, Attribute] | None = None
    context: Mapping[str, Attribute] | None = None


@dataclass(frozen=True, slots=True)
class ProductWeek:
    """Sales and prices of one product in one week (Monday 00:00 UTC)."""

    product_id: str
    week: datetime
    purchases: int
    list_minor: int | None
    price_minor: int | None


@dataclass(frozen=True, slots=True)
class AppliedPrice:
    """A price that everybody could pay on one day (UTC, counted from 1970); `at` is when that was first seen."""

    product_id: str
    currency: str
    day: int
    price_minor: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """Prices that a shopper was shown for a product: how many, their mean, the mean of their squares; minor units."""

    count: int
    mean: float
    mean_square: float


@dataclass(frozen=True, slots=True)
class ShopperRecord:
    """What the merchant told us of a shopper, protected attributes included: `observe` drops them."""

    shopper_id: str
    profile: Mapping[str, Attribute]
    personalisation: bool = True


class RuleEventKind(StrEnum):
    """What was decided of one version of the merchant's rules."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVATED = "activated"
    ENDED = "ended"
    """The activation `of_seq` is taken back."""


@dataclass(frozen=True, slots=True)
class RuleEvent:
    """One decision on one version; `document` (JSON) comes with its proposal, the times with its activation."""

    seq: int
    kind: RuleEventKind
    version: int
    at: datetime
    by: str
    note: str
    document: str | None = None
    active_from: datetime | None = None
    active_until: datetime | None = None
    of_seq: int | None = None
