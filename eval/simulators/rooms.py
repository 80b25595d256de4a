"""Hotel simulator: few rooms per night, a deadline, random arrivals, and the exact optimum by dynamic programming."""

from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Final

import numpy as np

from agent.domain.records import ProductRecord
from eval.simulators.world import Limits, RandomStreams, Visit
from models.arrays import Floats

CAPACITY: Final = 12
STEPS: Final = 60  # of one hour each
CHANCE: Final = 0.6  # arrival probability per step
_START: Final = datetime(2026, 3, 2, tzinfo=UTC)
_COST: Final = 0.2
_TYPES: Final = (("leisure", 0.65, 0.9, 5.0), ("business", 0.35, 1.6, 2.6))  # name, share, level, slope


class Rooms:
    """Sells the rooms of one night until its deadline, then those of the next night."""

    name = "rooms"
    pack = "travel"
    limits = Limits()
    batch = 1

    def __init__(self, seed: int) -> None:
        """Start with all rooms of the first night available."""
        self._streams = RandomStreams(seed)
        self._night, self._step, self._units = 0, 0, CAPACITY

    def catalogue(self) -> list[ProductRecord]:
        """One product, the room."""
        return [ProductRecord("room", "Double room", "USD", list_minor=12_000, cost_minor=2_400, category="room")]

    def visits(self, count: int) -> list[Visit]:
        """Next visits; a sold-out night ends early, and its remaining time counts in the attainable profit."""
        found: list[Visit] = []
        elapsed = 0
        while len(found) < count:
            if self._step >= STEPS or not self._units:
                elapsed += STEPS - self._step
                self._night, self._step, self._units = self._night + 1, 0, CAPACITY
            elapsed += 1
            came = self._streams.arrivals.random() < CHANCE
            kind = _TYPES[int(self._streams.arrivals.random() > _TYPES[0][1])]
            if came:
                hours = float(STEPS - self._step)
                at = _START + timedelta(hours=self._night * STEPS + self._step)
                traits: dict[str, float | str] = {"travels_for": kind[0]}
                earned = float(self._value[STEPS, CAPACITY]) * elapsed / STEPS
                found.append(Visit("room", traits, _COST, kind[2], kind[3], at, self._units, hours, earned))
                elapsed = 0
            self._step += 1
        return found

    def settle(self, visit: Visit, ratio: float) -> bool:
        """Whether the shopper buys, which takes a room."""
        sold = bool(self._streams.sales.random() < float(visit.probability(ratio)))
        self._units -= sold
        return sold

    def opportunity(self, visit: Visit) -> float:
        """Cost of the room plus its value to later shoppers under the optimal policy."""
        left = int(visit.hours or 0) - 1
        units = visit.units or 0
        return visit.cost + float(self._value[left, units] - self._value[left, units - 1])

    @cached_property
    def _value(self) -> Floats:
        """Value of n rooms with t steps left under optimal prices by shopper type, `(STEPS + 1, CAPACITY + 1)`."""
        grid = self.limits.grid
        value = np.zeros((STEPS + 1, CAPACITY + 1))
        for step in range(1, STEPS + 1):
            worth = np.diff(value[step - 1])  # (units,)
            gain = np.zeros(CAPACITY)
            for _, share, level, slope in _TYPES:
                chance = 1 / (1 + np.exp(-(level - slope * np.log(grid))))
                gain += share * (chance[:, None] * (grid[:, None] - _COST - worth[None])).max(axis=0).clip(0)
            value[step, 1:] = value[step - 1, 1:] + CHANCE * gain
        return value
