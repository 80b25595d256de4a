"""How far a merchant lets prices vary to learn, and when a candidate may replace the reference price."""

from dataclasses import dataclass
from enum import StrEnum


class Exploration(StrEnum):
    """How much a merchant lets the service try out."""

    OFF = "off"
    CAUTIOUS = "cautious"
    NORMAL = "normal"


@dataclass(frozen=True, slots=True)
class SelectionRules:
    """When a candidate may replace the reference.

    Attributes:
        min_gain: Least advantage in utility; 0.01 is about one percent of what the reference price is worth.
        min_confidence: Least share of draws in which the candidate is better.
        boldness: How much of a draw's distance to the mean counts when prices are tried out; 1 is plain Thompson
            sampling, which tries more than flat profit curves repay.
        good_enough: A draw tries a price out only when it finds it better than the one that would be shown otherwise by
            this much utility (satisficing Thompson sampling, Russo and Van Roy 2022).
        control_frac: Share of quotes that hold the reference price, by chance: what later policies are compared with.
        max_try_frac: How far a price that is tried out may lie from the one that would be shown otherwise; None: as
            far as the merchant's limits allow.
        max_spread_frac: A price is tried out only while all prices that this shopper was shown for this product, it
            included, keep a standard deviation of at most this share of the reference price; None: no such cap.
    """

    exploration: Exploration = Exploration.OFF
    min_gain: float = 0.005
    min_confidence: float = 0.6
    boldness: float = 0.25
    good_enough: float = 0.02
    control_frac: float = 0.0
    max_try_frac: float | None = None
    max_spread_frac: float | None = None
