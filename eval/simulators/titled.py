"""A simulated shop whose titles alone tell one kind of product from another."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import numpy as np

from agent.domain.records import ProductRecord
from eval.simulators.shops import Shop
from eval.simulators.titles import KINDS, titles
from eval.simulators.world import Limits, Visit

_SHOP_STREAM: Final = 78
_COST: Final = 0.3
_NEW_OF_KIND: Final = 5
_SEGMENTS: Final = {"student": -0.4, "family": 0.0, "business": 0.4}


class Titled(Shop):
    """Twelve kinds of twenty products; level and slope of demand belong to the kind and vary a little within it.

    No category is told. The seed draws kinds, products and visitors alike; demand does not depend on the language.

    Attributes:
        new: Five products of each kind, which a launch sells for the first time.
    """

    name = "titles"
    limits = Limits(0.4, 1.6)

    def __init__(self, seed: int, language: str) -> None:
        """Draw the demand of kinds and products."""
        super().__init__(seed)
        self._titles, kinds = titles(language)
        rng = np.random.default_rng((seed, _SHOP_STREAM))
        kind, count = np.asarray(kinds), len(kinds)
        self._level = rng.normal(-0.8, 0.7, len(KINDS))[kind] + rng.normal(0, 0.2, count)
        self._slope = np.exp(rng.normal(1.2, 0.35, len(KINDS))[kind] + rng.normal(0, 0.1, count))
        new = [rng.choice(np.flatnonzero(kind == place), _NEW_OF_KIND, replace=False) for place in range(len(KINDS))]
        self.new = frozenset(f"t{product}" for product in np.concatenate(new))

    def catalogue(self) -> list[ProductRecord]:
        """Products with a title and no category."""
        return [
            ProductRecord(f"t{place}", title, "USD", list_minor=2_000, cost_minor=round(2_000 * _COST))
            for place, title in enumerate(self._titles)
        ]

    def _visit(self, at: datetime) -> Visit:
        rng = self._streams.arrivals
        product, segment = int(rng.integers(len(self._titles))), list(_SEGMENTS)[int(rng.integers(len(_SEGMENTS)))]
        traits: Mapping[str, float | str] = {"segment": segment}
        level = float(self._level[product]) + _SEGMENTS[segment]
        return Visit(f"t{product}", traits, _COST, level, float(self._slope[product]), at)
