"""The flow: one batch of requests on its way through the seven steps, and the types that each step adds to it.

Read from the bottom: `Flow` lists what each step adds. The types above it stand in the order of the steps. Lists and
arrays have one row per observation, in the order of `Flow.observations`; money is in minor units of the row's currency.

Types of `models` are used as the evaluator defines them: `Subject` (ids and words of a product), `Stock` (units left
and the opportunity cost of one), `Buyer` and `RecentItems` (earlier purchases), `Term` (an effect learned online),
`AnchorPrices` (prices that strategies start from), `EvaluatorInputs` (the evaluator's input arrays).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agent.domain.decision import (
    Candidate,
    Decision,
    HeldReason,
    IgnoredInput,
    Origin,
    PastOutcome,
    Rung,
    SimilarProduct,
    Source,
)
from agent.domain.records import ProductRecord, Shown
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest, SessionEvent
from agent.rules.competitor_prices import UsablePrices
from agent.rules.effective_rules import EffectiveRules
from agent.rules.exploration import Exploration
from agent.rules.gateway import Guarded
from agent.rules.price_limits import PriceLimits, RequestLimits
from agent.rules.screening import Screened
from models.arrays import Floats
from models.evaluator.evaluator import EvaluatorInputs, Neighbours
from models.evaluator.lesson import Term
from models.evaluator.monotone import sigmoid
from models.evaluator.utility import Stock
from models.shopper.features import Subject
from models.shopper.history import RecentItems, ShopperHistory
from models.shopper.item_affinity import Buyer
from models.strategist.strategy import AnchorPrices, Strategy

# 1 observe


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
        cost = self.product.cost_minor
        if cost is None:
            floors = [f for f in (self.product.floor_minor, self.request_limits.min_minor) if f is not None]
            cost = max(floors, default=0)
        return float(cost)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A situation, and the screened parts of the request that it was read from.

    Attributes:
        shared: Further words and numbers of the context, screened.
        rivals: Competitors' prices that the law lets enter.
    """

    situation: Situation
    shopper: ShopperView
    shared: Screened
    rivals: UsablePrices


@dataclass(frozen=True, slots=True)
class Observation(Situation):
    """One observed request: its situation, its limits, and what its record will say.

    Attributes:
        at: Wall-clock time of the decision.
        arrived_s: When the request arrived, by `time.perf_counter`.
        began_s: When its batch began, by `time.perf_counter`.
        merchant: The merchant's rules in effect for this product.
        price_limits: Those rules joined with the product's, the request's and the law's.
        held: Why no personalised price may be made, None when one may.
        live: The unexpired quote of this shopper for this product and quantity.
        request: The request as recorded, to be priced again: protected and unused parts removed, profile and time set.
        inputs_used: Names of the inputs that enter the decision if it is personalised.
        shown: Prices that the shopper was shown for this product lately; only where the merchant caps their spread.
    """

    at: datetime
    shopper_id: str | None
    fraction_digits: int
    merchant: EffectiveRules
    price_limits: PriceLimits
    opted_out: bool
    held: HeldReason | None
    inputs_used: tuple[str, ...]
    inputs_ignored: tuple[IgnoredInput, ...]
    deadline_ms: int
    arrived_s: float
    began_s: float
    request: QuoteRequest
    last_price_minor: int | None = None
    shown: Shown | None = None
    live: Decision | None = None

    def with_last_price(self, price_minor: int | None) -> "Observation":
        """This observation after another last price."""
        limits = self.price_limits.with_last_price(price_minor)
        return replace(self, last_price_minor=price_minor, price_limits=limits)

    @property
    def standing_minor(self) -> int | None:
        """The price of the live quote, where it may be repeated; the guard decides whether it is."""
        live = self.live
        if live is None or self.opted_out or self.held is not None or live.currency != self.currency:
            return None
        return live.price_minor

    def left_ms(self) -> float:
        """Time until the deadline, negative when it has passed; time in the queue counts."""
        return self.deadline_ms - (perf_counter() - self.arrived_s) * 1e3

    @property
    def waited_ms(self) -> float:
        """Time in the queue."""
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
    """A batch of n: unit encoder states `(n, 384)`, interest logits and log affinities `(n,)`, features `(n, k)`."""

    shopper: NDArray[np.float32]
    product: NDArray[np.float32]
    interest_logit: NDArray[np.float32]
    affinity: NDArray[np.float32]
    features: NDArray[np.float32]

    @property
    def interest(self) -> NDArray[np.float64]:
        """Interest of the shopper in the product's category, `I_u(c)`, 0-1."""
        return sigmoid(self.interest_logit.astype(np.float64))


# 2 retrieve


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evaluator's part of a retrieval.

    Attributes:
        familiarity: `(n,)`, 1 for products with sales history, else by similarity to the nearest known one.
    """

    outcomes: Neighbours
    familiarity: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Similar products and past outcomes, strictly before the decision; `familiarity` as in `Evidence`."""

    similar: tuple[tuple[SimilarProduct, ...], ...]
    past: tuple[tuple[PastOutcome, ...], ...]
    familiarity: NDArray[np.float32]

    @property
    def evidence(self) -> Evidence:
        """The part that the evaluator reads."""
        rows = [[(o.bought, o.weight, o.similarity, o.price_ratio) for o in row] for row in self.past]
        return Evidence(Neighbours.of(rows), self.familiarity)


# 3 propose


@dataclass(frozen=True, slots=True)
class Proposal:
    """A strategy, who proposed it, why, its price before the guard, and how it came in."""

    strategy: Strategy
    source: Source
    rationale: str
    raw_minor: int
    origin: Origin = Origin.PROPOSED


@dataclass(frozen=True, slots=True)
class Proposed:
    """Candidates of one observation, the reference first, and the rung that they came from."""

    proposals: tuple[Proposal, ...]
    rung: Rung


# 4 score


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates of one observation and their responses.

    Attributes:
        reference: Index of the candidate that holds the reference price.
        purchase, satisfaction: Means for the m candidates, `(m,)`; `*_draws` are posterior draws, `(m, draws)`.
    """

    candidates: tuple[Candidate, ...]
    reference: int
    purchase: Floats
    satisfaction: Floats
    purchase_draws: Floats
    satisfaction_draws: Floats

    @property
    def prices(self) -> tuple[int, ...]:
        """Prices after the guard."""
        return tuple(candidate.price_minor for candidate in self.candidates)


# 5 select


@dataclass(frozen=True, slots=True)
class Selected:
    """The chosen candidate, all candidates with their probabilities, and how sure the choice is.

    Attributes:
        propensity: Probability of the chosen final price.
        abstained: A candidate looked better than the reference, but not surely enough.
        explored: Another than the best known candidate, shown to learn from it.
        standing: The earlier decision whose price stands, None where the choice is a fresh one.
    """

    candidates: tuple[Candidate, ...]
    index: int
    propensity: float
    confidence: float
    abstained: bool
    explored: bool = False
    standing: Decision | None = None

    @property
    def chosen(self) -> Candidate:
        """The candidate whose price is shown."""
        return self.candidates[self.index]


@dataclass(slots=True)
class Flow:
    """One batch on its way: a step reads what those before it added, and adds its own part.

    Attributes:
        seen: 1 observe: an observation per request, or why it cannot be priced, in the order of the requests.
        observations: 1 observe: those that can be priced. All that follows has one row for each of them.
        encoded: 1 observe: encoder states, interest, affinity and features.
        retrieved: 2 retrieve: similar products and past outcomes.
        inputs: 2 retrieve: everything that the evaluator reads, as arrays.
        proposed: 3 propose: candidates.
        scored: 4 score: candidates with scores, at the prices that the guard will make of them.
        selected: 5 select: the choice.
        guarded: 6 guard: the price that may be shown, and what moved it there.
        timings_ms: Duration of each step that is done.
        decisions: 7 record: as recorded; None where another process quoted this shopper another price meanwhile.
    """

    requests: Sequence[QuoteRequest]
    now: datetime
    timings_ms: dict[str, float] = field(default_factory=dict)
    seen: Sequence[Observation | Refusal] = field(init=False)
    observations: Sequence[Observation] = field(init=False)
    encoded: Encoded = field(init=False)
    retrieved: Retrieved = field(init=False)
    inputs: EvaluatorInputs = field(init=False)
    proposed: Sequence[Proposed] = field(init=False)
    scored: Sequence[Scored] = field(init=False)
    selected: Sequence[Selected] = field(init=False)
    guarded: Sequence[Guarded] = field(init=False)
    decisions: Sequence[Decision | None] = field(init=False)

    def answers(self) -> list[Decision | Refusal | None]:
        """One answer per request, in their order."""
        decisions = iter(self.decisions)
        return [one if isinstance(one, Refusal) else next(decisions) for one in self.seen]
