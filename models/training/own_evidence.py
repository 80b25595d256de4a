"""Prior standard deviations of groups of effects, where the evidence for them is greatest (empirical Bayes).

Around the fitted model the likelihood of a group's k effects is nearly Gaussian, with information `L` and `h = L m` for
its maximum m. For effects with prior N(0, s^2) the log evidence is, up to a constant (Tipping and Faul 2003),

    -1/2 log det(I + s^2 L) + 1/2 h' (L + I / s^2)^-1 h

to which a half-Cauchy prior of s adds its density (Gelman 2006). The best of a grid of s is taken, so that a group does
not collapse because its estimate was small when the iteration began.
"""

from typing import Final

import numpy as np

from models.arrays import Floats

LEAST_SD: Final = 0.03
_GRID: Final = np.geomspace(LEAST_SD, 4.0, 60)
_LEAST_INFORMATION: Final = 1e-9
_NUGGET: Final = 1e-10


class Evidence:
    """Information about the effects of one group, in directions in which it is independent."""

    def __init__(self) -> None:
        """Start with no effects."""
        self._information: list[Floats] = []
        self._linear: list[Floats] = []

    def add(self, mean: Floats, covariance: Floats, sd: float) -> None:
        """Add effects with posterior `mean` `(k,)` and `covariance` `(k, k)` under the prior sd `sd`."""
        count = len(mean)
        if not count:
            return
        precision = np.linalg.inv(covariance + _NUGGET * np.eye(count))
        values, vectors = np.linalg.eigh((precision + precision.T) / 2 - np.eye(count) / sd**2)
        self._information.append(values)
        self._linear.append(vectors.T @ (precision @ mean))

    def add_independent(self, mean: Floats, variance: Floats, sd: float) -> None:
        """Add effects with posterior variances `(k,)` that are independent of one another."""
        self._information.append(1.0 / variance - 1.0 / sd**2)
        self._linear.append(mean / variance)

    def best_sd(self, scale: float) -> float:
        """The sd of greatest evidence under a half-Cauchy prior of the given scale."""
        information = np.maximum(_LEAST_INFORMATION, np.concatenate(self._information))
        linear, square = np.concatenate(self._linear), _GRID[:, None] ** 2
        shrunk = 1.0 + square * information
        evidence = 0.5 * (linear**2 * square / shrunk - np.log(shrunk)).sum(axis=1) - np.log1p((_GRID / scale) ** 2)
        return float(_GRID[int(evidence.argmax())])
