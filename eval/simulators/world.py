"""What a simulated shop is: visits with what a real shop would send, and a demand that only the simulator knows.

Prices are ratios to the product's reference price. Every policy is judged by the expected profit of its price under
the true demand, so that the noise of single sales does not blur the comparison.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import numpy as np

from agent.domain.records import ProductRecord
from models.arrays import Floats

GRID: Final = np.round(np.arange(0.4, 2.001, 0.02), 2)  # the prices that every policy may choose from
_FAR: Final = np.arange(0.0, 12.0, 0.005)


@dataclass(frozen=True, slots=True)
class Visit:
    """One shopper before one product.

    Attributes:
        traits: What the shop knows of shopper and situation; numbers or words.
        cost: Cost of selling a unit over the reference price.
        level, slope: Of the true logit in log(price / reference); unseen by any policy.
        units, hours: Stock left and hours until it is worth nothing, None where stock does not matter.
        attainable: Where it does: what the best policy earns in the time since the visit before; else None.
    """

    product: str
    traits: Mapping[str, float | str]
    cost: float
    level: float
    slope: float
    at: datetime
    units: int | None = None
    hours: float | None = None
    attainable: float | None = None

    def probability(self, ratio: Floats | float) -> Floats:
        """True chance of a sale at prices."""
        return np.asarray(1 / (1 + np.exp(-(self.level - self.slope * np.log(ratio)))))

    def surplus(self, ratio: float) -> float:
        """Expected consumer surplus at a price: the area under demand above it."""
        above = _FAR[ratio < _FAR]
        return float(self.probability(above).sum() * 0.005)


@dataclass(frozen=True, slots=True)
class Limits:
    """Price ratios that policies may choose from."""

    low: float = 0.4
    high: float = 2.0

    @property
    def grid(self) -> Floats:
        """`GRID` inside the limits."""
        return np.asarray(GRID[(self.low - 1e-9 <= GRID) & (self.high + 1e-9 >= GRID)])


class World(Protocol):
    """A shop; deterministic for a seed and a sequence of prices."""

    name: str
    pack: str
    limits: Limits
    batch: int

    def catalogue(self) -> list[ProductRecord]:
        """What the shop sells."""
        ...

    def visits(self, count: int) -> list[Visit]:
        """The next visits."""
        ...

    def settle(self, visit: Visit, ratio: float) -> bool:
        """Whether the shopper buys at a price."""
        ...

    def opportunity(self, visit: Visit) -> float:
        """True cost of selling a unit to this visit, over the reference price: what it costs and what it displaces."""
        ...


@dataclass(slots=True)
class Dice:
    """Randomness of a world: visits and sales from separate streams, so that prices do not change who comes."""

    seed: int
    arrivals: np.random.Generator = field(init=False)
    sales: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        """Make the streams."""
        self.arrivals, self.sales = (np.random.default_rng((self.seed, stream)) for stream in (1, 2))
