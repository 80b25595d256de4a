"""One policy on one world: what it earned visit by visit, kept in a file so that a long suite can be taken up again."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from eval.policy.policies import Attainable, Policy
from eval.policy.pricesmith import Pricesmith
from eval.simulators import World
from models.arrays import Floats

_ARRAYS: Final = ("profit", "best", "surplus", "price")


@dataclass(frozen=True, slots=True)
class Run:
    """One policy on one world with one seed; arrays are `(visits,)`.

    Attributes:
        profit: Expected profit of each price under the truth.
        best: What the best policy earns, knowing the truth but for what cannot be observed.
        surplus: Expected consumer surplus.
        price: Ratio to the reference price.
        breaches: Prices outside the limits.
    """

    profit: Floats
    best: Floats
    surplus: Floats
    price: Floats
    breaches: int
    seconds: float

    @property
    def above(self) -> NDArray[np.bool_]:
        """Whether each price lay above the reference."""
        return self.price > 1.0 + 1e-3

    def save(self, path: Path) -> None:
        """Write to an `.npz` file, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part.npz")
        counts = {"breaches": np.asarray(self.breaches), "seconds": np.asarray(self.seconds)}
        np.savez_compressed(part, **{name: getattr(self, name) for name in _ARRAYS}, **counts)  # type: ignore[arg-type]
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Run":
        """What `save` wrote."""
        with np.load(path) as held:
            arrays: dict[str, Any] = {name: held[name] for name in _ARRAYS}
            return cls(**arrays, breaches=int(held["breaches"]), seconds=float(held["seconds"]))


def run(world: World, policy: Policy, visits: int) -> Run:
    """`serve`, then close the policy."""
    try:
        return serve(world, policy, visits)
    finally:
        policy.close()


def serve(world: World, policy: Policy, visits: int) -> Run:
    """Let a policy price visits in batches, and tell it what became of each."""
    oracle = Attainable(world)
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
