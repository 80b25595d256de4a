"""Redrawn shops have the demand they promise, and their money is compared on equal terms."""

import numpy as np
import pytest

from agent.pricing.grid_search import TRIED_MOVES
from eval.own_store.logged_shops import FAMILIES, FAR, logged_shop
from eval.own_store.money import HOLD, PRICESMITH, Earned, _best_price, money_lines, money_regressions
from models.strategist.strategy import SEARCHED_MOVES


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("far", [True, False])
def test_demand_falls_and_the_best_price_lies_where_it_was_drawn(family: str, far: bool) -> None:
    shop = logged_shop(family, far=far, seed=7, known=2_000)
    offers = shop.data.offers
    reference, cost = (offers[name].to_numpy(float) for name in ("reference_price", "cost"))
    demand = np.stack([shop.demand(reference * ratio) for ratio in (0.5, 0.9, 1.0, 1.5, 2.5)])
    assert (np.diff(demand, axis=0) <= 1e-12).all()
    assert ((demand > 0) & (demand < 1)).all()
    best = np.median(_best_price(shop.demand, shop, cost) / reference)
    assert best > 0.8 * FAR[0] if far else best < 1.5
    assert (offers["price"].to_numpy() >= shop.limits[:, 0] - 0.01).all()
    assert (offers["price"].to_numpy() <= shop.limits[:, 1] + 0.01).all()


def test_the_shop_stays_whatever_is_known_of_it() -> None:
    few, many = (logged_shop("logit", far=True, seed=7, known=known).data for known in (2_000, 3_000))
    assert few.products.equals(many.products)


def test_lines_name_who_earns_more() -> None:
    found = [Earned("logit", far, 1, 2_000, {PRICESMITH: 0.9, HOLD: 0.5, "peer": 0.95}) for far in (True, False)]
    lines = money_lines(found)
    assert [line.where for line in lines] == ["all", "near", "far", "logit"]
    assert money_regressions(lines) == ["2,000 outcomes: peer earns 5.0% of the attainable more"]


def test_searched_moves_rise_and_hold_the_reference() -> None:
    assert list(SEARCHED_MOVES) == sorted(set(SEARCHED_MOVES))
    assert {0, -30, 30, 100, 150} <= set(SEARCHED_MOVES)
    assert 0 in TRIED_MOVES
