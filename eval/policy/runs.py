"""Simulation of one policy on one world, and files of finished runs from which a suite can be resumed."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eval.policy.policies import Clairvoyant, Policy
from eval.policy.pricesmith import Pricesmith
from eval.simulators import World
from models.arrays import Floats

_ARRAYS: Final = ("profit", "best", "surplus", "price")


@dataclass(frozen=True, slots=True)
class Run:
    """Results of one policy on one world with one seed; arrays are `(visits,)`, amounts relative to the reference.

    Attributes:
        profit: Expected profit under the true demand.
        best: Expected profit of the best policy given the true demand and everything observable.
        surplus: Expected consumer surplus.
        price: Price over the reference price.
        breaches: Number of prices outside the limits.
        seconds: Time spent in the policy.
    """

    profit: Floats
    best: Floats
    surplus: Floats
    price: Floats
    breaches: int
    seconds: float

    @property
    def above(self) -> NDArray[np.bool_]:
        """Whether each price is above the reference."""
        return self.price > 1.0 + 1e-3

    def save(self, path: Path) -> None:
        """Write to an `.npz` file atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        counts = {"breaches": np.asarray(self.breaches), "seconds": np.asarray(self.seconds)}
        np.savez_compressed(part, **{name: getattr(self, name) for name in _ARRAYS}, **counts)  # type: ignore[arg-type]
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Run":
        """Read a file that `save` wrote."""
        with np.load(path) as held:
            arrays: dict[str, Any] = {name: held[name] for name in _ARRAYS}
            return cls(**arrays, breaches=int(held["breaches"]), seconds=float(held["seconds"]))


def run(world: World, policy: Policy, visits: int) -> Run:
    """Simulate, then close the policy."""
    try:
        return simulate(world, policy, visits)
    finally:
        policy.close()


def simulate(world: World, policy: Policy, visits: int) -> Run:
    """Let a policy price visits in batches and learn from their outcomes."""
    oracle = Clairvoyant(world)
    profit: list[float] = []
    best: list[float] = []
    surplus: list[float] = []
    price: list[float] = []
    spent = 0.0
    while len(profit) < visits:
        batch = world.visits(min(world.batch, visits - len(profit)))
        began = perf_counter()
        ratios = policy.prices(batch)
        spent += perf_counter() - began
        for visit, ratio, ideal in zip(batch, ratios, oracle.prices(batch), strict=True):
            profit.append(float(visit.probability(ratio)) * (ratio - visit.cost))
            earned = float(visit.probability(ideal)) * (ideal - visit.cost)
            best.append(earned if visit.attainable is None else visit.attainable)
            surplus.append(visit.surplus(ratio))
            price.append(ratio)
        sold = [world.settle(v, r) for v, r in zip(batch, ratios, strict=True)]
        began = perf_counter()
        policy.learn(batch, ratios, sold)
        spent += perf_counter() - began
    breaches = policy.breaches if isinstance(policy, Pricesmith) else 0
    return Run(np.asarray(profit), np.asarray(best), np.asarray(surplus), np.asarray(price), breaches, spent)
