"""Gateway over arrays: the prices that `gateway.guard` makes of many proposed ones, without their trails.

Scores are computed at the prices that would be shown, for every candidate of every request; the guard itself then goes
over the chosen price alone. A property test holds that both agree on every input.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from agent.rules.gateway import (
    Bounds,
    GatewayFacts,
    GatewayRules,
    bounds,
    cost_not_covered,
    holds_reference,
    payable_bounds,
)
from models.strategist.rounding import round_prices
from models.strategist.strategy import Rounding

Minor = NDArray[np.int64]
"""Amounts in minor units."""

_HIGHEST: Final = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True)
class PriceMap:
    """The gateway of one request as a map of prices: a clamp, then payable steps and endings within a narrower clamp.

    Attributes:
        within: Prices that the limits allow, step and ending apart.
        payable: Prices with a payable step and an ending lie in it.
    """

    within: Bounds
    payable: Bounds
    rounding: Rounding = Rounding.EXACT
    fraction_digits: int = 0
    step_minor: int = 1

    @classmethod
    def constant(cls, price_minor: int) -> "PriceMap":
        """A map of every price to one."""
        only = Bounds(price_minor, price_minor)
        return cls(only, only)


@lru_cache(maxsize=4096)  # requests for one product under the same rules share it
def price_map(rules: GatewayRules, facts: GatewayFacts) -> PriceMap:
    """The map of proposed prices to those that `guard` makes of them."""
    within = bounds(rules, facts)
    payable = payable_bounds(within, rules.step_minor)
    if payable is None or holds_reference(rules, facts.cost_minor) or cost_not_covered(rules, facts):
        return PriceMap(within, within)
    return PriceMap(within, payable, rules.rounding, facts.fraction_digits, rules.step_minor)


def allowed_prices(maps: Sequence[PriceMap], proposed: Minor) -> Minor:
    """Prices `(n, m)` that each row's limits make of proposed ones `(n, m)`."""
    prices = _clamped(proposed, [one.within for one in maps])
    rows_of: dict[tuple[Rounding, int, int], list[int]] = defaultdict(list)
    for row, one in enumerate(maps):
        if one.rounding is not Rounding.EXACT or one.step_minor > 1:
            rows_of[one.rounding, one.fraction_digits, one.step_minor].append(row)
    for (rounding, digits, step), rows in rows_of.items():
        payable, own = [maps[row].payable for row in rows], prices[rows]
        if step > 1:
            own = _clamped(round_prices(own.astype(np.float64), Rounding.EXACT, digits, step), payable)
        prices[rows] = _clamped(_presentable(own, rounding, digits, step), payable)
    return prices


def bound_columns(within: Sequence[Bounds]) -> tuple[Minor, Minor]:
    """Lower and upper ends of intervals, `(n, 1)` each; the largest integer where there is no upper one."""
    low = np.asarray([one.low_minor for one in within], np.int64)[:, None]
    high = np.asarray([_HIGHEST if one.high_minor is None else one.high_minor for one in within], np.int64)[:, None]
    return low, high


def _clamped(prices: Minor, within: Sequence[Bounds]) -> Minor:
    low, high = bound_columns(within)
    return np.maximum(np.minimum(prices, high), low)


def _presentable(prices: Minor, rounding: Rounding, fraction_digits: int, step_minor: int) -> Minor:
    """Round until nothing changes: a charm price may itself be near enough to a coarser one."""
    rounded = round_prices(prices.astype(np.float64), rounding, fraction_digits, step_minor)
    while not np.array_equal(rounded, prices):
        prices, rounded = rounded, round_prices(rounded.astype(np.float64), rounding, fraction_digits, step_minor)
    return rounded
