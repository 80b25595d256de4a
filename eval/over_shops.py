"""Intervals of paired differences over shops."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from models.arrays import Floats

_REDRAWS: Final = 2_000
_SEED: Final = 17


def paired(gaps: Sequence[float] | Floats) -> tuple[float, float, float]:
    """Mean of paired differences, one a shop, and the ends of its 95 % bootstrap interval."""
    values = np.asarray(gaps, np.float64)
    drawn = values[np.random.default_rng(_SEED).integers(len(values), size=(_REDRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return float(values.mean()), float(low), float(high)
