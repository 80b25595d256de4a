"""Situations to teach the strategist on: real shoppers and products, invented costs, rivals, stock and deadlines.

The evaluator's price response of real panel rows is stretched by a random factor, so that the strategist meets
steep and flat demand; the teacher is a dense numeric search over the same utility that selection uses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.evaluator import Evaluator, Situations
from models.strategist_facts import ELASTICITY_SPAN, StrategistFacts, fitting_lever
from models.strategy import ALLOWED_ANCHORS, ALLOWED_MOVES, MOVES, Anchor, Lever, Rounding
from models.value import Offers, Stock, Weights, utility

Floats = NDArray[np.float64]

GRID: Final = np.arange(50, 151) / 100.0  # price ratios
TEMPERATURE: Final = 0.01
_FIT_BONUS: Final = 0.003
_MISFIT: Final = 0.02
_HOLD_BONUS: Final = 0.002
_REASONED: Final = (Lever.CLEAR_STOCK, Lever.LOYALTY_REWARD, Lever.WIN_BACK, Lever.VOLUME, Lever.LAST_MINUTE)


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What a panel row says of a situation, before cost, rival and stock are invented."""

    category: str
    interest: float
    loyalty: str
    last_paid_ratio: float | None
    past_bought: int
    past_total: int
    past_ratio: float | None


@dataclass(frozen=True, slots=True)
class Situation:
    """Facts, and the utility of every price ratio on `GRID`."""

    facts: StrategistFacts
    above_reference: bool
    values: Floats

    def value(self, price_ratio: Floats | float) -> Floats:
        """Utility at price ratios, by interpolation."""
        return np.asarray(np.interp(price_ratio, GRID, self.values))

    def capped_value(self, price_ratio: float) -> float:
        """Utility of a price after the gateway would have cut it to the reference."""
        return float(self.value(price_ratio if self.above_reference else min(1.0, price_ratio)))

    @property
    def best(self) -> float:
        """Highest utility of any whole-percent move from the reference that the situation allows."""
        top = MOVES[-1] if self.above_reference else 0
        return float(self.value(1 + np.arange(MOVES[0], top + 1) / 100).max())

    def anchor_ratio(self, anchor: Anchor) -> float | None:
        """An anchor's price over the reference."""
        return {
            Anchor.REFERENCE: 1.0,
            Anchor.LIST: self.facts.list_ratio,
            Anchor.COMPETITOR: self.facts.rival_ratio,
            Anchor.LAST_PAID: self.facts.last_paid_ratio,
        }[anchor]


def invent(
    evaluator: Evaluator, rows: Situations, known: Sequence[RowFacts], rng: np.random.Generator, weights: Weights
) -> list[Situation]:
    """Make one situation from each row."""
    n = len(known)
    stretch = np.exp(rng.normal(-0.1, 0.5, n)).clip(0.3, 3.0)
    rival = np.where(rng.random(n) < 0.5, np.exp(rng.normal(-0.03, 0.12, n)), np.nan)
    stretched = np.log(GRID)[None] * stretch[:, None]
    with_rival = Situations(
        **{name: getattr(rows, name) for name in rows.__slots__ if name != "rival_log_ratio"},
        rival_log_ratio=(np.log(rival) * stretch).astype(np.float32),
    )
    response = evaluator.expect(with_rival, stretched)
    return [
        _situation(facts, rng, weights, (float(rival[row]), response.purchase[row], response.satisfaction[row]))
        for row, facts in enumerate(known)
    ]


def _situation(
    row: RowFacts, rng: np.random.Generator, weights: Weights, response: tuple[float, Floats, Floats]
) -> Situation:
    rival, purchase, satisfaction = response
    at_reference = int(np.searchsorted(GRID, 1.0))
    deep = int(np.searchsorted(GRID, ELASTICITY_SPAN))
    elasticity = float(np.log(purchase[deep] / purchase[at_reference]) / -np.log(ELASTICITY_SPAN))
    cost = float(rng.uniform(0.25, 0.92))
    hours = float(rng.choice([2, 6, 12, 24, 48, 96, 240])) if rng.random() < 0.3 else None
    pressure = float(np.exp(rng.normal(0.2, 1.1)))
    weeks_left = hours / 168 if hours is not None else None
    horizon = max(1 / 7, weeks_left) if weeks_left is not None else 8.0
    stock = Stock(round(100 * pressure * horizon), 100.0, weeks_left) if rng.random() < 0.6 else Stock()
    facts = StrategistFacts(
        category=row.category,
        interest=row.interest,
        elasticity=elasticity,
        cost_ratio=stock.opportunity_cost(cost, 1.0),
        list_ratio=1.0 if rng.random() < 0.7 else float(rng.uniform(1.0, 1.25)),
        last_paid_ratio=row.last_paid_ratio,
        rival_ratio=None if np.isnan(rival) else rival,
        similar_ratio=float(np.exp(rng.normal(0, 0.2))) if rng.random() < 0.8 else None,
        past_ratio=row.past_ratio,
        past_bought=row.past_bought,
        past_total=row.past_total,
        loyalty=row.loyalty,
        stock=stock.word,
        trend=float(rng.choice([-0.5, 0.0, 0.0, 0.5])),
        season=str(rng.choice(["", "", "spring", "summer", "autumn", "winter", "holiday"])),
        hours_left=hours,
        quantity=int(rng.choice([1, 1, 1, 2, 3, 6])),
    )
    offers = Offers(
        price_ratio=GRID,
        cost_ratio=np.asarray(facts.cost_ratio),
        purchase=purchase,
        satisfaction=satisfaction,
        purchase_at_reference=purchase[at_reference],
        satisfaction_at_reference=satisfaction[at_reference],
    )
    return Situation(facts, bool(rng.random() < 0.5), utility(offers, weights))


@dataclass(frozen=True, slots=True)
class Lesson:
    """Soft targets of one situation for one lever: `(levers,)`, `(anchors,)`, `(moves,)`, `(roundings,)`."""

    lever_target: Floats
    lever: Lever
    anchor_target: Floats
    anchor: Anchor
    move_target: Floats
    move_pct: int
    rounding_target: Floats


def lesson(situation: Situation, rng: np.random.Generator) -> Lesson:
    """Soft targets softmax(utility / 1 %); the lever to continue with is drawn, half from the target, half evenly."""
    levers = tuple(Lever)
    possible = situation.facts.levers(above_reference=situation.above_reference)
    scores = np.full(len(levers), -np.inf)
    for index, lever in enumerate(levers):
        if lever in possible:
            scores[index] = _lever_value(situation, lever)
    target = _softmax(scores)
    even = np.isfinite(scores) / np.isfinite(scores).sum()
    lever = levers[int(rng.choice(len(levers), p=0.5 * target + 0.5 * even))]
    anchors = [a for a in ALLOWED_ANCHORS[lever] if a in situation.facts.anchors()]
    preferred = Anchor.LAST_PAID if lever in (Lever.LOYALTY_REWARD, Lever.WIN_BACK) else anchors[0]
    anchor_target = np.asarray([float(a in anchors) * (4.0 if a is preferred else 1.0) for a in Anchor])
    anchor_target /= anchor_target.sum()
    anchor = tuple(Anchor)[int(rng.choice(len(anchor_target), p=anchor_target))]
    move_target = _softmax(_move_values(situation, lever, anchor))
    move_pct = MOVES[int(rng.choice(len(MOVES), p=move_target))]
    return Lesson(target, lever, anchor_target, anchor, move_target, move_pct, _rounding_target(move_pct))


def _lever_value(situation: Situation, lever: Lever) -> float:
    anchors = [a for a in ALLOWED_ANCHORS[lever] if a in situation.facts.anchors()]
    values = _move_values(situation, lever, anchors[0])
    best = int(np.argmax(values))
    value = float(values[best])
    if lever is Lever.HOLD:
        return value + _HOLD_BONUS
    ratio = situation.anchor_ratio(anchors[0]) or 1.0
    move_pct = round(100 * (ratio * (1 + MOVES[best] / 100) - 1))
    fit = fitting_lever(situation.facts, move_pct)
    if lever is fit:
        return value + _FIT_BONUS
    return value - (_MISFIT if lever in _REASONED else 0.0)


def _move_values(situation: Situation, lever: Lever, anchor: Anchor) -> Floats:
    """Utility of every move of a lever, -inf where the grammar bars it."""
    ratio = situation.anchor_ratio(anchor) or 1.0
    values = np.full(len(MOVES), -np.inf)
    for index, move in enumerate(MOVES):
        if move in ALLOWED_MOVES[lever]:
            price = ratio * (1 + move / 100)
            barred = price > 1.0 and not situation.above_reference
            values[index] = float(situation.value(price)) - (10 * (price - 1.0) if barred else 0.0)
    return values


def _softmax(scores: Floats) -> Floats:
    shifted = (scores - scores.max()) / TEMPERATURE
    weights = np.exp(np.clip(shifted, -60, 0)) * np.isfinite(scores)
    return np.asarray(weights / weights.sum())


def _rounding_target(move_pct: int) -> Floats:
    """Retail habit: moved prices mostly end in nine."""
    habit = {Rounding.EXACT: 0.1, Rounding.CHARM: 0.7, Rounding.FIVE: 0.15, Rounding.WHOLE: 0.05}
    if move_pct == 0:
        habit = {rounding: float(rounding is Rounding.EXACT) for rounding in Rounding}
    return np.asarray([habit[rounding] for rounding in Rounding])
