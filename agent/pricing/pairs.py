"""Pairs: situations as columns, each visit, product and category of a batch once."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from agent.pricing.situation import Sold, Visit
from models.arrays import Floats
from models.evaluator.lesson import Term
from models.shopper.features import FeatureColumns


@dataclass(slots=True)
class Pairs:
    """A batch of n situations; amounts are in minor units of the row's currency.

    Attributes:
        visits, sold, beside: Distinct visits, products, and effects beside those of the product.
        features: Features of all pairs; its `places` say which visit and product each pair is.
        sells: Of each product, whether it was sold lately.
        categories: Distinct categories of the products; `category_of` is the one of each product.
        beside_of: Of each pair, its place in `beside`.
        costs: Unit costs as in `Situation.unit_cost`.
    """

    visits: list[Visit] = field(default_factory=list)
    sold: list[Sold] = field(default_factory=list)
    beside: list[tuple[Term, ...]] = field(default_factory=list)
    sells: list[bool] = field(default_factory=list)
    categories: dict[str, int] = field(default_factory=dict)
    category_of: list[int] = field(default_factory=list)
    features: FeatureColumns = field(default_factory=FeatureColumns)
    beside_of: list[int] = field(default_factory=list)
    intents: list[float] = field(default_factory=list)
    quantities: list[int] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.costs)

    @property
    def places(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Visit and product of each pair, `(n,)` each."""
        visit, _, sold = np.asarray(self.features.places, np.intp).reshape(-1, 3).T
        return visit, sold

    @property
    def references(self) -> Floats:
        """Reference price of each product."""
        return np.asarray([one.reference_minor for one in self.sold], np.float64)
