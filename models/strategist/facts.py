"""Facts in the strategist's prompt, as ratios and words, and the levers and anchors that they make possible."""

from dataclasses import dataclass
from functools import cache
from math import log
from typing import Final, TypeVar

from models.strategist.strategy import Anchor, Lever

Word = TypeVar("Word", Lever, Anchor)

RESPONSE_MOVES: Final = (-20, -10, 10)  # moves in percent at which the prompt states the price response
SALES_STEP: Final = 3  # percent
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
        return tuple(max(-99, SALES_STEP * round(100 * (lift - 1) / SALES_STEP)) for lift in self.lifts)

    @property
    def elasticity(self) -> float:
        """-dlogP/dlogp between the first of `RESPONSE_MOVES` and the reference, from the rounded lifts."""
        return log(1 + self.sales_pct[0] / 100) / -log(1 + RESPONSE_MOVES[0] / 100)

    def variables(self) -> dict[str, str]:
        """Values of all variables that a strategist prompt may use."""
        return {
            "category": self.category or "unknown",
            "interest": _level(self.interest),
            "elasticity": _elasticity(self.elasticity),
            "sales": ", ".join(
                f"{sales:+d} at {move:+d}" for sales, move in zip(self.sales_pct, RESPONSE_MOVES, strict=True)
            ),
            "rise": "yes" if self.may_rise else "no",
            "cost_pct": "unknown" if self.cost_ratio is None else f"{100 * self.cost_ratio:.0f} percent",
            "list_pct": _offset(self.list_ratio, "same"),
            "last_paid": _offset(self.last_paid_ratio, "never"),
            "rival": _offset(self.rival_ratio, "none"),
            "stock": self.stock,
            "trend": "rising" if self.trend > 0.15 else "falling" if self.trend < -0.15 else "steady",
            "season": self.season or "none",
            "deadline": _deadline(self.hours_left),
            "similar": _offset(self.similar_ratio, "none"),
            "past": self._past(),
            "loyalty": self.loyalty,
            "quantity": str(self.quantity) if self.quantity < 10 else "many",
        }

    def _past(self) -> str:
        if not self.past_total:
            return "none"
        price = "" if self.past_ratio is None or not self.past_bought else f" at {_offset(self.past_ratio, 'same')}"
        return f"{self.past_bought} of {self.past_total}{price}"

    def anchors(self) -> frozenset[Anchor]:
        """Anchors with a known price."""
        known = {Anchor.REFERENCE}
        if self.list_ratio is not None and abs(self.list_ratio - 1) > 0.005:
            known.add(Anchor.LIST)
        if self.rival_ratio is not None:
            known.add(Anchor.COMPETITOR)
        if self.last_paid_ratio is not None and 0.7 <= self.last_paid_ratio <= 1.3:
            known.add(Anchor.LAST_PAID)
        return _shared(frozenset(known))

    def levers(self) -> frozenset[Lever]:
        """Levers whose reason applies; a premium only where prices above the reference are allowed."""
        possible = {Lever.HOLD, Lever.DISCOUNT}
        if self.may_rise:
            possible.add(Lever.PREMIUM)
        if self.rival_ratio is not None and 0.5 <= self.rival_ratio <= 1.5:
            possible |= {Lever.MATCH_COMPETITOR, Lever.UNDERCUT_COMPETITOR}
        if self.stock in ("normal", "deep"):
            possible.add(Lever.CLEAR_STOCK)
        if self.loyalty in _LOYAL:
            possible.add(Lever.LOYALTY_REWARD)
        if self.loyalty == "lapsed":
            possible.add(Lever.WIN_BACK)
        if self.quantity > 1:
            possible.add(Lever.VOLUME)
        if self.hours_left is not None and self.hours_left <= 24 * 14:
            possible.add(Lever.LAST_MINUTE)
        return _shared(frozenset(possible))


@cache
def _shared(words: frozenset[Word]) -> frozenset[Word]:
    """Return one shared instance per distinct set, which saves memory where many situations are cached."""
    return words


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
    percent = round(100 * (ratio - 1))
    return "same" if percent == 0 else f"{percent:+d} percent"


def _level(share: float) -> str:
    bounds = ((0.02, "none"), (0.08, "low"), (0.25, "medium"), (0.6, "high"))
    return next((word for bound, word in bounds if share < bound), "very high")


def _elasticity(value: float) -> str:
    return f"{min(9.9, max(0.0, value)):.1f}"


def _deadline(hours: float | None) -> str:
    if hours is None:
        return "none"
    if hours < 48:
        return f"{max(0, hours):.0f} hours"
    return f"{hours / 24:.0f} days"
