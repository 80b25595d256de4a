"""A pricing strategy: the four words that the strategist writes, and the price they mean.

A strategy is a lever (why), an anchor (from which price), a move in whole percent of the anchor, and a rounding.
The grammar below is the only definition of what is valid; the strategist decodes under it and nothing else may
construct an invalid strategy.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class StrategyError(ValueError):
    """A strategy that the grammar does not allow."""


class Lever(StrEnum):
    """Why a price moves."""

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
    """The price a move starts from."""

    REFERENCE = "reference"
    LIST = "list"
    COMPETITOR = "competitor"
    LAST_PAID = "last_paid"


class Rounding(StrEnum):
    """How the moved price is made presentable."""

    EXACT = "exact"
    CHARM = "charm"
    FIVE = "five"
    WHOLE = "whole"


MOVE_LIMIT_PCT: Final = 30
MOVES: Final = tuple(range(-MOVE_LIMIT_PCT, MOVE_LIMIT_PCT + 1))  # what the strategist may write: 61 moves
DEEPEST_PCT, HIGHEST_PCT = -60, 100
SEARCHED_MOVES: Final = tuple(range(DEEPEST_PCT, HIGHEST_PCT + 1))  # what a numeric search looks at

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
    """The prices that strategies may start from, per unit in minor units of one currency."""

    reference_minor: int
    list_minor: int
    competitor_minor: int | None = None
    last_paid_minor: int | None = None

    def price_minor(self, anchor: Anchor) -> int | None:
        """The anchor's price, or None when this request does not have it."""
        return {
            Anchor.REFERENCE: self.reference_minor,
            Anchor.LIST: self.list_minor,
            Anchor.COMPETITOR: self.competitor_minor,
            Anchor.LAST_PAID: self.last_paid_minor,
        }[anchor]


@dataclass(frozen=True, slots=True)
class Strategy:
    """One candidate strategy. Raises StrategyError when the grammar does not allow it."""

    lever: Lever
    anchor: Anchor
    move_pct: int
    rounding: Rounding = Rounding.EXACT

    def __post_init__(self) -> None:
        """Check against the grammar."""
        if self.move_pct not in ALLOWED_MOVES[self.lever]:
            allowed = ALLOWED_MOVES[self.lever]
            raise StrategyError(
                f"{self.lever} does not allow a move of {self.move_pct} %; allowed: {allowed.start}..{allowed.stop - 1}"
            )
        if self.anchor not in ALLOWED_ANCHORS[self.lever]:
            allowed_names = ", ".join(ALLOWED_ANCHORS[self.lever])
            raise StrategyError(f"{self.lever} cannot start from {self.anchor}; allowed: {allowed_names}")

    @property
    def name(self) -> str:
        """For example `clear_stock: reference -12 %, charm`."""
        return f"{self.lever}: {self.anchor} {self.move_pct:+d} %, {self.rounding}"


def round_minor(price_minor: float, rounding: Rounding, fraction_digits: int) -> int:
    """Round a price for presentation, never by more than 2.5 % of it.

    CHARM ends on 9 in the last shown place of the major unit's tenth (2.79, 1,299); FIVE on 0 or 5 minor units;
    WHOLE on whole major units. Where the grid is too coarse for the price, the nearest finer one is used.
    """
    exact = max(0, round(price_minor))
    major = 10**fraction_digits
    grids: list[tuple[int, int]] = []  # (step, offset), coarsest first
    if rounding is Rounding.CHARM:
        grids = [(major, major - 1)] if fraction_digits else [(100, 99)]
        grids += [(10, 9)]
    elif rounding is Rounding.FIVE:
        grids = [(5, 0)]
    elif rounding is Rounding.WHOLE:
        grids = [(major, 0)] if fraction_digits else [(10, 0)]
    for step, offset in grids:
        candidate = round((price_minor - offset) / step) * step + offset
        if candidate > 0 and abs(candidate - price_minor) <= 0.025 * price_minor:
            return candidate
    return exact


def realise(strategy: Strategy, anchors: AnchorPrices, fraction_digits: int) -> int | None:
    """The price in minor units that a strategy means, or None when its anchor is unknown here."""
    start = anchors.price_minor(strategy.anchor)
    if start is None:
        return None
    if strategy.move_pct == 0:
        return start
    return max(1, round_minor(start * (1 + strategy.move_pct / 100), strategy.rounding, fraction_digits))
