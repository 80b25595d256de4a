"""Situations: requests as the models read them, joined with shopper, catalogue and market; no limits, no prices yet.

`Subject` (ids and words of a product), `Stock` (units left and the opportunity cost of one), `Buyer` and `RecentItems`
(earlier purchases), `Term` (an effect learned online) and `AnchorPrices` (prices that strategies start from) are used
as the models define them.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from agent.domain.decision import IgnoredInput
from agent.domain.records import ProductRecord
from agent.domain.request import Promotion, SessionEvent
from agent.rules.competitor_prices import UsablePrices
from agent.rules.price_limits import RequestLimits
from agent.rules.screening import Screened
from models.evaluator.lesson import Term
from models.evaluator.utility import Stock
from models.shopper.features import ShopperFeatures, Subject
from models.shopper.history import RecentItems, ShopperHistory
from models.shopper.item_affinity import Buyer
from models.strategist.strategy import AnchorPrices


@dataclass(frozen=True, slots=True)
class Past:
    """A shopper's past and session at one moment, whatever the product.

    Attributes:
        text: Behaviour in words, for the encoder.
    """

    text: str
    buyer: Buyer
    recent: RecentItems


@dataclass(frozen=True, slots=True)
class ShopperView:
    """A shopper after screening: what may be used of them.

    Attributes:
        screened: The profile without protected attributes.
        history: Purchases and views, session included; the reader overwrites it at its next shopper or moment.
        has_history: Whether anything was known before this session.
        events: This session's, their texts screened.
        event_ignored: Parts of the session's texts that were left out.
    """

    shopper_id: str | None
    opted_out: bool
    screened: Screened
    history: ShopperHistory
    past: Past
    has_history: bool = False
    events: tuple[SessionEvent, ...] = ()
    event_ignored: tuple[IgnoredInput, ...] = ()


@dataclass(frozen=True, slots=True)
class Visit:
    """One shopper in one context, whatever the product: the requests of a page share it.

    Attributes:
        at: The moment priced, by the wall clock; `behaviour_s` is it on the behaviour clock, Unix seconds.
        legal_day: Day whose law holds: of the decision, not of the moment priced.
        words: Further words and numbers of the context, screened.
        rivals: Competitors' prices that the law lets enter.
        promotion, trend, season, hours_left: As in `Market`.
        features: Numeric features of the shopper, product by product.
        terms: Effects of shopper and market that were worked out, by what they depend on beside the visit.
    """

    at: datetime
    behaviour_s: float
    legal_day: date
    shopper: ShopperView
    words: Screened
    rivals: UsablePrices
    promotion: Promotion | None
    trend: float
    season: str
    hours_left: float | None
    features: ShopperFeatures
    terms: dict[Hashable, tuple[Term, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sold:
    """A product as one request sells it, whoever asks.

    Attributes:
        product_id: None when the product was described inline without an id.
        terms: Effects of the product, learned online.
    """

    product: ProductRecord
    product_id: str | None
    reference_minor: int
    subject: Subject
    terms: tuple[Term, ...]


@dataclass(frozen=True, slots=True)
class Market:
    """The context of a request, shopper apart.

    Attributes:
        rival_minor: Cheapest competitor price.
        promotion: How the product is promoted, None when nothing is known.
        trend: -1 falling .. 1 rising.
        hours_left: Until the deadline in the request's context (end of sale, departure), None without one.
    """

    rival_minor: int | None = None
    promotion: Promotion | None = None
    trend: float = 0.0
    season: str = ""
    jurisdiction: str | None = None
    hours_left: float | None = None
    stock: Stock = field(default_factory=Stock)


@dataclass(frozen=True, slots=True)
class Situation:
    """One request as the models read it.

    Attributes:
        behaviour_s: The moment that features are computed for, Unix seconds on the behaviour clock
            (`agent.domain.clock.StoreClock`).
        product_id: None when the product was described inline without an id.
        past: Of the shopper; a stranger's when the shopper is unknown or opted out.
        features: `models.shopper.features.FEATURES` of shopper and product.
        intent: Strength of this session's events on this product, 0 (none) to 4.
        loyalty: `new`, `occasional`, `regular` or `lapsed` in the product's category.
        terms: Effects learned online that apply here.
        as_listed: The catalogue's product at the catalogue's list price is sold, so that its price history applies.
    """

    behaviour_s: float
    product: ProductRecord
    product_id: str | None
    quantity: int
    reference_minor: int
    anchors: AnchorPrices
    request_limits: RequestLimits
    market: Market
    past: Past
    features: list[float]
    intent: float
    loyalty: str
    terms: tuple[Term, ...]
    subject: Subject
    as_listed: bool

    def parts(self) -> Mapping[str, Any]:
        """Its fields by name, to build an `Observation` from."""
        return {name: getattr(self, name) for name in Situation.__slots__}

    @property
    def currency(self) -> str:
        """Of every amount."""
        return self.product.currency

    @property
    def unit_cost(self) -> float:
        """Cost of a unit in minor units; where it is unknown, the product's or request's floor, else 0."""
        return unit_cost(self.product, self.request_limits.min_minor)


def unit_cost(product: ProductRecord, min_minor: int | None) -> float:
    """Cost of a unit in minor units; where it is unknown, the product's or request's floor, else 0."""
    cost = product.cost_minor
    if cost is None:
        cost = max((floor for floor in (product.floor_minor, min_minor) if floor is not None), default=0)
    return float(cost)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A situation, and the visit that it was read from."""

    situation: Situation
    visit: Visit
