"""Interface of simulated shops: visits with the data that a real shop would send, and a hidden true demand.

Prices are ratios to the reference price. Policies are evaluated by the expected profit of their prices under the true
demand, which removes the noise of single sales.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Protocol

import numpy as np

from agent.domain.records import ProductRecord
from models.arrays import Floats

GRID: Final = np.round(np.arange(0.4, 2.001, 0.02), 2)  # prices available to every policy
_FAR: Final = np.arange(0.0, 12.0, 0.005)


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit of a shopper to one product.

    Attributes:
        traits: Observable attributes of shopper and situation; numbers or words.
        cost: Unit cost over the reference price.
        level, slope: True logit in log(price / reference), hidden from policies.
        units, hours: Stock left and hours until it perishes, None where stock is unlimited.
        attainable: With limited stock: profit of the optimal policy in the time since the last visit; else None.
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
        """True purchase probability at prices."""
        return np.asarray(1 / (1 + np.exp(-(self.level - self.slope * np.log(ratio)))))

    def surplus(self, ratio: float) -> float:
        """Expected consumer surplus at a price: the area under the demand curve above it."""
        above = _FAR[ratio < _FAR]
        return float(self.probability(above).sum() * 0.005)


@dataclass(frozen=True, slots=True)
class Limits:
    """Allowed range of price ratios."""

    low: float = 0.4
    high: float = 2.0

    @property
    def grid(self) -> Floats:
        """Prices of `GRID` within the limits."""
        return np.asarray(GRID[(self.low - 1e-9 <= GRID) & (self.high + 1e-9 >= GRID)])


class World(Protocol):
    """A simulated shop, deterministic given its seed and the sequence of prices."""

    name: str
    pack: str
    limits: Limits
    batch: int

    def catalogue(self) -> list[ProductRecord]:
        """Products of the shop."""
        ...

    def visits(self, count: int) -> list[Visit]:
        """Next visits."""
        ...

    def settle(self, visit: Visit, ratio: float) -> bool:
        """Whether the shopper buys at a price."""
        ...

    def opportunity(self, visit: Visit) -> float:
        """True opportunity cost of selling a unit in this visit, over the reference price, unit cost included."""
        ...


@dataclass(slots=True)
class RandomStreams:
    """Separate random streams of visits and sales, so that prices do not change the visits (common random numbers)."""

    seed: int
    arrivals: np.random.Generator = field(init=False)
    sales: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        """Seed the streams."""
        self.arrivals, self.sales = (np.random.default_rng((self.seed, stream)) for stream in (1, 2))
