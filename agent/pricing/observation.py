"""What one request became after step 1: cleaned, joined with what the store knows, point in time."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.domain.decision import Decision, IgnoredInput
from agent.domain.records import ProductRecord, Shown
from agent.domain.request import QuoteRequest
from agent.rules.exploration import Exploration
from agent.rules.terms import Terms
from models.evaluator.lesson import Term
from models.evaluator.monotone import sigmoid
from models.evaluator.value import Stock
from models.shopper.features import Subject
from models.shopper.history import RecentItems
from models.shopper.item_affinity import Buyer
from models.strategist.strategy import AnchorPrices


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Limits that came with one request, in minor units and fractions; the tighter of these and the merchant's hold."""

    min_minor: int | None = None
    max_minor: int | None = None
    min_margin_frac: float | None = None
    max_discount_frac: float | None = None


@dataclass(frozen=True, slots=True)
class Market:
    """The context of a request, shopper apart.

    Attributes:
        rival_minor: Cheapest competitor price.
        trend: -1 falling .. 1 rising.
        hours_left: Until the deadline in the request's context (end of sale, departure), None without one.
    """

    rival_minor: int | None = None
    trend: float = 0.0
    season: str = ""
    jurisdiction: str | None = None
    hours_left: float | None = None
    stock: Stock = field(default_factory=Stock)


@dataclass(frozen=True, slots=True)
class Past:
    """What a shopper's past and session say at one moment, whatever the product.

    Attributes:
        text: Behaviour in words, for the encoder.
    """

    text: str
    buyer: Buyer
    recent: RecentItems


@dataclass(frozen=True, slots=True)
class Situation:
    """What the models read of one request.

    Attributes:
        behaviour_s: The moment that features are asked for, Unix seconds on the behaviour clock
            (`agent.domain.clock.StoreClock`).
        product_id: None when the product was described inline without an id.
        past: Of the shopper; a stranger's when the shopper is unknown or opted out.
        features: `models.shopper.features.FEATURES` of shopper and product.
        intent: Interest shown in this product in this session, 0-4.
        loyalty: `new`, `occasional`, `regular` or `lapsed` in the product's category.
        terms: The effects learned online that this situation touches.
    """

    behaviour_s: float
    product: ProductRecord
    product_id: str | None
    quantity: int
    reference_minor: int
    anchors: AnchorPrices
    limits: RequestLimits
    market: Market
    past: Past
    features: list[float]
    intent: float
    loyalty: str
    terms: tuple[Term, ...]
    subject: Subject

    def parts(self) -> Mapping[str, Any]:
        """Its fields by name."""
        return {name: getattr(self, name) for name in Situation.__slots__}

    @property
    def currency(self) -> str:
        """Of every amount."""
        return self.product.currency

    @property
    def unit_cost(self) -> float:
        """Cost of a unit in minor units; where only a floor is known it stands in: profit is what lies above."""
        cost = self.product.cost_minor
        if cost is None:
            floors = [f for f in (self.product.floor_minor, self.limits.min_minor) if f is not None]
            cost = max(floors, default=0)
        return float(cost)


@dataclass(frozen=True, slots=True)
class Observation(Situation):
    """One observed request: its situation, what its price may be, and what its record will say.

    Attributes:
        at: Wall-clock time of the decision.
        arrived_s: When the request arrived, by `time.perf_counter`.
        began_s: When its turn came.
        merchant: What the merchant's rules in effect come to for this product.
        holds_reference: Why no personalised price may be made, None when one may. `killed` is the kill switch's
            reason when that is why.
        live: What the shopper was quoted for this product and quantity, while that quote lives.
        request: What was asked, as far as it enters: protected and unused parts out, profile and moment fixed.
        inputs_used: Names of the inputs that enter the decision if it is personalised.
        shown: Prices that the shopper was shown for this product lately; only where the merchant caps their spread.
        stranger_minor: What somebody unknown would pay, where a law bounds the price by it.
    """

    at: datetime
    shopper_id: str | None
    fraction_digits: int
    merchant: Terms
    opted_out: bool
    holds_reference: str | None
    inputs_used: tuple[str, ...]
    inputs_ignored: tuple[IgnoredInput, ...]
    deadline_ms: int
    arrived_s: float
    began_s: float
    request: QuoteRequest
    last_price_minor: int | None = None
    killed: str | None = None
    shown: Shown | None = None
    stranger_minor: int | None = None
    live: Decision | None = None

    @property
    def held_minor(self) -> int | None:
        """The price that this shopper was quoted and that may stand; the gateway says whether it does."""
        live = self.live
        if live is None or self.opted_out or self.holds_reference is not None or live.currency != self.currency:
            return None
        return live.price_minor

    def left_ms(self) -> float:
        """Time until the deadline, negative when it has passed; what the request waited counts."""
        return self.deadline_ms - (perf_counter() - self.arrived_s) * 1e3

    @property
    def waited_ms(self) -> float:
        """How long it waited for its turn."""
        return (self.began_s - self.arrived_s) * 1e3

    @property
    def explores(self) -> bool:
        """Whether the merchant lets prices of this product be varied to learn."""
        return self.merchant.selection.exploration is not Exploration.OFF

    @property
    def may_rise(self) -> bool:
        """Whether the merchant lets this price lie above the reference."""
        return not self.merchant.limits.never_above_reference


@dataclass(frozen=True, slots=True)
class Encoded:
    """Encoder states of a batch, `(n, 384)` each, interest logits and log affinities `(n,)`, feature rows."""

    shopper: NDArray[np.float32]
    product: NDArray[np.float32]
    interest_logit: NDArray[np.float32]
    affinity: NDArray[np.float32]
    features: NDArray[np.float32]

    @property
    def interest(self) -> NDArray[np.float64]:
        """`I_u(c)`, 0-1."""
        return sigmoid(self.interest_logit.astype(np.float64))
