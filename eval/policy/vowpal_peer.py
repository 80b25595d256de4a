"""Policies by Vowpal Wabbit's contextual bandits; installed by `make peers`, never a dependency."""

import importlib
import importlib.util
import math
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from eval.simulators import Visit, World

_BINS: Final = 16  # leaves of the CATS tree, a power of two
_BANDWIDTH: Final = 0.1  # in price ratios
_PRICES: Final = 13
_UNSAFE: Final = re.compile(r"[\s:|]")


def available() -> bool:
    """Whether vowpalwabbit is installed."""
    return importlib.util.find_spec("vowpalwabbit") is not None


class VowpalCats:
    """Continuous-action bandit with trees and smoothing (CATS; Majzoubi et al. 2020) over all prices in the limits."""

    def __init__(self, world: World, seed: int) -> None:
        """Start without observations."""
        limits = world.limits
        self._low, self._high = limits.low, limits.high
        self._vw = _workspace(
            f"--cats {_BINS} --bandwidth {_BANDWIDTH} --min_value {limits.low} --max_value {limits.high} "
            f"--random_seed {seed + 1}"
        )
        self._density: list[float] = []

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Sample one price per visit."""
        drawn = [self._vw.predict(f"| {_features(visit)}") for visit in visits]
        self._density = [density for _, density in drawn]
        return [float(np.clip(price, self._low, self._high)) for price, _ in drawn]

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Learn with the negative profit as cost."""
        for visit, ratio, sold, density in zip(visits, ratios, bought, self._density, strict=True):
            cost = -float(sold) * (ratio - visit.cost)
            self._vw.learn(f"ca {ratio}:{cost}:{density} | {_features(visit)}")

    def close(self) -> None:
        """Release the learner."""
        self._vw.finish()


class VowpalAdf:
    """`cb_explore_adf` with SquareCB (Foster and Rakhlin 2020) over a few prices, with visit-price interactions."""

    def __init__(self, world: World, seed: int) -> None:
        """Start without observations."""
        grid = world.limits.grid
        self._grid = grid[np.linspace(0, len(grid) - 1, _PRICES).round().astype(int)].tolist()
        self._rng = np.random.default_rng((seed, 7))
        self._vw = _workspace(f"--cb_explore_adf --squarecb -q SA --random_seed {seed + 1}")
        self._shown: list[tuple[int, float]] = []

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Sample one price per visit."""
        self._shown = []
        for visit in visits:
            chances = np.asarray(self._vw.predict(self._example(visit)), np.float64)
            index = int(self._rng.choice(len(self._grid), p=chances / chances.sum()))
            self._shown.append((index, float(chances[index])))
        return [self._grid[index] for index, _ in self._shown]

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Learn with the negative profit as cost."""
        for visit, ratio, sold, (index, chance) in zip(visits, ratios, bought, self._shown, strict=True):
            lines = self._example(visit)
            lines[index + 1] = f"0:{-float(sold) * (ratio - visit.cost)}:{chance} {lines[index + 1]}"
            self._vw.learn(lines)

    def close(self) -> None:
        """Release the learner."""
        self._vw.finish()

    def _example(self, visit: Visit) -> list[str]:
        prices = [f"|A p{i} log:{math.log(price):.4f}" for i, price in enumerate(self._grid)]
        return [f"shared |S {_features(visit)}", *prices]


def _workspace(options: str) -> Any:
    return importlib.import_module("vowpalwabbit").Workspace(f"{options} --quiet")


def _features(visit: Visit) -> str:
    facts: dict[str, float | str] = {"product": visit.product, "cost": visit.cost, **visit.traits}
    if visit.units is not None and visit.hours is not None:
        facts |= {"units": float(visit.units) / 10, "hours": visit.hours / 24}
    words = [
        f"{name}={_UNSAFE.sub('_', value)}" if isinstance(value, str) else f"{name}:{_compressed(value):.4f}"
        for name, value in facts.items()
    ]
    return " ".join(words)


def _compressed(value: float) -> float:
    """Put large numbers on a log scale, as is usual for a linear learner."""
    return math.copysign(math.log1p(abs(value)), value) if abs(value) > 10 else value
