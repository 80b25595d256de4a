"""Families of demand that redrawn shops share: purchase probability as a function of log price `x`, any shape.

`level` and `slope` are a visit's own, as in a logit in log price; the families bend its curve in their own ways.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import ndtr

from models.arrays import Floats
from models.evaluator.monotone import sigmoid

Values = Floats | float

_BETWEEN_KINKS: Final = 0.6  # of the slope
_LOOKERS: Final = 0.65  # share of visitors who would ever buy


@dataclass(frozen=True, slots=True)
class HiddenType:
    """Shoppers of one kind: their share, shift of the level, and steepness over the visit's slope."""

    share: float
    shift: float
    steep: float


def logit_demand(level: Values, slope: Values, x: Values) -> Floats:
    """The model's own family."""
    return sigmoid(np.asarray(level - slope * x))


def kinked_demand(level: Values, slope: Values, x: Values, falls: Values) -> Floats:
    """Demand that is flatter between kinks, where the logit falls at once by `falls` in all."""
    return sigmoid(np.asarray(level - _BETWEEN_KINKS * slope * x - falls))


def probit_demand(score: Values) -> Floats:
    """Lognormal reservation prices of a part of the visitors."""
    return np.asarray(_LOOKERS * ndtr(score))


def mixed_demand(level: Values, slope: Values, x: Values, types: Sequence[HiddenType]) -> Floats:
    """A mixture of hidden types of shoppers."""
    parts = [one.share * sigmoid(np.asarray(level + one.shift - one.steep * slope * x)) for one in types]
    return np.asarray(sum(parts))
