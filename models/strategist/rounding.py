"""Roundings of many prices at once; `strategy.round_minor` is that of one."""

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats
from models.strategist.strategy import FURTHEST, Rounding, grids


def round_prices(prices: Floats, rounding: Rounding, fraction_digits: int, step_minor: int = 1) -> NDArray[np.int64]:
    """Round as `round_minor` does, elementwise."""
    major = 10**fraction_digits
    if step_minor > 1 and step_minor % major == 0:
        return round_prices(prices / step_minor, rounding, 0) * step_minor
    if step_minor > 1:
        ending = round_prices(prices, rounding, fraction_digits)
        if rounding is Rounding.CHARM:
            return ending // step_minor * step_minor
        return np.rint(ending / step_minor).astype(np.int64) * step_minor
    rounded = np.maximum(0.0, np.rint(prices))
    for step, offset in reversed(grids(rounding, major)):  # the coarsest last, as it goes first
        candidates = np.rint((prices - offset) / step) * step + offset
        fits = (candidates > 0) & (np.abs(candidates - prices) <= FURTHEST * prices)
        rounded = np.where(fits, candidates, rounded)
    return rounded.astype(np.int64)
