"""Policies with knowledge of the true demand: the best fixed price, and peers that are given opportunity costs."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eval.policy.policies import Policy, StaticPolicy
from eval.simulators import Visit, World


class FixedPrice(StaticPolicy):
    """Offers one price to everyone."""

    def __init__(self, ratio: float) -> None:
        """Offer `ratio` times the reference price."""
        self._ratio = ratio

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Return the fixed price."""
        return [self._ratio] * len(visits)


class WithOpportunityCost:
    """Gives a peer the true opportunity cost of a unit as part of each visit's cost.

    The opportunity cost comes from the simulator's exact dynamic program, while Pricesmith has to estimate it. Where
    stock is unlimited the peer is unchanged.
    """

    def __init__(self, policy: Policy, world: World) -> None:
        """Wrap a peer."""
        self._policy = policy
        self._world = world
        self._priced: list[Visit] = []

    def prices(self, visits: Sequence[Visit]) -> list[float]:
        """Price at costs that include the opportunity cost."""
        self._priced = [replace(visit, cost=self._world.opportunity(visit)) for visit in visits]
        return self._policy.prices(self._priced)

    def learn(self, visits: Sequence[Visit], ratios: Sequence[float], bought: Sequence[bool]) -> None:
        """Let the peer learn at the costs that it priced at."""
        self._policy.learn(self._priced, ratios, bought)

    def close(self) -> None:
        """Close the peer."""
        self._policy.close()


def best_fixed(make: Callable[[], World], visits: int) -> float:
    """Find the fixed price with the highest expected profit over a world's visits, by exhaustive search."""

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
