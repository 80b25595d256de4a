"""Coefficients of session intent, competitor and market trend: stated priors until outcomes teach them."""

from dataclasses import dataclass, fields
from typing import Final


@dataclass(frozen=True, slots=True)
class ContextPriors:
    """Prior coefficients of the purchase logit; a training on own outcomes learns them from rows that tell of them.

    Attributes:
        intent: Added per unit of session intent (`ShopperHistory.intent`, 0-4).
        rival: Subtracted per log unit that the price lies above the cheapest competitor.
        trend: Added per unit of market trend (-1 falling .. 1 rising).
    """

    intent: float = 0.9
    rival: float = 2.5
    trend: float = 0.2


CONTEXT: Final = tuple(one.name for one in fields(ContextPriors))
"""Names of the context's coefficients."""

PRIOR_SD: Final = ContextPriors(intent=0.5, rival=1.5, trend=0.3)
"""Standard deviations of the Gaussian priors centred on the constants, for training."""
