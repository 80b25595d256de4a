"""Samples for off-policy estimators: possible prices, their probabilities, the price shown and the outcome."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Logged decisions; prices are relative to the reference price.

    Attributes:
        support: Prices that the logging policy could show, `(n, k)`; short rows repeat their first price.
        chance: Probability of each, `(n, k)`, 0 for repeated prices.
        shown: Price shown, `(n,)`. `propensity`: its probability, `(n,)`.
        bought: 1 or 0, `(n,)`.
        cost: Unit cost over the reference, `(n,)`.
        worth: Reference price times quantity in minor units, `(n,)`.
        context: Inputs of the reward model, `(n, d)`.
        cluster: Shopper numbers, `(n,)`.
    """

    support: Floats
    chance: Floats
    shown: Floats
    propensity: Floats
    bought: Floats
    cost: Floats
    worth: Floats
    context: Floats
    cluster: Integers

    def __len__(self) -> int:
        """Number of decisions."""
        return len(self.shown)

    def margin(self, price: Floats) -> Floats:
        """Compute the profit of a sale at prices `(n,)` or `(n, m)`, in minor units."""
        wide = price.ndim == 2
        cost, worth = (self.cost[:, None], self.worth[:, None]) if wide else (self.cost, self.worth)
        return np.asarray(worth * (price - cost))

    def rows(self, which: NDArray[np.bool_] | Integers) -> "Sample":
        """Select decisions."""
        return replace(self, **{name: getattr(self, name)[which] for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Target:
    """Target policy: prices with their probabilities, `(n, m)` each, for the rows of one sample."""

    name: str
    price: Floats
    chance: Floats

    @classmethod
    def of(cls, name: str, price: Floats) -> "Target":
        """Build a deterministic policy with one price per decision, `(n,)`."""
        return cls(name, np.asarray(price, np.float64)[:, None], np.ones((len(price), 1)))

    def rows(self, which: NDArray[np.bool_] | Integers) -> "Target":
        """Select decisions."""
        return Target(self.name, self.price[which], self.chance[which])
