"""Logged prices as off-policy estimators read them: what might have been shown, how likely, what was, what followed."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.arrays import Floats

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Logged decisions; all arrays in one order. Prices are ratios to the reference price.

    Attributes:
        support: `(n, k)`, prices that the logging policy might have shown; short rows repeat their first.
        chance: `(n, k)`, the probability of each, 0 where a row repeats.
        shown: `(n,)`, the price that was shown.
        propensity: `(n,)`, its probability.
        bought: `(n,)`, 1 or 0.
        cost: `(n,)`, of a unit, over the reference.
        worth: `(n,)`, reference price times quantity, minor units: what a ratio of 1 is worth.
        context: `(n, d)`, what the reward model may know.
        cluster: `(n,)`, shoppers as numbers; what one does may hang together.
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
        """Decisions."""
        return len(self.shown)

    def margin(self, price: Floats) -> Floats:
        """Profit of a sale at prices `(n,)` or `(n, m)`, minor units."""
        wide = price.ndim == 2
        cost, worth = (self.cost[:, None], self.worth[:, None]) if wide else (self.cost, self.worth)
        return np.asarray(worth * (price - cost))

    def rows(self, which: NDArray[np.bool_] | Integers) -> "Sample":
        """Some of the decisions."""
        return replace(self, **{name: getattr(self, name)[which] for name in self.__slots__})


@dataclass(frozen=True, slots=True)
class Target:
    """A policy to judge: prices `(n, m)` with the probability `(n, m)` of each, for the rows of one sample."""

    name: str
    price: Floats
    chance: Floats

    @classmethod
    def of(cls, name: str, price: Floats) -> "Target":
        """A policy without randomness, one price `(n,)` a decision."""
        return cls(name, np.asarray(price, np.float64)[:, None], np.ones((len(price), 1)))

    def rows(self, which: NDArray[np.bool_] | Integers) -> "Target":
        """Some of the decisions."""
        return Target(self.name, self.price[which], self.chance[which])
