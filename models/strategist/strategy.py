"""Pricing strategies: their grammar, and the price that a strategy implies.

A strategy is a lever (the reason), an anchor (the price to start from), a move in whole percent of the anchor, and a
rounding. `ALLOWED_MOVES` and `ALLOWED_ANCHORS` are the only definition of validity; the strategist decodes under them,
and `Strategy` checks them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class StrategyError(ValueError):
    """The grammar does not allow a strategy."""


class Lever(StrEnum):
    """Reason for a price change."""

    HOLD = "hold"
    DISCOUNT = "discount"
    PREMIUM = "premium"
    MATCH_COMPETITOR = "match_competitor"
    UNDERCUT_COMPETITOR = "undercut_competitor"
    CLEAR_STOCK = "clear_stock"
    LOYALTY_REWARD = "loyalty_reward"
    WIN_BACK = "win_back"
    VOLUME = "volume"
    LAST_MINUTE = "last_minute"


class Anchor(StrEnum):
    """Price that a move is relative to."""

    REFERENCE = "reference"
    LIST = "list"
    COMPETITOR = "competitor"
    LAST_PAID = "last_paid"


class Rounding(StrEnum):
    """Rounding of the resulting price for display."""

    EXACT = "exact"
    CHARM = "charm"
    FIVE = "five"
    WHOLE = "whole"


MOVE_LIMIT_PCT: Final = 30
MOVES: Final = tuple(range(-MOVE_LIMIT_PCT, MOVE_LIMIT_PCT + 1))  # moves that the strategist may propose: 61
DEEPEST_PCT, HIGHEST_PCT = -80, 200
USUAL_PCT: Final = (-60, 60)  # moves beyond are searched only where the prices ever offered are known
# Moves that numeric search evaluates: every percent near the reference, every second and fifth far from it.
SEARCHED_MOVES: Final = (
    *range(DEEPEST_PCT, -30, 2),
    *range(-30, 40),
    *range(40, 100, 2),
    *range(100, HIGHEST_PCT + 1, 5),
)

FURTHEST: Final = 0.025  # share of a price that a rounding may move it by
_DOWN: Final = range(-MOVE_LIMIT_PCT, 0)
ALLOWED_MOVES: Final[dict[Lever, range]] = {
    Lever.HOLD: range(0, 1),
    Lever.DISCOUNT: range(DEEPEST_PCT, 0),
    Lever.PREMIUM: range(1, HIGHEST_PCT + 1),
    Lever.MATCH_COMPETITOR: range(0, 1),
    Lever.UNDERCUT_COMPETITOR: range(-10, 0),
    Lever.CLEAR_STOCK: _DOWN,
    Lever.LOYALTY_REWARD: range(-15, 0),
    Lever.WIN_BACK: _DOWN,
    Lever.VOLUME: range(-20, 0),
    Lever.LAST_MINUTE: range(-MOVE_LIMIT_PCT, MOVE_LIMIT_PCT + 1),
}
ALLOWED_ANCHORS: Final[dict[Lever, tuple[Anchor, ...]]] = {
    lever: (Anchor.REFERENCE, Anchor.LIST, Anchor.LAST_PAID) for lever in Lever
} | {
    Lever.HOLD: (Anchor.REFERENCE,),
    Lever.MATCH_COMPETITOR: (Anchor.COMPETITOR,),
    Lever.UNDERCUT_COMPETITOR: (Anchor.COMPETITOR,),
}


@dataclass(frozen=True, slots=True)
class AnchorPrices:
    """Prices of the anchors, per unit in minor units of one currency."""

    reference_minor: int
    list_minor: int
    competitor_minor: int | None = None
    last_paid_minor: int | None = None

    def price_minor(self, anchor: Anchor) -> int | None:
        """Price of an anchor, None when unknown."""
        return {
            Anchor.REFERENCE: self.reference_minor,
            Anchor.LIST: self.list_minor,
            Anchor.COMPETITOR: self.competitor_minor,
            Anchor.LAST_PAID: self.last_paid_minor,
        }[anchor]


@dataclass(frozen=True, slots=True)
class Strategy:
    """One candidate strategy.

    Raises:
        StrategyError: The grammar does not allow it.
    """

    lever: Lever
    anchor: Anchor
    move_pct: int
    rounding: Rounding = Rounding.EXACT

    def __post_init__(self) -> None:
        """Check against the grammar."""
        if self.move_pct not in ALLOWED_MOVES[self.lever]:
            allowed = ALLOWED_MOVES[self.lever]
            raise StrategyError(
                f"lever {self.lever} does not allow a move of {self.move_pct} %; allowed: {allowed.start} to "
                f"{allowed.stop - 1} %"
            )
        if self.anchor not in ALLOWED_ANCHORS[self.lever]:
            allowed_names = ", ".join(ALLOWED_ANCHORS[self.lever])
            raise StrategyError(f"lever {self.lever} does not allow anchor {self.anchor}; allowed: {allowed_names}")

    @property
    def name(self) -> str:
        """Display name, for example `clear_stock: reference -12 %, charm`."""
        return f"{self.lever}: {self.anchor} {self.move_pct:+d} %, {self.rounding}"


def round_minor(price_minor: float, rounding: Rounding, fraction_digits: int, step_minor: int = 1) -> int:
    """Round a price for display, by at most 2.5 % of it; where a step is given, to a multiple of that besides.

    CHARM ends in 9 (2.79, 1,299), FIVE in 0 or 5 minor units, WHOLE on a whole major unit. Where a grid is too coarse
    for the price, the next finer one is used; without one, the price is rounded to the minor unit.
    """
    major = 10**fraction_digits
    if step_minor > 1 and step_minor % major == 0:  # prices without fractions: endings are those of whole steps
        return round_minor(price_minor / step_minor, rounding, 0) * step_minor
    if step_minor > 1:
        ending = round_minor(price_minor, rounding, fraction_digits)
        down = rounding is Rounding.CHARM  # 9.99 in steps of 0.05 is 9.95, not 10.00
        return (ending // step_minor if down else round(ending / step_minor)) * step_minor
    for step, offset in grids(rounding, major):
        candidate = round((price_minor - offset) / step) * step + offset
        if candidate > 0 and abs(candidate - price_minor) <= FURTHEST * price_minor:
            return candidate
    return max(0, round(price_minor))


def grids(rounding: Rounding, major: int) -> tuple[tuple[int, int], ...]:
    """Step and offset of each grid of a rounding, the coarsest first; `major` is a major unit in minor units."""
    if rounding is Rounding.CHARM:
        return ((major, major - 1) if major > 1 else (100, 99)), (10, 9)
    if rounding is Rounding.FIVE:
        return ((5, 0),)
    if rounding is Rounding.WHOLE:
        return ((major, 0) if major > 1 else (10, 0),)
    return ()


def realise(strategy: Strategy, anchors: AnchorPrices, fraction_digits: int, step_minor: int = 1) -> int | None:
    """Compute the price of a strategy in minor units; None when the price of its anchor is unknown.

    `step_minor` is the smallest payable step; an anchor's own price is not rounded to it.
    """
    start = anchors.price_minor(strategy.anchor)
    if start is None:
        return None
    if strategy.move_pct == 0:
        return start
    moved = start * (1 + strategy.move_pct / 100)
    return max(step_minor, round_minor(moved, strategy.rounding, fraction_digits, step_minor))
