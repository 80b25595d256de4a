"""Records of the store: products, shoppers, events, outcomes, weekly facts, rule events.

Times are timezone-aware UTC; money is integer minor units beside its ISO 4217 currency.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

Attribute = str | float | bool


class EventType(StrEnum):
    """Type of a behaviour event."""

    VIEW = "view"
    CLICK = "click"
    SEARCH = "search"
    ADD_TO_CART = "add_to_cart"
    REMOVE_FROM_CART = "remove_from_cart"
    WISHLIST = "wishlist"
    PURCHASE = "purchase"
    DECLINE = "decline"
    """An offer that the shopper saw and left; recorded with every declined outcome."""


class OutcomeType(StrEnum):
    """Type of an outcome."""

    PURCHASED = "purchased"
    DECLINED = "declined"
    RETURNED = "returned"
    RATED = "rated"
    """A rating of something bought earlier, in `rating`."""


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product as described by the merchant.

    Attributes:
        list_minor: Shelf price, open to everyone.
        floor_minor, ceiling_minor, map_minor: Limits of the product's price that the gateway enforces; `map_minor` is
            the minimum advertised price.
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
    """A behaviour event of a shopper; prices are per unit, an `event_id` is stored once."""

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
    """An offer that a shopper saw, and what the shopper did.

    Attributes:
        quote_id: None for offers made elsewhere and imported.
        propensity: Probability (density) with which the offered price was chosen; None when unknown.
        weight: Inverse sampling rate of a subsampled log.
        cost_minor: Cost of a unit at that moment, of an imported offer; that of a quote is in its decision.
        profile, context: Situation of an imported offer; that of a quote is in its decision. In the context
            `competitor_prices` is the lowest one in minor units and `deadline` an RFC 3339 time.
        returned: Whether an imported sale was returned, None where not reported; at quotes returns are outcomes.
        rating: The shopper's rating of the product bought, 1-5; None without one.
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
    returned: bool | None = None
    rating: float | None = None
    cost_minor: int | None = None


@dataclass(frozen=True, slots=True)
class ProductWeek:
    """Sales and prices of a product in the week that begins at `week` (Monday 00:00 UTC), by currency.

    Attributes:
        currency: Of both prices; empty where the sales named none.
    """

    product_id: str
    week: datetime
    purchases: int
    list_minor: int | None
    price_minor: int | None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class ListPrice:
    """A list price as the catalogue had it from `at` on, until its next one; None while it had none."""

    product_id: str
    at: datetime
    currency: str
    list_minor: int | None


MOST_OFFERS: Final = 24
"""Offers of a product logged on one day; of further ones that day only those below all of them are."""


@dataclass(frozen=True, slots=True)
class AppliedPrice:
    """A change of the price of one unit that is open to everybody, from `at` on.

    Attributes:
        offer: The price of a quote made without personal data; else the shelf price, open to everyone until the next.
    """

    product_id: str
    currency: str
    price_minor: int
    at: datetime
    offer: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """Prices shown to a shopper for a product: their number, mean, and mean square, in minor units."""

    count: int
    mean: float
    mean_square: float


@dataclass(frozen=True, slots=True)
class ShopperRecord:
    """A shopper's profile and consent; protected attributes are stored, but dropped before any use."""

    shopper_id: str
    profile: Mapping[str, Attribute]
    personalisation: bool = True


class RuleEventKind(StrEnum):
    """Kind of a decision about a version of the merchant's rules."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    ACTIVATED = "activated"
    ENDED = "ended"
    """The activation `of_seq` was rolled back."""


@dataclass(frozen=True, slots=True)
class RuleEvent:
    """A decision about a version: `document` (JSON) belongs to a proposal, the active times to an activation."""

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
