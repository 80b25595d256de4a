"""The flow: one batch of requests on its way through the seven steps, and the types that each step adds to it.

Read from the bottom: `Flow` lists what each step adds. The types above it stand in the order of the steps. Lists and
arrays have one row per observation, in the order of `Flow.observations`; money is in minor units of the row's currency.

Types of `models` are used as the evaluator defines them: `Represented` (situations after its body), `Response`
(probabilities at prices), `Neighbours` (outcomes retrieved, as arrays); `MemoryRow` is an outcome in the index.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from agent.domain.candidates import Origin, PastOutcomeColumns, ScoreOrigin, Source
from agent.domain.decision import Decision, HeldReason, IgnoredInput, Rung, SimilarProduct
from agent.domain.records import Shown
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest
from agent.pricing.situation import Situation
from agent.rules.effective_rules import EffectiveRules
from agent.rules.exploration import Exploration
from agent.rules.gateway import Guarded
from agent.rules.gateway_columns import PriceMap
from agent.rules.price_limits import PriceLimits
from models.arrays import Floats
from models.evaluator.evaluator import Represented, Response
from models.evaluator.evidence import Neighbours
from models.evaluator.monotone import sigmoid
from models.evaluator.utility import WeightColumns
from models.strategist.strategy import Strategy
from retrieval import MemoryRow

# 1 observe


@dataclass(frozen=True, slots=True)
class Observation(Situation):
    """One observed request: its situation, its limits, and what its record will say.

    Attributes:
        at: Wall-clock time of the decision.
        arrived_s: When the request arrived, by `time.perf_counter`.
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
    def explores(self) -> bool:
        """Whether the merchant lets prices of this product be varied to learn."""
        return self.merchant.selection.exploration is not Exploration.OFF

    @property
    def may_rise(self) -> bool:
        """Whether the merchant lets this price lie above the reference."""
        return not self.merchant.limits.never_above_reference


@dataclass(frozen=True, slots=True)
class Encoded:
    """A batch of n: unit encoder states `(n, dim)`, interest logits and log affinities `(n,)`, features `(n, k)`."""

    shopper: NDArray[np.float32]
    product: NDArray[np.float32]
    interest_logit: NDArray[np.float32]
    affinity: NDArray[np.float32]
    features: NDArray[np.float32]

    @property
    def interest(self) -> NDArray[np.float64]:
        """Interest of the shopper in the product's category, `I_u(c)`, 0-1."""
        return sigmoid(self.interest_logit.astype(np.float64))


@dataclass(frozen=True, slots=True)
class PriceBasis:
    """Amounts that prices of a batch are computed from, per unit in minor units; columns `(n, 1)`.

    Attributes:
        unit_cost: Cost as far as known (`Situation.unit_cost`).
        opportunity: Opportunity cost of a unit over the reference price.
        weights: The merchant's, of the three scores.
        maps: What the limits make of proposed prices, one for each observation.
    """

    reference_minor: Floats
    unit_cost: Floats
    quantity: Floats
    opportunity: Floats
    weights: WeightColumns
    maps: Sequence[PriceMap]

    @classmethod
    def of(cls, observations: Sequence["Observation"]) -> "PriceBasis":
        """The amounts of observations, in their order."""
        rows = [
            (
                o.reference_minor,
                o.unit_cost,
                o.quantity,
                o.market.stock.opportunity_cost(o.unit_cost / o.reference_minor, 1.0),
            )
            for o in observations
        ]
        columns = np.asarray(rows, np.float64).reshape(-1, 4)
        reference, cost, quantity, opportunity = np.hsplit(columns, 4)
        weights = WeightColumns.of([o.merchant.weights for o in observations])
        maps = [o.price_limits.price_map for o in observations]
        return cls(reference, cost, quantity, opportunity, weights, maps)


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
class PastOutcomes:
    """Past outcomes of a batch, `(n, k)` each, most alike first; `rows` are those found, for the record."""

    neighbours: Neighbours
    rows: Sequence[Sequence[MemoryRow]]

    def columns(self) -> list[PastOutcomeColumns]:
        """The past outcomes of each observation, as they are recorded."""
        found = self.neighbours
        bought = (found.bought > 0).tolist()
        numbers = (found.price_ratio.tolist(), found.weight.tolist(), found.similarity.tolist())
        return [
            PastOutcomeColumns(
                outcome_id=[one.outcome_id for one in own],
                product_id=[one.product_id for one in own],
                price_ratio=ratio[: len(own)],
                bought=sold[: len(own)],
                weight=weight[: len(own)],
                similarity=similarity[: len(own)],
            )
            for own, sold, ratio, weight, similarity in zip(self.rows, bought, *numbers, strict=True)
        ]


@dataclass(frozen=True, slots=True)
class Retrieved:
    """Similar products and past outcomes, strictly before the decision; `familiarity` as in `Evidence`."""

    similar: Sequence[tuple[SimilarProduct, ...]]
    past: PastOutcomes
    familiarity: NDArray[np.float32]

    @property
    def evidence(self) -> Evidence:
        """The part that the evaluator reads."""
        return Evidence(self.past.neighbours, self.familiarity)


# 3 propose


class Proposal(NamedTuple):
    """A strategy, who proposed it, why, its price before the guard, and how it came in."""

    strategy: Strategy
    source: Source
    rationale: str
    raw_minor: int
    origin: Origin = Origin.PROPOSED


class Proposed(NamedTuple):
    """Candidates of one observation, the reference first, and the rung that they came from."""

    proposals: Sequence[Proposal]
    rung: Rung


# 4 score


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates of the batch at the prices that the guard will make of them: `n` rows of `m`, the reference first.

    Rows with fewer candidates are filled up with their reference.

    Attributes:
        count: Number of candidates, `(n,)`.
        price_minor: Prices after the guard, `(n, m)`.
        response: Purchase probability and satisfaction: means `(n, m)` and posterior draws `(n, m, draws)`.
        scores: The three scores, `(n, m, 9)`: value, low and high of purchase probability, profit, satisfaction.
        origins: Origin of the scores of each row.
        caution: Standard deviations of its gain over the reference by which a candidate counts less.
    """

    count: NDArray[np.int64]
    price_minor: NDArray[np.int64]
    response: Response
    scores: Floats
    origins: Sequence[ScoreOrigin]
    caution: float

    @property
    def profit(self) -> Floats:
        """Expected profit of the whole quantity, minor units, `(n, m)`."""
        return self.scores[:, :, 3]

    @property
    def satisfaction(self) -> Floats:
        """Satisfaction, 0-1, `(n, m)`."""
        return self.scores[:, :, 6]


# 5 select


@dataclass(frozen=True, slots=True)
class Selected:
    """The chosen candidate, the chance of each, and how sure the choice is.

    Attributes:
        index: Of the candidate whose price is shown.
        probabilities: The chance of each candidate of being chosen.
        propensity: Probability of the chosen final price.
        abstained: A candidate looked better than the reference, but not surely enough.
        explored: Another than the best known candidate, shown to learn from it.
        standing: The earlier decision whose price stands, None where the choice is a fresh one.
    """

    index: int
    probabilities: Sequence[float]
    propensity: float
    confidence: float
    abstained: bool
    explored: bool = False
    standing: Decision | None = None


@dataclass(slots=True)
class Flow:
    """One batch on its way: a step reads what those before it added, and adds its own part.

    Attributes:
        seen: 1 observe: an observation per request, or why it cannot be priced, in the order of the requests.
        observations: 1 observe: those that can be priced. All that follows has one row for each of them.
        basis: 1 observe: the amounts that prices are computed from, as arrays.
        encoded: 1 observe: encoder states, interest, affinity and features.
        retrieved: 2 retrieve: similar products and past outcomes.
        represented: 2 retrieve: everything that the evaluator reads, after its body: ready for any price.
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
    basis: PriceBasis = field(init=False)
    encoded: Encoded = field(init=False)
    retrieved: Retrieved = field(init=False)
    represented: Represented = field(init=False)
    proposed: Sequence[Proposed] = field(init=False)
    scored: Scored = field(init=False)
    selected: Sequence[Selected] = field(init=False)
    guarded: Sequence[Guarded] = field(init=False)
    decisions: Sequence[Decision | None] = ()

    def chosen(self, row: int) -> Proposal:
        """The proposal whose price is shown."""
        return self.proposed[row].proposals[self.selected[row].index]

    def answers(self) -> list[Decision | Refusal | None]:
        """One answer per request, in their order."""
        decisions = iter(self.decisions)
        return [one if isinstance(one, Refusal) else next(decisions) for one in self.seen]
