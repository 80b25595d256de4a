"""Gaussian posteriors of online effects: one joint posterior, and independent ones (`online_effects.py`)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np

from models.arrays import Floats
from models.evaluator.monotone import N_DRAWS

CAPACITY: Final = 192
PRODUCT_CAPACITY: Final = 128  # rows up to which effects of products may be added; the rest is kept for other effects
PROCESS_NOISE: Final = 1e-6  # variance added per outcome: effects follow a random walk
ALARM_VARIANCE: Final = 0.05  # variance added per drift alarm
_NOISE_SEED: Final = 41
_ALARM_SEED: Final = 43


@dataclass(frozen=True, slots=True)
class IndependentPosterior:
    """Posterior of one effect: a Gaussian over level and slope, in units of their prior sd."""

    level: float = 0.0
    slope: float = 0.0
    level_var: float = 1.0
    cov: float = 0.0
    slope_var: float = 1.0

    @property
    def numbers(self) -> tuple[float, float, float, float, float]:
        """All fields in declaration order."""
        return self.level, self.slope, self.level_var, self.cov, self.slope_var

    def variance(self, a: float, b: float) -> float:
        """Variance of a * level + b * slope."""
        return a * a * self.level_var + 2 * a * b * self.cov + b * b * self.slope_var

    def updated(self, a: float, b: float, residual: float, cut: float) -> "IndependentPosterior":
        """Posterior after an outcome with gradient (a, b)."""
        u = self.level_var * a + self.cov * b
        v = self.cov * a + self.slope_var * b
        return IndependentPosterior(
            self.level + u * residual,
            self.slope + v * residual,
            min(1.0, self.level_var - cut * u * u + PROCESS_NOISE),
            self.cov - cut * u * v,
            min(1.0, self.slope_var - cut * v * v + PROCESS_NOISE),
        )

    def widened(self) -> "IndependentPosterior":
        """Posterior after a drift alarm: larger variances, at most the prior's."""
        return IndependentPosterior(
            self.level,
            self.slope,
            min(1.0, self.level_var + ALARM_VARIANCE),
            self.cov,
            min(1.0, self.slope_var + ALARM_VARIANCE),
        )

    def draws(self, name: str) -> Floats:
        """Draws of level and slope, `(2, N_DRAWS)`, a function of the effect's name alone; not to be changed."""
        noise = named_noise(name)
        if self == PRIOR:
            return noise
        root = math.sqrt(self.level_var)
        across = self.cov / root if root > 0 else 0.0
        rest = math.sqrt(max(0.0, self.slope_var - across * across))
        return np.stack([self.level + root * noise[0], self.slope + across * noise[0] + rest * noise[1]])


PRIOR: Final = IndependentPosterior()
"""Posterior of an effect without outcomes."""


@dataclass(slots=True)
class JointPosterior:
    """Posterior of effects that share one covariance, in units of their prior sd.

    Attributes:
        rows: Effect name to row, at most `CAPACITY`.
        mean: `(n, 2)`, level and slope.
        covariance: `(2 n, 2 n)`, level and slope of each row adjacent.
        draws: `(n, 2, N_DRAWS)`, draws of the posterior.
    """

    rows: dict[str, int] = field(default_factory=dict)
    mean: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    covariance: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    draws: Floats = field(default_factory=lambda: np.zeros((0, 2, N_DRAWS)))

    def row(self, name: str, capacity: int = CAPACITY) -> int | None:
        """Return the row of an effect, adding it if new; None when `capacity` is reached."""
        row = self.rows.get(name)
        if row is not None or len(self.rows) >= capacity:
            return row
        n = len(self.rows)
        wider = np.eye(2 * n + 2)
        wider[: 2 * n, : 2 * n] = self.covariance
        self.covariance = wider
        self.mean = np.concatenate([self.mean, np.zeros((1, 2))])
        self.draws = np.concatenate([self.draws, named_noise(name)[None]])
        self.rows = {**self.rows, name: n}
        return n

    def gain(self, rows: Sequence[int], gradient: Floats) -> Floats:
        """Covariance times a gradient that is zero outside `rows`, `(2 n,)`."""
        if not len(gradient):
            return np.zeros(len(self.covariance))
        positions = (2 * np.asarray(rows)[:, None] + np.arange(2)).reshape(-1)
        return np.asarray(self.covariance[:, positions] @ gradient)

    def shift_mean(self, gain: Floats, residual: float) -> None:
        """Shift mean and draws by the same amount."""
        change = (gain * residual).reshape(-1, 2)
        self.mean = self.mean + change
        self.draws = self.draws + change[:, :, None]

    def update(self, gain: Floats, residual: float, cut: float) -> None:
        """Update mean and covariance with an outcome."""
        self.mean = self.mean + (gain * residual).reshape(-1, 2)
        self.covariance -= cut * np.outer(gain, gain)
        diagonal = np.einsum("ii->i", self.covariance)
        np.minimum(diagonal + PROCESS_NOISE, 1.0, out=diagonal)

    def update_draws(
        self, rows: Sequence[int], gradient: Floats, gain: Floats, outcome: tuple[float, float, float, int]
    ) -> None:
        """Update the draws after `update`, each with the outcome perturbed by its own noise (Matheron's rule).

        `outcome` is (variance of the logit, residual at its mode, curvature, number of the lesson). A draw moves by
        the step of the mean, less the part that its own deviation from the mean predicted.
        """
        if not len(gradient):
            return
        spread, residual, curvature, number = outcome
        noise = _lesson_noise(number) / math.sqrt(curvature)
        deviation = np.einsum("rkd,rk->d", self._centred(rows, gain, residual), gradient.reshape(-1, 2))
        weight = (noise - deviation) / (spread + 1.0 / curvature)  # (N_DRAWS,)
        change = gain.reshape(-1, 2)
        self.draws = self.draws + change[:, :, None] * (residual + weight)

    def widen(self, alarms: int) -> None:
        """Enlarge all variances after drift alarm number `alarms`, at most to the prior's."""
        diagonal = np.einsum("ii->i", self.covariance)
        grown = np.maximum(diagonal, np.minimum(1.0, diagonal + ALARM_VARIANCE))
        half = np.random.default_rng((_ALARM_SEED, alarms)).standard_normal((len(self.rows), 2, N_DRAWS // 2))
        noise = np.concatenate([half, -half], axis=2)
        self.draws = self.draws + np.sqrt(grown - diagonal).reshape(-1, 2)[:, :, None] * noise
        diagonal[:] = grown

    def to_arrays(self) -> Mapping[str, Floats]:
        """Export mean, covariance and draws."""
        return {"mean": self.mean, "covariance": self.covariance, "draws": self.draws}

    @classmethod
    def from_arrays(cls, names: Sequence[str], arrays: Mapping[str, Floats]) -> "JointPosterior":
        """Restore from `to_arrays`."""
        rows = {name: row for row, name in enumerate(names)}
        return cls(rows, arrays["mean"].copy(), arrays["covariance"].copy(), arrays["draws"].copy())

    def _centred(self, rows: Sequence[int], gain: Floats, residual: float) -> Floats:
        """Deviations of the draws of `rows` from the mean before its last update, `(rows, 2, N_DRAWS)`."""
        before = self.mean[rows] - (gain * residual).reshape(-1, 2)[rows]
        return np.asarray(self.draws[rows] - before[:, :, None])


@lru_cache(maxsize=20_000)
def named_noise(name: str) -> Floats:
    """Antithetic standard normal draws of an effect's level and slope `(2, N_DRAWS)`, seeded by its name."""
    seed = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
    half = np.random.default_rng(seed).standard_normal((2, N_DRAWS // 2))
    return np.concatenate([half, -half], axis=1)


def _lesson_noise(number: int) -> Floats:
    half = np.random.default_rng((_NOISE_SEED, number)).standard_normal(N_DRAWS // 2)
    return np.concatenate([half, -half])
