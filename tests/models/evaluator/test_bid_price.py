from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evaluator.bid_price import EXACT_UNITS, Demand, bid_price
from models.evaluator.utility import Stock

RATIO = np.linspace(0.4, 2.0, 33)


def demand(arrivals: float, steep: float = 3.0) -> Demand:
    return Demand(RATIO, 1 / (1 + np.exp(steep * np.log(RATIO))), arrivals)


def brute_force(one: Demand, cost: float, units: int) -> float:
    """The same recursion over a tree of states, one state at a time."""
    steps = max(1, int(np.ceil(one.arrivals / 0.5)))
    chance = one.arrivals / steps

    @cache
    def value(left: int, n: int) -> float:
        if left == 0 or n == 0:
            return 0.0
        stay, sell = value(left - 1, n), value(left - 1, n - 1)
        best = max(p * (r - cost + sell - stay) for p, r in zip(one.purchase.tolist(), RATIO.tolist(), strict=True))
        return float(stay + chance * max(0.0, best))

    return value(steps, units) - value(steps, units - 1)


@pytest.mark.parametrize("units", [1, 2, 5])
@pytest.mark.parametrize("arrivals", [6.0, 11.0])
def test_the_recursion_equals_an_enumeration_of_all_states(units: int, arrivals: float) -> None:
    assert bid_price(demand(arrivals), 0.2, units) == pytest.approx(brute_force(demand(arrivals), 0.2, units))


def test_the_bid_price_is_zero_if_everyone_can_be_served() -> None:
    assert bid_price(demand(5.0), 0.0, 5) == 0.0
    assert bid_price(demand(0.0), 0.0, 5) == 0.0


def test_many_units_agree_with_the_fluid_limit() -> None:
    exact = bid_price(demand(230.0), 0.1, EXACT_UNITS // 4)
    fluid = bid_price(demand(2300.0), 0.1, 10 * EXACT_UNITS // 4)
    assert fluid == pytest.approx(exact, abs=0.1)
    assert fluid > 0


@given(st.integers(1, 20), st.floats(1, 60), st.floats(0, 0.8), st.floats(1, 6))
def test_scarcity_and_time_raise_the_bid_and_it_never_passes_the_highest_price(
    units: int, arrivals: float, cost: float, steep: float
) -> None:
    one = demand(arrivals, steep)
    bid = bid_price(one, cost, units)
    assert 0 <= bid <= RATIO.max()
    assert bid_price(one, cost, units + 1) <= bid + 1e-9
    assert bid_price(demand(arrivals + 5, steep), cost, units) >= bid - 0.02  # steps differ a little


def test_with_a_bid_price_the_opportunity_cost_is_the_bid_and_what_the_sale_spends() -> None:
    night = Stock(inventory=3, weeks_left=0.5, sunk=False, bid=0.25)
    assert night.opportunity_cost(40.0, 100.0) == pytest.approx(65.0)
    fresh = Stock(inventory=3, weeks_left=0.5, sunk=True, bid=0.25)
    assert fresh.opportunity_cost(40.0, 100.0) == pytest.approx(0.3 * 40 + 25)
