"""Training situations of the strategist: shoppers and products of the panel, with random costs, stock and deadlines.

The evaluator's price response on a panel row is stretched by a random factor, so that demand of many elasticities is
covered. Utility is that of selection (`models.evaluator.utility`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.evaluator.evaluator import Evaluator, EvaluatorInputs
from models.evaluator.utility import HORIZON_WEEKS, Offers, Stock, Weights, utility
from models.shopper.features import FEATURES
from models.strategist.facts import RESPONSE_MOVES, StrategistFacts
from models.strategist.strategy import MOVES, Anchor

GRID: Final = np.arange(50, 151) / 100.0  # price ratios
HELD_OUT_OF: Final = 10  # one household and one product in so many are held out
_AT_REFERENCE: Final = 50
_AT_MOVES: Final = [_AT_REFERENCE + move for move in RESPONSE_MOVES]


@dataclass(frozen=True, slots=True)
class RowFacts:
    """Facts of a situation that come from a panel row; cost, competitor and stock come from `Conditions`."""

    category: str
    interest: float
    loyalty: str
    last_paid_ratio: float | None
    past_bought: int
    past_total: int
    past_ratio: float | None


def row_facts(
    features: NDArray[np.float32], category: str, interest_logit: float, rng: np.random.Generator
) -> RowFacts:
    """Read the facts of a panel row `(len(FEATURES),)`; retrieved outcomes are sampled."""
    feature = dict(zip(FEATURES, features.tolist(), strict=True))
    bought = int(rng.binomial(32, 0.2))
    return RowFacts(
        category=category,
        interest=float(1 / (1 + np.exp(-interest_logit))),
        loyalty=_loyalty(feature),
        last_paid_ratio=float(np.exp(feature["product_last_ratio"])) if feature["product_bought"] else None,
        past_bought=bought,
        past_total=32 if rng.random() < 0.8 else 0,
        past_ratio=float(np.exp(rng.normal(-0.15, 0.1))) if bought else None,
    )


def _loyalty(feature: Mapping[str, float]) -> str:
    if not feature["category_bought"]:
        return "new"
    if feature["category_due"] >= 3 or feature["category_gap"] > np.log1p(12):
        return "lapsed"
    return "regular" if feature["category_count_slow"] > np.log1p(3) else "occasional"


def is_held_out(ids: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a household or product is held out from the strategist's training, a function of its id, `(n,)`."""
    scattered = (ids.astype(np.uint64) * np.uint64(2_654_435_761)) >> np.uint64(16)
    return np.asarray(scattered % np.uint64(HELD_OUT_OF) == 0)


@dataclass(frozen=True, slots=True)
class Situation:
    """Facts of a situation, and the utility of every price ratio on `GRID`."""

    facts: StrategistFacts
    values: Floats

    def value(self, price_ratio: Floats | float) -> Floats:
        """Utility at price ratios, by linear interpolation."""
        return np.asarray(np.interp(price_ratio, GRID, self.values))

    def capped_value(self, price_ratio: float) -> float:
        """Utility of a price after the gateway, which may lower it to the reference."""
        return float(self.value(price_ratio if self.facts.may_rise else min(1.0, price_ratio)))

    @property
    def best(self) -> float:
        """Highest utility of the allowed whole-percent moves from the reference."""
        return float(self.value(self._allowed()).max())

    @property
    def best_ratio(self) -> float:
        """Price ratio of the move with the highest utility."""
        return float(self._allowed()[int(self.value(self._allowed()).argmax())])

    def _allowed(self) -> Floats:
        top = MOVES[-1] if self.facts.may_rise else 0
        return 1 + np.arange(MOVES[0], top + 1) / 100

    def anchor_ratio(self, anchor: Anchor) -> float | None:
        """Price of an anchor over the reference, None when unknown."""
        return {
            Anchor.REFERENCE: 1.0,
            Anchor.LIST: self.facts.list_ratio,
            Anchor.COMPETITOR: self.facts.rival_ratio,
            Anchor.LAST_PAID: self.facts.last_paid_ratio,
        }[anchor]


@dataclass(frozen=True, slots=True)
class Conditions:
    """Random conditions of a situation; ratios are relative to the reference price.

    Attributes:
        stretch: Factor on log prices before the evaluator; above 1 demand is steeper than predicted.
        rival: Price of the cheapest competitor, nan when unknown.
    """

    stretch: float
    rival: float
    cost: float
    stock: Stock
    hours_left: float | None
    may_rise: bool
    list_ratio: float
    similar_ratio: float | None
    trend: float
    season: str
    quantity: int


def draw_conditions(rng: np.random.Generator) -> Conditions:
    """Sample conditions."""
    hours = float(rng.choice([2, 6, 12, 24, 48, 96, 240])) if rng.random() < 0.3 else None
    weeks_left = hours / 168 if hours is not None else None
    units = 100 * float(np.exp(rng.normal(0.2, 1.1))) * max(1 / 7, HORIZON_WEEKS if weeks_left is None else weeks_left)
    return Conditions(
        stretch=float(np.exp(rng.normal(-0.1, 0.5)).clip(0.3, 3.0)),
        rival=float(np.exp(rng.normal(-0.03, 0.12))) if rng.random() < 0.5 else np.nan,
        cost=float(rng.uniform(0.25, 0.92)),
        stock=Stock(round(units), 100.0, weeks_left) if rng.random() < 0.6 else Stock(),
        hours_left=hours,
        may_rise=bool(rng.random() < 0.5),
        list_ratio=1.0 if rng.random() < 0.7 else float(rng.uniform(1.0, 1.25)),
        similar_ratio=float(np.exp(rng.normal(0, 0.2))) if rng.random() < 0.8 else None,
        trend=float(rng.choice([-0.5, 0.0, 0.0, 0.5])),
        season=str(rng.choice(["", "", "spring", "summer", "autumn", "winter", "holiday"])),
        quantity=int(rng.choice([1, 1, 1, 2, 3, 6])),
    )


def make_situations(
    evaluator: Evaluator,
    rows: EvaluatorInputs,
    known: Sequence[RowFacts],
    conditions: Sequence[Conditions],
    weights: Weights,
) -> list[Situation]:
    """Build one situation per row from its facts and conditions."""
    stretch = np.asarray([condition.stretch for condition in conditions])
    rival = np.asarray([condition.rival for condition in conditions])
    with_rival = replace(rows, rival_log_ratio=(np.log(rival) * stretch).astype(np.float32))
    response = evaluator.expect(evaluator.represent(with_rival), np.log(GRID)[None] * stretch[:, None])
    return [
        _situation(facts, condition, weights, (response.purchase[row], response.satisfaction[row]))
        for row, (facts, condition) in enumerate(zip(known, conditions, strict=True))
    ]


def _situation(row: RowFacts, condition: Conditions, weights: Weights, response: tuple[Floats, Floats]) -> Situation:
    purchase, satisfaction = response
    down, less, up = (purchase[_AT_MOVES] / purchase[_AT_REFERENCE]).tolist()
    facts = StrategistFacts(
        category=row.category,
        interest=row.interest,
        lifts=(down, less, up),
        may_rise=condition.may_rise,
        cost_ratio=condition.stock.opportunity_cost(condition.cost, 1.0),
        list_ratio=condition.list_ratio,
        last_paid_ratio=row.last_paid_ratio,
        rival_ratio=None if np.isnan(condition.rival) else condition.rival,
        similar_ratio=condition.similar_ratio,
        past_ratio=row.past_ratio,
        past_bought=row.past_bought,
        past_total=row.past_total,
        loyalty=row.loyalty,
        stock=condition.stock.word,
        trend=condition.trend,
        season=condition.season,
        hours_left=condition.hours_left,
        quantity=condition.quantity,
    )
    offers = Offers(
        price_ratio=GRID,
        cost_ratio=np.asarray(facts.cost_ratio),
        purchase=purchase,
        satisfaction=satisfaction,
        purchase_at_reference=purchase[_AT_REFERENCE],
        satisfaction_at_reference=satisfaction[_AT_REFERENCE],
    )
    return Situation(facts, utility(offers, weights))
