"""Baseline pricing policies; all get the same visits, price grid and feedback delays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import lightgbm
import numpy as np

from eval.simulators import Visit, World
from models.arrays import Floats

_LOGIT_EVERY: Final = 50
_BOOST_EVERY: Final = 400
_BOOST_EXPLORES: Final = 0.1
_BOOST_DECAY: Final = 400  # visits until which exploration stays at `_BOOST_EXPLORES`; then it falls as 1/sqrt(visits)
_TRIES: Final = 12  # visits per price before committing to the best one
_ARMS: Final = 9
_PRIOR_PRECISION: Final = 0.25


class Policy(Protocol):
    """Chooses a price ratio for each visit and learns from the outcome."""

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Choose one price ratio per visit."""
        ...

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Learn from the outcomes of the last `prices`."""
        ...

    def close(self) -> None:
        """Release resources."""
        ...


class StaticPolicy:
    """Base of policies: `learn` and `close` do nothing."""

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


class HoldReference(StaticPolicy):
    """Offers the reference price to everyone."""

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Return 1 for every visit."""
        return [1.0] * len(visits)


class Clairvoyant(StaticPolicy):
    """Maximises expected profit under the true demand and opportunity cost: an upper bound for all policies."""

    def __init__(self, world: World) -> None:
        """Use the true demand of `world`."""
        self._world = world

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Choose the profit-maximising price of each visit."""
        grid = self._world.limits.grid
        return [
            float(grid[(visit.probability(grid) * (grid - self._world.opportunity(visit))).argmax()])
            for visit in visits
        ]


@dataclass(slots=True)
class _ExploreThenCommit:
    """Explore-then-commit bandit over a few prices."""

    grid: Floats
    count: Floats = field(init=False)
    profit: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.count, self.profit = np.zeros(len(self.grid)), np.zeros(len(self.grid))

    def choose(self) -> float:
        least = int(self.count.argmin())
        if self.count[least] < _TRIES:
            return float(self.grid[least])
        return float(self.grid[(self.profit / self.count).argmax()])

    def learn(self, ratio: float, profit: float) -> None:
        arm = int(np.abs(self.grid - ratio).argmin())
        self.count[arm] += 1
        self.profit[arm] += profit


class BestPrice(StaticPolicy):
    """Learns one price for everyone or per product, by explore-then-commit over a coarse grid."""

    def __init__(self, world: World, key: Callable[[Visit], str]) -> None:
        """Visits with the same `key` share a price."""
        grid = world.limits.grid
        self._grid = grid[np.linspace(0, len(grid) - 1, _ARMS).round().astype(int)]
        self._key = key
        self._arms: dict[str, _ExploreThenCommit] = {}

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Choose the price of each visit's group."""
        return [self._arms.setdefault(self._key(visit), _ExploreThenCommit(self._grid)).choose() for visit in visits]

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Add the profits to the arms."""
        for visit, ratio, sold in zip(visits, ratios, bought, strict=True):
            self._arms[self._key(visit)].learn(ratio, sold * (ratio - visit.cost))


@dataclass(slots=True)
class VisitDesign:
    """Design matrix of visits: one-hot words and standardised numbers, including stock and time if present."""

    words: dict[str, int] = field(default_factory=dict)
    numbers: dict[str, tuple[float, float]] = field(default_factory=dict)

    def fit(self, visits: Sequence[Visit]) -> None:
        """Collect the words, and mean and standard deviation of the numbers."""
        for visit in visits:
            for name, value in _facts(visit).items():
                if isinstance(value, str):
                    self.words.setdefault(f"{name}={value}", len(self.words))
        names = {name for visit in visits for name, value in _facts(visit).items() if not isinstance(value, str)}
        for name in sorted(names):
            values = np.asarray([float(_facts(visit).get(name, 0.0)) for visit in visits])
            self.numbers[name] = (float(values.mean()), float(values.std()) or 1.0)

    def rows(self, visits: Sequence[Visit]) -> Floats:
        """Build the design matrix `(n, words + numbers)`."""
        found = np.zeros((len(visits), len(self.words) + len(self.numbers)))
        for row, visit in enumerate(visits):
            facts = _facts(visit)
            for name, value in facts.items():
                if isinstance(value, str) and f"{name}={value}" in self.words:
                    found[row, self.words[f"{name}={value}"]] = 1.0
            for place, (name, (mean, scale)) in enumerate(self.numbers.items()):
                found[row, len(self.words) + place] = (float(facts.get(name, mean)) - mean) / scale
        return found


def _facts(visit: Visit) -> dict[str, float | str]:
    facts: dict[str, float | str] = {"product": visit.product, **visit.traits}
    if visit.units is not None and visit.hours is not None:
        facts |= {"units": float(visit.units), "hours": visit.hours}
    return facts


class _Log:
    """Visits, prices and outcomes observed by a learning policy."""

    def __init__(self) -> None:
        self.visits: list[Visit] = []
        self.ratios: list[float] = []
        self.bought: list[bool] = []

    def add(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        self.visits += visits
        self.ratios += ratios
        self.bought += bought


class ThompsonLogit(StaticPolicy):
    """Thompson sampling on a logistic regression in log price with one-hot features and their price interactions."""

    def __init__(self, world: World, seed: int, window: int | None = None) -> None:
        """Price at random until the first fit; with a `window`, fit the latest so many visits alone."""
        self._grid = world.limits.grid
        self._window = window
        self._rng = np.random.default_rng((seed, 5))
        self._log = _Log()
        self._fitted = 0
        self._model: tuple[VisitDesign, Floats, Floats] | None = None

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Choose the best price under one posterior draw per visit."""
        if self._model is None:
            return [float(self._rng.choice(self._grid)) for _ in visits]
        design, mode, root = self._model
        found = []
        for visit, row in zip(visits, design.rows(visits), strict=True):
            beta = mode + root @ self._rng.standard_normal(len(mode))
            chance = 1 / (1 + np.exp(-(_with_price(np.repeat(row[None], len(self._grid), 0), self._grid) @ beta)))
            found.append(float(self._grid[(chance * (self._grid - visit.cost)).argmax()]))
        return found

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Record outcomes and refit periodically."""
        self._log.add(visits, ratios, bought)
        if len(self._log.bought) - self._fitted < max(_LOGIT_EVERY, len(self._log.bought) // 20):
            return
        self._fitted = len(self._log.bought)
        latest = slice(0 if self._window is None else max(0, self._fitted - self._window), None)
        visits = self._log.visits[latest]
        design = VisitDesign()
        design.fit(visits)
        x = _with_price(design.rows(visits), np.asarray(self._log.ratios[latest]))
        mode, covariance = _laplace(x, np.asarray(self._log.bought[latest], np.float64))
        self._model = (design, mode, np.asarray(np.linalg.cholesky(covariance), np.float64))


def _with_price(rows: Floats, ratio: Floats) -> Floats:
    base = np.concatenate([np.ones((len(rows), 1)), rows], axis=1)
    return np.concatenate([base, base * np.log(ratio)[:, None]], axis=1)


def _laplace(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Compute mode and covariance of a logistic regression with a Gaussian prior (Laplace approximation)."""
    beta = np.zeros(x.shape[1])
    prior = _PRIOR_PRECISION * np.eye(x.shape[1])
    for _ in range(25):
        p = 1 / (1 + np.exp(-np.clip(x @ beta, -30, 30)))
        hessian = (x * (p * (1 - p))[:, None]).T @ x + prior
        step = np.linalg.solve(hessian, x.T @ (y - p) - prior @ beta)
        beta = beta + step
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(beta), np.asarray(np.linalg.inv(hessian), np.float64)


class BoostedGrid(StaticPolicy):
    """LightGBM, monotone in price, refitted periodically; epsilon-greedy over the grid with a decaying epsilon."""

    def __init__(self, world: World, seed: int) -> None:
        """Price at random until the first fit."""
        self._grid = world.limits.grid
        self._rng = np.random.default_rng((seed, 6))
        self._log = _Log()
        self._fitted = 0
        self._model: tuple[VisitDesign, lightgbm.LGBMClassifier] | None = None

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Choose the best predicted price, or a random one with a probability that decays from 0.1."""
        explores = _BOOST_EXPLORES * min(1.0, (_BOOST_DECAY / max(1, len(self._log.bought))) ** 0.5)
        found = []
        for visit in visits:
            if self._model is None or self._rng.random() < explores:
                found.append(float(self._rng.choice(self._grid)))
                continue
            design, model = self._model
            rows = np.repeat(design.rows([visit]), len(self._grid), 0)
            chance = np.asarray(model.predict_proba(np.concatenate([rows, self._grid[:, None]], axis=1)))[:, 1]
            found.append(float(self._grid[(chance * (self._grid - visit.cost)).argmax()]))
        return found

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Record outcomes and refit periodically."""
        self._log.add(visits, ratios, bought)
        n = len(self._log.bought)
        if n - self._fitted < max(_BOOST_EVERY, n // 5) or len(set(self._log.bought)) < 2:
            return
        self._fitted = n
        design = VisitDesign()
        design.fit(self._log.visits)
        x = np.concatenate([design.rows(self._log.visits), np.asarray(self._log.ratios)[:, None]], axis=1)
        model = lightgbm.LGBMClassifier(
            n_estimators=80,
            learning_rate=0.08,
            num_leaves=15,
            min_child_samples=20,
            monotone_constraints=[0] * (x.shape[1] - 1) + [-1],
            random_state=1,
            n_jobs=1,
            verbose=-1,
        )
        self._model = (design, model.fit(x, np.asarray(self._log.bought)))
