"""Cluster bootstrap intervals of means and ratios of means, with shoppers as clusters."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from eval.off_policy.sample import Integers
from models.arrays import Floats

LEVEL: Final = 0.95
_RESAMPLES: Final = 1_000
_CHUNK: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Terms:
    """An estimate as a ratio of sums over decisions, `(n,)` each; for a mean the denominator is 1 per decision."""

    numerator: Floats
    denominator: Floats

    @property
    def value(self) -> float:
        """Point estimate, nan if the denominator is zero."""
        total = float(self.denominator.sum())
        return float(self.numerator.sum()) / total if total else math.nan


def bootstrap(terms: Terms, cluster: Integers, *, less: Terms | None = None, seed: int = 0) -> Estimate:
    """Compute a percentile interval by resampling clusters with Poisson weights; with `less`, of the difference."""
    _, number = np.unique(cluster, return_inverse=True)
    columns = [terms.numerator, terms.denominator] + ([less.numerator, less.denominator] if less else [])
    sums = np.stack([np.bincount(number, weights=column) for column in columns], axis=1)
    rng = np.random.default_rng((seed, 23))
    found = []
    chunk = max(1, _CHUNK // len(sums))
    for begin in range(0, _RESAMPLES, chunk):
        times = rng.poisson(1.0, (min(chunk, _RESAMPLES - begin), len(sums))).astype(np.float64)
        found.append(times @ sums)
    total = np.concatenate(found)
    with np.errstate(invalid="ignore", divide="ignore"):
        draws = total[:, 0] / total[:, 1] - (total[:, 2] / total[:, 3] if less else 0.0)
    draws = draws[np.isfinite(draws)]
    value = terms.value - (less.value if less else 0.0)
    if not len(draws) or not math.isfinite(value):
        return Estimate(math.nan, -math.inf, math.inf)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(draws, (tail, 100 - tail)).tolist()
    return Estimate(value, low, high)
