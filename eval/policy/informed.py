"""What policies may know beforehand (the worth of a unit, the best fixed price), and visits to some products alone."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from agent.domain.records import ProductRecord
from eval.policy.policies import Policy, StaticPolicy
from eval.simulators import Visit, World


class Fixed(StaticPolicy):
    """One price for everyone, from the first visit on."""

    def __init__(self, ratio: float) -> None:
        """`ratio` to the reference price."""
        self._ratio = ratio

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """The same for all."""
        return [self._ratio] * len(visits)


class Informed:
    """A peer that is told, as part of each visit's cost, what the unit sold would bring from later shoppers.

    The worth is the exact one of the simulator's dynamic program, better than the estimate that Pricesmith makes do
    with. Where stock does not matter it is nothing, and the peer is as it was.
    """

    def __init__(self, policy: Policy, world: World) -> None:
        """Wrap a peer."""
        self._policy = policy
        self._world = world
        self._told: list[Visit] = []

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """The peer's prices at full costs."""
        self._told = [replace(visit, cost=self._world.opportunity(visit)) for visit in visits]
        return self._policy.prices(self._told)

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """The peer learns at the costs that it priced at."""
        self._policy.learn(self._told, ratios, bought)

    def close(self) -> None:
        """Let go of the peer."""
        self._policy.close()


class Only:
    """The visits of a world to some of its products."""

    def __init__(self, world: World, products: Collection[str]) -> None:
        """Pass over visits to others."""
        self._world = world
        self._products = products
        self.name, self.pack, self.limits, self.batch = world.name, world.pack, world.limits, world.batch

    def catalogue(self) -> list[ProductRecord]:
        """The whole shop's."""
        return self._world.catalogue()

    def visits(self, count: int) -> list[Visit]:
        """The next visits to these products."""
        found: list[Visit] = []
        while len(found) < count:
            found += [visit for visit in self._world.visits(1) if visit.product in self._products]
        return found

    def settle(self, visit: Visit, ratio: float) -> bool:
        """As the world does."""
        return self._world.settle(visit, ratio)

    def opportunity(self, visit: Visit) -> float:
        """As the world does."""
        return self._world.opportunity(visit)


def best_fixed(make: Callable[[], World], visits: int) -> float:
    """The price for everyone that would have earned most over a world's visits, found by trying each on all of them."""

    def earned(ratio: float) -> float:
        world, total, seen = make(), 0.0, 0
        while seen < visits:
            batch = world.visits(min(world.batch, visits - seen))
            for visit in batch:
                total += float(visit.probability(ratio)) * (ratio - visit.cost)
                world.settle(visit, ratio)
            seen += len(batch)
        return total

    grid = make().limits.grid[::2]
    return float(grid[int(np.argmax([earned(float(ratio)) for ratio in grid]))])
