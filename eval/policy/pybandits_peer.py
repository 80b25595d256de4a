"""Policy by pybandits' contextual bandit with dynamic pricing; installed by `make peers`, never a dependency."""

import importlib
import importlib.util
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from eval.policy.policies import VisitDesign
from eval.simulators import Visit, World

_PRICES: Final = 9
_EVERY: Final = 400  # visits between updates, each of which trains one network per price
_STEPS: Final = 400


def available() -> bool:
    """Whether pybandits is installed."""
    return importlib.util.find_spec("pybandits") is not None


class PybanditsPricing:
    """`CmabBernoulliDP`: Thompson sampling with a Bayesian logistic regression per price.

    pybandits maximises revenue; as costs are known here, the sampled probabilities are multiplied by the margin
    instead. Prices are random until the first update.
    """

    def __init__(self, world: World, seed: int) -> None:
        """Start without observations."""
        grid = world.limits.grid
        self._grid = grid[np.linspace(0, len(grid) - 1, _PRICES).round().astype(int)]
        self._seed = 100 * seed
        self._rng = np.random.default_rng((seed, 8))
        self._bandit: Any = None
        self._design = VisitDesign()
        self._visits: list[Visit] = []
        self._ratios: list[float] = []
        self._bought: list[bool] = []

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Choose the best price under one posterior draw per visit."""
        if self._bandit is None:
            return [float(self._rng.choice(self._grid)) for _ in visits]
        _, chances, _ = self._bandit.predict(context=self._design.rows(visits))
        found = []
        for visit, chance in zip(visits, chances, strict=True):
            sampled = np.asarray([float(chance[f"p{i}"]) for i in range(_PRICES)])
            found.append(float(self._grid[(sampled * (self._grid - visit.cost)).argmax()]))
        return found

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Update with the outcomes since the last update; the previous posterior is the prior."""
        self._visits += visits
        self._ratios += ratios
        self._bought += bought
        if len(self._visits) < _EVERY:
            return
        if self._bandit is None:
            self._design.fit(self._visits)
            self._bandit = self._cold_start()
        arms = [f"p{int(np.abs(self._grid - ratio).argmin())}" for ratio in self._ratios]
        rewards = [int(sold) for sold in self._bought]
        self._bandit.update(actions=arms, rewards=rewards, context=self._design.rows(self._visits))
        self._visits, self._ratios, self._bought = [], [], []

    def close(self) -> None:
        """Do nothing."""

    def _cold_start(self) -> Any:
        width = len(self._design.words) + len(self._design.numbers)
        network = importlib.import_module("pybandits.model.bnn.network").BayesianNeuralNetworkDP
        actions = {
            f"p{i}": network.cold_start(
                n_features=width, price=float(price), update_kwargs={"num_steps": _STEPS}, random_seed=self._seed + i
            )
            for i, price in enumerate(self._grid)
        }
        bandit = importlib.import_module("pybandits.cmab").CmabBernoulliDP
        return bandit.cold_start(actions=actions, random_seed=self._seed)
