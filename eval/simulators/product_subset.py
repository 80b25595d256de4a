"""A simulated shop restricted to visits to some of its products."""

from collections.abc import Collection

from agent.domain.records import ProductRecord
from eval.simulators.world import Visit, World


class ProductSubset:
    """World restricted to visits to `products`."""

    def __init__(self, world: World, products: Collection[str]) -> None:
        """Wrap `world`; visits to other products are skipped."""
        self._world = world
        self._products = products
        self.name, self.pack, self.limits, self.batch = world.name, world.pack, world.limits, world.batch

    def catalogue(self) -> list[ProductRecord]:
        """Catalogue of the whole shop."""
        return self._world.catalogue()

    def visits(self, count: int) -> list[Visit]:
        """Next visits to these products."""
        found: list[Visit] = []
        while len(found) < count:
            found += [visit for visit in self._world.visits(1) if visit.product in self._products]
        return found

    def settle(self, visit: Visit, ratio: float) -> bool:
        """Whether the shopper buys, by the wrapped world."""
        return self._world.settle(visit, ratio)

    def opportunity(self, visit: Visit) -> float:
        """Opportunity cost, by the wrapped world."""
        return self._world.opportunity(visit)
