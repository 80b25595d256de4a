import numpy as np
import pytest

from agent.state.arrival_rates import Arrivals, Remaining
from models.strategist.strategy import SEARCHED_MOVES

CURVE = 0.4 / (1 + np.exp(4 * np.log1p(np.asarray(SEARCHED_MOVES) / 100)))
HOUR = 3600.0


def asked(times: int, every_h: float, capacity: int = 10) -> Arrivals:
    arrivals = Arrivals(capacity)
    for number in range(times):
        arrivals.saw("room", number * every_h * HOUR, CURVE)
    return arrivals


def test_the_rate_is_requests_an_hour() -> None:
    assert asked(400, 0.5).rate("room", None) == pytest.approx(2.0, rel=0.02)


def test_few_requests_give_no_rate_and_weekly_sales_are_a_prior() -> None:
    assert asked(4, 1.0).rate("room", None) is None
    assert asked(400, 0.5).rate("other", None) is None
    sales = 168 * 0.1 * float(CURVE[SEARCHED_MOVES.index(0)])  # a tenth of an arrival an hour
    steadied = asked(6, 0.5).rate("room", sales)
    assert steadied is not None
    assert 0.1 < steadied < 2.0


def test_the_bid_price_rises_as_stock_falls_and_is_zero_for_surplus_stock() -> None:
    arrivals = asked(200, 0.5)
    bids = [arrivals.bid("room", Remaining(units, 24.0, 0.2), None) for units in (1, 4, 100)]
    assert bids[0] is not None
    assert bids[1] is not None
    assert bids[0] > bids[1] > 0
    assert bids[2] == 0.0


def test_the_least_recently_requested_products_are_dropped_first() -> None:
    arrivals = Arrivals(2)
    for product in ("a", "b", "c"):
        for number in range(6):
            arrivals.saw(product, number * HOUR, CURVE)
    assert arrivals.rate("a", None) is None
    assert arrivals.rate("c", None) is not None


def test_time_without_stock_does_not_lower_the_rate() -> None:
    open_all_the_time, sold_out = Arrivals(), Arrivals()
    at = 0.0
    for _ in range(20):
        for units in range(5, 0, -1):
            at += HOUR
            sold_out.saw("room", at, CURVE, units)
        at += 30 * HOUR
    for number in range(100):
        open_all_the_time.saw("room", number * HOUR, CURVE, 5)
    rate, hidden = (arrivals.rate("room", None) for arrivals in (open_all_the_time, sold_out))
    assert rate == pytest.approx(1.0, rel=0.01)
    assert hidden == pytest.approx(1.0, rel=0.05)


def test_a_unit_is_worth_more_where_shoppers_are_known_to_differ() -> None:
    moves = np.asarray(SEARCHED_MOVES, np.float64)
    keen, thrifty = (
        1 / (1 + np.exp(-(level - slope * np.log1p(moves / 100)))) for level, slope in ((1.6, 2.6), (0.9, 5))
    )
    mixed, mean = Arrivals(), Arrivals()
    for number in range(60):
        mixed.saw("room", number * HOUR, keen if number % 3 else thrifty, 4)
        mean.saw("room", number * HOUR, (2 * keen + thrifty) / 3, 4)
    left = Remaining(4, 20.0, 0.2)
    grouped, pooled = (arrivals.bid("room", left, None) for arrivals in (mixed, mean))
    assert grouped is not None and pooled is not None
    assert grouped > pooled
