"""The gateway over arrays makes the prices that the gateway of one price makes, whatever the rules."""

from dataclasses import replace

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.rules.gateway import GatewayFacts, GatewayRules
from agent.rules.gateway_columns import allowed_prices
from agent.rules.price_limits import PriceLimits
from models.strategist.strategy import Rounding

from .test_gateway import FACTS, RULES, fact_sets, proposals, rule_sets

steps = st.sampled_from([1, 1, 5, 10, 25, 100, 1000, 10_000])
stepped_rules = st.builds(
    lambda rules, step, place, law: replace(rules, step_minor=step, discount_only=place, parity=law),
    rule_sets,
    steps,
    st.none() | st.just("US-MD"),
    st.none() | st.just("US-CT"),
)
stranger_facts = st.builds(
    lambda facts, price: replace(facts, stranger_minor=price), fact_sets, st.none() | st.integers(1, 3000)
)
limits = st.builds(PriceLimits, stepped_rules, stranger_facts, st.sampled_from([None, None, None, "stocktaking"]))


@settings(max_examples=500)
@given(st.lists(st.tuples(limits, st.lists(proposals, min_size=4, max_size=4)), min_size=1, max_size=6))
@example([(PriceLimits(GatewayRules(floor_minor=1, rounding=Rounding.CHARM), FACTS), [1231, 1, 2, 3])])
@example([(PriceLimits(replace(RULES, step_minor=5, rounding=Rounding.CHARM), FACTS), [999, 1001, 1003, 501])])
@example([(PriceLimits(GatewayRules(floor_minor=996, ceiling_minor=999, step_minor=5), FACTS), [1, 997, 998, 5000])])
@example([(PriceLimits(replace(RULES, step_minor=100), replace(FACTS, cost_minor=990)), [1, 997, 1240, 5000])])
def test_prices_of_arrays_are_those_of_the_gateway(rows: list[tuple[PriceLimits, list[int]]]) -> None:
    maps = [one.price_map for one, _ in rows]
    prices = allowed_prices(maps, np.asarray([raw for _, raw in rows], np.int64))
    expected = [[one.apply(price).price_minor for price in raw] for one, raw in rows]
    assert prices.tolist() == expected
    assert [one.preview(raw) for one, raw in rows] == expected


def test_no_proposals_are_no_prices() -> None:
    limits_of_one = PriceLimits(RULES, GatewayFacts(1000, 2, 600))
    assert limits_of_one.preview([]) == []
    assert allowed_prices([], np.zeros((0, 3), np.int64)).shape == (0, 3)
