"""Redrawn shops: products, shoppers, costs and demand drawn by a seed, in four families of demand.

`logit` is the family of Pricesmith's own model; `kinked` loses demand at once above the reference price (loss aversion;
Kahneman and Tversky 1979) and above a round discount; `probit` has lognormal reservation prices of a part of the
visitors; `types` mixes two hidden types of shoppers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import numpy as np

from agent.domain.records import ProductRecord
from eval.simulators.demand import HiddenType, kinked_demand, logit_demand, mixed_demand, probit_demand
from eval.simulators.shops import Shop
from eval.simulators.world import Limits, Visit
from models.arrays import Floats

_SHOP_STREAM: Final = 77
_AT_REFERENCE: Final = 1.0
_AT_DISCOUNT: Final = 0.5
_TYPES: Final = (HiddenType(0.6, 1.0, 0.5), HiddenType(0.4, -1.0, 1.8))


class Family(StrEnum):
    """Shape of the true demand."""

    LOGIT = "logit"
    KINKED = "kinked"
    PROBIT = "probit"
    TYPES = "types"


@dataclass(frozen=True, slots=True)
class RedrawnVisit(Visit):
    """Visit whose true demand is of a family; `discount` is the ratio above which `kinked` demand falls."""

    family: Family = Family.LOGIT
    discount: float = 0.8

    def probability(self, ratio: Floats | float) -> Floats:
        """True purchase probability at prices."""
        x = np.asarray(ratio, np.float64)
        log = np.log(np.maximum(x, 1e-9))
        if self.family is Family.PROBIT:
            z = (0.25 * self.level - log) / (1.7 / (1 + self.slope) + 0.05)
            return probit_demand(z)
        if self.family is Family.TYPES:
            return mixed_demand(self.level, self.slope, log, _TYPES)
        if self.family is Family.KINKED:
            falls = _AT_REFERENCE * (x > 1.0 + 1e-9) + _AT_DISCOUNT * (x > self.discount + 1e-9)
            return kinked_demand(self.level + 0.5, self.slope, log, falls)
        return logit_demand(self.level, self.slope, log)


class RedrawnShop(Shop):
    """Shop drawn by `shop`; `seed` draws its visitors."""

    limits = Limits(0.4, 1.6)

    def __init__(self, seed: int, shop: int, family: Family) -> None:
        """Draw 3, 12 or 30 products, 2 to 5 segments, 2 or 4 regions and the unit cost."""
        super().__init__(seed)
        self.name = f"{family} shop {shop}"
        self._family = family
        rng = np.random.default_rng((shop, _SHOP_STREAM))
        products, segments, regions = int(rng.choice([3, 12, 30])), int(rng.choice([2, 3, 5])), int(rng.choice([2, 4]))
        self._cost = float(rng.uniform(0.05, 0.6))
        self._product = np.stack([rng.normal(0, 0.6, products), np.exp(rng.normal(0, 0.35, products))], axis=1)
        slopes = np.exp(rng.normal(1.2, 0.35, segments))
        self._segment = np.stack([rng.normal(-0.8, 0.7, segments), slopes], axis=1)
        self._region = rng.normal(0, 0.3, regions)
        self._discount = float(rng.choice([0.7, 0.75, 0.8, 0.9]))

    def catalogue(self) -> list[ProductRecord]:
        """Products of four categories."""
        return [
            ProductRecord(
                f"r{place}",
                f"Thing {place}",
                "USD",
                list_minor=1_000 + 137 * place,
                cost_minor=round((1_000 + 137 * place) * self._cost),
                category=f"c{place % 4}",
            )
            for place in range(len(self._product))
        ]

    def _visit(self, at: datetime) -> Visit:
        rng = self._streams.arrivals
        places = (len(self._product), len(self._segment), len(self._region))
        product, segment, region = (int(rng.integers(one)) for one in places)
        traits: Mapping[str, float | str] = {"segment": f"s{segment}", "region": f"g{region}"}
        level = float(self._product[product, 0] + self._segment[segment, 0] + self._region[region])
        slope = float(self._product[product, 1] * self._segment[segment, 1])
        return RedrawnVisit(
            f"r{product}", traits, self._cost, level, slope, at, family=self._family, discount=self._discount
        )
