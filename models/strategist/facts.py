"""Facts in the strategist's prompt, as ratios and words, and the levers and anchors that they make possible.

The prompt is rendered from rounded values, `ROUNDED`; situations with the same rounded values, levers and anchors are
the same to the strategist.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from functools import cache
from math import log
from typing import Final

from models.strategist.strategy import Anchor, Lever

RESPONSE_MOVES: Final = (-20, -10, 10)  # moves in percent at which the prompt states the price response
SALES_STEP: Final = 3  # percent
MANY: Final = 10  # units, which the prompt does not tell apart from more
_LEAST_STEPS: Final = -99 // SALES_STEP
_LOYAL: Final = ("regular", "occasional")


@dataclass(frozen=True, slots=True)
class StrategistFacts:
    """Facts of one situation. Ratios are relative to the reference price; None when unknown.

    Attributes:
        interest: 0-1.
        lifts: Purchase probability at `RESPONSE_MOVES` over the probability at the reference price.
        may_rise: Whether prices above the reference are allowed.
        past_bought, past_total: Purchases among, and number of, retrieved outcomes; `past_ratio` is the mean price
            ratio of the purchases.
        loyalty: `new`, `occasional`, `regular` or `lapsed`. `stock`: `unknown`, `scarce`, `normal` or `deep`.
        trend: -1 falling .. 1 rising. `hours_left`: hours until the deadline.
    """

    category: str
    interest: float
    lifts: tuple[float, float, float]
    may_rise: bool
    cost_ratio: float | None = None
    list_ratio: float | None = None
    last_paid_ratio: float | None = None
    rival_ratio: float | None = None
    similar_ratio: float | None = None
    past_ratio: float | None = None
    past_bought: int = 0
    past_total: int = 0
    loyalty: str = "new"
    stock: str = "unknown"
    trend: float = 0.0
    season: str = ""
    hours_left: float | None = None
    quantity: int = 1

    @property
    def sales_pct(self) -> tuple[int, ...]:
        """Lifts in percent above or below the reference, rounded to `SALES_STEP` as in the prompt.

        Finer steps gave no better proposals and three times as many distinct prompts, which the caches miss.
        """
        return tuple([SALES_STEP * steps for steps in _sales_steps(self)])

    @property
    def elasticity(self) -> float:
        """-dlogP/dlogp between the first of `RESPONSE_MOVES` and the reference, from the rounded lifts."""
        return _elasticity(self.sales_pct[0])

    def variables(self) -> dict[str, str]:
        """Values of all variables that a strategist prompt may use."""
        return {
            "category": self.category or "unknown",
            "interest": _level(self.interest),
            "elasticity": _elasticity_text(self.sales_pct[0]),
            "sales": ", ".join(
                f"{sales:+d} at {move:+d}" for sales, move in zip(self.sales_pct, RESPONSE_MOVES, strict=True)
            ),
            "rise": "yes" if self.may_rise else "no",
            "cost_pct": "unknown" if self.cost_ratio is None else f"{_percent(self.cost_ratio)} percent",
            "list_pct": _offset(self.list_ratio, "same"),
            "last_paid": _offset(self.last_paid_ratio, "never"),
            "rival": _offset(self.rival_ratio, "none"),
            "stock": self.stock,
            "trend": _trend(self.trend),
            "season": self.season or "none",
            "deadline": _deadline(self.hours_left),
            "similar": _offset(self.similar_ratio, "none"),
            "past": self._past(),
            "loyalty": self.loyalty,
            "quantity": str(self.quantity) if self.quantity < MANY else "many",
        }

    def _past(self) -> str:
        if not self.past_total:
            return "none"
        price = "" if self.past_ratio is None or not self.past_bought else f" at {_offset(self.past_ratio, 'same')}"
        return f"{self.past_bought} of {self.past_total}{price}"

    def anchors(self) -> frozenset[Anchor]:
        """Anchors with a known price."""
        return _chosen_anchors(self.anchor_bits)

    @property
    def anchor_bits(self) -> int:
        """One bit per anchor of `_ANCHORS`."""
        priced = self.list_ratio is not None and abs(self.list_ratio - 1) > 0.005
        paid = self.last_paid_ratio is not None and 0.7 <= self.last_paid_ratio <= 1.3
        return (1 if priced else 0) | (2 if self.rival_ratio is not None else 0) | (4 if paid else 0)

    def levers(self) -> frozenset[Lever]:
        """Levers whose reason applies; a premium only where prices above the reference are allowed."""
        return _chosen_levers(self.lever_bits)

    @property
    def lever_bits(self) -> int:
        """One bit per group of levers of `_LEVERS`."""
        bits = 1 if self.may_rise else 0
        if self.rival_ratio is not None and 0.5 <= self.rival_ratio <= 1.5:
            bits |= 2
        if self.stock in ("normal", "deep"):
            bits |= 4
        if self.loyalty in _LOYAL:
            bits |= 8
        if self.loyalty == "lapsed":
            bits |= 16
        if self.quantity > 1:
            bits |= 32
        if self.hours_left is not None and self.hours_left <= 24 * 14:
            bits |= 64
        return bits


_LEVERS: Final = (
    (Lever.PREMIUM,),
    (Lever.MATCH_COMPETITOR, Lever.UNDERCUT_COMPETITOR),
    (Lever.CLEAR_STOCK,),
    (Lever.LOYALTY_REWARD,),
    (Lever.WIN_BACK,),
    (Lever.VOLUME,),
    (Lever.LAST_MINUTE,),
)
_ANCHORS: Final = (Anchor.LIST, Anchor.COMPETITOR, Anchor.LAST_PAID)


@cache
def _chosen_levers(bits: int) -> frozenset[Lever]:
    chosen = [lever for place, levers in enumerate(_LEVERS) if bits >> place & 1 for lever in levers]
    return frozenset({Lever.HOLD, Lever.DISCOUNT, *chosen})


@cache
def _chosen_anchors(bits: int) -> frozenset[Anchor]:
    return frozenset({Anchor.REFERENCE, *(anchor for place, anchor in enumerate(_ANCHORS) if bits >> place & 1)})


def fitting_lever(facts: StrategistFacts, move_pct: int) -> Lever | None:
    """Return the lever whose reason best explains a move from the reference; None when no special reason applies."""
    if facts.hours_left is not None and facts.hours_left <= 24 * 3:
        return Lever.LAST_MINUTE
    if move_pct < 0:
        if facts.stock == "deep":
            return Lever.CLEAR_STOCK
        if facts.loyalty == "lapsed":
            return Lever.WIN_BACK
        if facts.quantity > 2:
            return Lever.VOLUME
        if facts.loyalty == "regular":
            return Lever.LOYALTY_REWARD
    return None


def _offset(ratio: float | None, absent: str) -> str:
    if ratio is None:
        return absent
    percent = _difference(ratio)
    return "same" if percent == 0 else f"{percent:+d} percent"


def _percent(ratio: float | None) -> int | None:
    return None if ratio is None else round(100 * ratio)


def _difference(ratio: float | None) -> int | None:
    return None if ratio is None else round(100 * (ratio - 1))


def _level(share: float) -> str:
    bounds = ((0.02, "none"), (0.08, "low"), (0.25, "medium"), (0.6, "high"))
    return next((word for bound, word in bounds if share < bound), "very high")


def _trend(trend: float) -> str:
    return "rising" if trend > 0.15 else "falling" if trend < -0.15 else "steady"


@cache
def _elasticity(sales_pct: int) -> float:
    return log(1 + sales_pct / 100) / -log(1 + RESPONSE_MOVES[0] / 100)


@cache
def _elasticity_text(sales_pct: int) -> str:
    return f"{min(9.9, max(0.0, _elasticity(sales_pct))):.1f}"


def _deadline(hours: float | None) -> str:
    steps = _deadline_steps(hours)
    return "none" if steps is None else f"{steps} hours" if steps >= 0 else f"{-steps} days"


def _deadline_steps(hours: float | None) -> int | None:
    """Whole hours below two days, else whole days, negative."""
    if hours is None:
        return None
    return round(max(0, hours)) if hours < 48 else -round(hours / 24)


def _sales_steps(facts: StrategistFacts) -> tuple[int, int, int]:
    """Sales above or below the reference in steps of `SALES_STEP`; never so low that nothing would be sold."""
    down, less, up = facts.lifts
    first = round(100 * (down - 1) / SALES_STEP)
    second = round(100 * (less - 1) / SALES_STEP)
    third = round(100 * (up - 1) / SALES_STEP)
    return (
        first if first > _LEAST_STEPS else _LEAST_STEPS,
        second if second > _LEAST_STEPS else _LEAST_STEPS,
        third if third > _LEAST_STEPS else _LEAST_STEPS,
    )


def _past(facts: StrategistFacts) -> Hashable:
    if not facts.past_total:
        return None
    return int(facts.past_bought), int(facts.past_total), _difference(facts.past_ratio) if facts.past_bought else None


ROUNDED: Final[Mapping[str, Callable[[StrategistFacts], Hashable]]] = {
    "category": lambda facts: facts.category or "unknown",
    "interest": lambda facts: _level(facts.interest),
    "elasticity": lambda facts: _elasticity_text(facts.sales_pct[0]),
    "sales": _sales_steps,
    "rise": lambda facts: bool(facts.may_rise),
    "cost_pct": lambda facts: _percent(facts.cost_ratio),
    "list_pct": lambda facts: _difference(facts.list_ratio) or 0,
    "last_paid": lambda facts: _difference(facts.last_paid_ratio),
    "rival": lambda facts: _difference(facts.rival_ratio),
    "stock": lambda facts: facts.stock,
    "trend": lambda facts: _trend(facts.trend),
    "season": lambda facts: facts.season or "none",
    "deadline": lambda facts: _deadline_steps(facts.hours_left),
    "similar": lambda facts: _difference(facts.similar_ratio),
    "past": _past,
    "loyalty": lambda facts: facts.loyalty,
    "quantity": lambda facts: int(min(facts.quantity, MANY)),
}
"""Rounded values of prompt variables, from which their texts are rendered."""
