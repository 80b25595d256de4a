"""Redrawn shops: demand falls in price, the same seed draws the same shop, intervals are over shops."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.over_shops import paired
from eval.policy.policies import HoldReference
from eval.policy.runs import run
from eval.simulators.redrawn import Family, RedrawnShop


@given(shop=st.integers(0, 10_000), family=st.sampled_from(Family))
def test_demand_of_every_family_falls_in_price_and_is_a_probability(shop: int, family: Family) -> None:
    world = RedrawnShop(1, shop, family)
    for visit in world.visits(5):
        chance = visit.probability(world.limits.grid)
        assert ((chance >= 0) & (chance <= 1)).all()
        assert (np.diff(chance) <= 1e-12).all()
        assert type(replace(visit, cost=0.5)) is type(visit)


@pytest.mark.parametrize("family", Family)
def test_a_shop_is_drawn_by_its_seed_and_its_profit_is_at_most_the_attainable(family: Family) -> None:
    first, again = (run(RedrawnShop(3, 7, family), HoldReference(), 60) for _ in range(2))
    assert first.profit.tolist() == again.profit.tolist()
    assert (first.profit <= first.best + 1e-12).all()


def test_the_interval_is_over_paired_shops() -> None:
    mean, low, high = paired([0.1, 0.1, 0.1])
    assert (mean, low, high) == pytest.approx((0.1, 0.1, 0.1))
    mean, low, high = paired([-0.1, 0.1, 0.3])
    assert low < mean < high
