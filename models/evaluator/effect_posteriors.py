"""Gaussian posteriors of learned effects, joint and independent, and the drift alarm; `online.py` updates them."""

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
WALK: Final = 1e-6
ALARM_SHIFT: Final = 0.1
ALARM_AT: Final = 40.0
ALARM_WIDENS: Final = 0.05
_RESIDUAL_LIMIT: Final = 5.0
_NOISE_SEED: Final = 41
_ALARM_SEED: Final = 43


@dataclass(frozen=True, slots=True)
class Drift:
    """Two-sided cumulative sums of standardised residuals (Page 1954); an alarm starts them anew."""

    up: float = 0.0
    down: float = 0.0
    alarms: int = 0

    def after(self, residual: float) -> "Drift":
        """One residual later."""
        bounded = max(-_RESIDUAL_LIMIT, min(_RESIDUAL_LIMIT, residual))
        up = max(0.0, self.up + bounded - ALARM_SHIFT)
        down = max(0.0, self.down - bounded - ALARM_SHIFT)
        if max(up, down) > ALARM_AT:
            return Drift(0.0, 0.0, self.alarms + 1)
        return Drift(up, down, self.alarms)


@dataclass(frozen=True, slots=True)
class Single:
    """One effect by itself: a Gaussian over level and slope, in units of their prior sd."""

    level: float = 0.0
    slope: float = 0.0
    level_var: float = 1.0
    cov: float = 0.0
    slope_var: float = 1.0

    @property
    def numbers(self) -> tuple[float, float, float, float, float]:
        """All fields in their order."""
        return self.level, self.slope, self.level_var, self.cov, self.slope_var

    def quadratic(self, a: float, b: float) -> float:
        """Variance of a * level + b * slope."""
        return a * a * self.level_var + 2 * a * b * self.cov + b * b * self.slope_var

    def moved(self, a: float, b: float, residual: float, cut: float) -> "Single":
        """After an outcome with gradient (a, b)."""
        u = self.level_var * a + self.cov * b
        v = self.cov * a + self.slope_var * b
        return Single(
            self.level + u * residual,
            self.slope + v * residual,
            min(1.0, self.level_var - cut * u * u + WALK),
            self.cov - cut * u * v,
            min(1.0, self.slope_var - cut * v * v + WALK),
        )

    def widened(self) -> "Single":
        """After an alarm: known less well, up to the prior."""
        return Single(
            self.level,
            self.slope,
            min(1.0, self.level_var + ALARM_WIDENS),
            self.cov,
            min(1.0, self.slope_var + ALARM_WIDENS),
        )

    def drawn(self, name: str) -> tuple[Floats, Floats]:
        """Draws of level and slope, `(N_DRAWS,)` each."""
        noise = named_noise(name)
        root = math.sqrt(self.level_var)
        across = self.cov / root if root > 0 else 0.0
        rest = math.sqrt(max(0.0, self.slope_var - across * across))
        return self.level + root * noise[0], self.slope + across * noise[0] + rest * noise[1]


@dataclass(slots=True)
class Joint:
    """Effects with one covariance.

    Attributes:
        rows: Name to row, at most `CAPACITY`.
        mean: `(n, 2)`, level and slope.
        covariance: `(2 n, 2 n)`, level and slope of each row beside one another.
        draws: `(n, 2, N_DRAWS)`, draws of the posterior.
    """

    rows: dict[str, int] = field(default_factory=dict)
    mean: Floats = field(default_factory=lambda: np.zeros((0, 2)))
    covariance: Floats = field(default_factory=lambda: np.zeros((0, 0)))
    draws: Floats = field(default_factory=lambda: np.zeros((0, 2, N_DRAWS)))

    def row(self, name: str) -> int | None:
        """The row of an effect, made when it is new; None when there is no room."""
        row = self.rows.get(name)
        if row is not None or len(self.rows) >= CAPACITY:
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
        """Covariance times a gradient that is zero but for `rows`, `(2 n,)`."""
        if not len(gradient):
            return np.zeros(len(self.covariance))
        places = (2 * np.asarray(rows)[:, None] + np.arange(2)).reshape(-1)
        return np.asarray(self.covariance[:, places] @ gradient)

    def move(self, gain: Floats, residual: float) -> None:
        """Shift mean and draws."""
        change = (gain * residual).reshape(-1, 2)
        self.mean = self.mean + change
        self.draws = self.draws + change[:, :, None]

    def step(self, gain: Floats, residual: float, cut: float) -> None:
        """Mean and covariance after an outcome."""
        self.mean = self.mean + (gain * residual).reshape(-1, 2)
        self.covariance -= cut * np.outer(gain, gain)
        diagonal = np.einsum("ii->i", self.covariance)
        np.minimum(diagonal + WALK, 1.0, out=diagonal)

    def follow(
        self, rows: Sequence[int], gradient: Floats, gain: Floats, outcome: tuple[float, float, float, int]
    ) -> None:
        """The same for the draws: each sees the outcome with noise of its own.

        `outcome` is (variance of the logit, residual at its mode, curvature, number of the lesson). The gain moved the
        mean already; a draw moves by the mean's step less what its own deviation predicted.
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
        """After an alarm: every effect is known less well, up to its prior."""
        diagonal = np.einsum("ii->i", self.covariance)
        grown = np.maximum(diagonal, np.minimum(1.0, diagonal + ALARM_WIDENS))
        half = np.random.default_rng((_ALARM_SEED, alarms)).standard_normal((len(self.rows), 2, N_DRAWS // 2))
        noise = np.concatenate([half, -half], axis=2)
        self.draws = self.draws + np.sqrt(grown - diagonal).reshape(-1, 2)[:, :, None] * noise
        diagonal[:] = grown

    def to_arrays(self) -> Mapping[str, Floats]:
        """Mean, covariance and draws."""
        return {"mean": self.mean, "covariance": self.covariance, "draws": self.draws}

    @classmethod
    def from_arrays(cls, names: Sequence[str], arrays: Mapping[str, Floats]) -> "Joint":
        """What `to_arrays` gave."""
        rows = {name: row for row, name in enumerate(names)}
        return cls(rows, arrays["mean"].copy(), arrays["covariance"].copy(), arrays["draws"].copy())

    def _centred(self, rows: Sequence[int], gain: Floats, residual: float) -> Floats:
        """How far the draws of rows lay from the mean before it was moved, `(rows, 2, N_DRAWS)`."""
        before = self.mean[rows] - (gain * residual).reshape(-1, 2)[rows]
        return np.asarray(self.draws[rows] - before[:, :, None])


@lru_cache(maxsize=20_000)
def named_noise(name: str) -> Floats:
    """Standard normal draws of an effect's level and slope `(2, N_DRAWS)`, antithetic, a function of its name."""
    seed = int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")
    half = np.random.default_rng(seed).standard_normal((2, N_DRAWS // 2))
    return np.concatenate([half, -half], axis=1)


def _lesson_noise(number: int) -> Floats:
    half = np.random.default_rng((_NOISE_SEED, number)).standard_normal(N_DRAWS // 2)
    return np.concatenate([half, -half])
