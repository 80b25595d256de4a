"""Exploration: how far prices may vary to learn, and when a candidate may replace the reference price."""

from dataclasses import dataclass
from enum import StrEnum


class Exploration(StrEnum):
    """Amount of exploration that the merchant allows."""

    OFF = "off"
    CAUTIOUS = "cautious"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class SelectionRules:
    """Conditions under which a candidate may replace the reference price.

    Attributes:
        min_gain: Minimum gain in utility; 0.01 is about one percent of the reference price's utility.
        min_confidence: Minimum share of posterior draws in which the candidate is better.
        boldness: Factor on a draw's distance from the mean; 1 is plain Thompson sampling, which explores more than flat
            profit curves repay.
        good_enough: Minimum gain in utility over the greedy price for which a draw explores (satisficing Thompson
            sampling, Russo and Van Roy 2022).
        control_frac: Fraction of quotes that show the reference price at random: the control group.
        max_try_frac: Largest distance of an explored price from the greedy one, a fraction of the reference price; None
            for no bound but the merchant's limits.
        max_spread_frac: Largest standard deviation of the prices shown to a shopper for a product, the explored one
            included, a fraction of the reference price; None for no bound.
    """

    exploration: Exploration = Exploration.OFF
    min_gain: float = 0.005
    min_confidence: float = 0.6
    boldness: float = 0.25
    good_enough: float = 0.02
    control_frac: float = 0.0
    max_try_frac: float | None = None
    max_spread_frac: float | None = None
