import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.shopper.product_weeks import ProductWeeks, WeekFacts
from models.shopper.weeks import week_of, week_start


def build(rows: list[tuple[str, int, float, float, float]]) -> ProductWeeks:
    products, weeks, purchases, lists, prices = zip(*rows, strict=True)
    numbers = [np.asarray(column, np.float64) for column in (purchases, lists, prices)]
    return ProductWeeks.build(
        {"a": "tea", "b": "tea", "c": "soap"},
        (products, np.asarray(weeks, np.int64), numbers[0], numbers[1], numbers[2]),
    )


def same(left: WeekFacts, right: WeekFacts) -> bool:
    return all(np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True) for name in left.__slots__)


@given(st.integers(10, 18), st.floats(1, 1000), st.floats(1, 1000))
def test_facts_of_a_week_do_not_depend_on_that_week_or_later(week: int, sales: float, price: float) -> None:
    past = [("a", w, 5.0, 200.0, 150.0) for w in range(5, 10)] + [("b", 8, 1.0, 300.0, 300.0)]
    future = [("a", w, sales, price, price) for w in range(10, 20)]
    assert same(build(past + future).facts(10), build([*past, ("a", 19, 1.0, 9.0, 9.0)]).facts(10))
    assert build(past + future).facts(week).share[2] == 0


def test_the_reference_is_the_median_list_price_of_the_eight_weeks_before() -> None:
    prices = [900.0, 100.0, 100.0, 100.0, 110.0, 110.0, 110.0, 120.0, 500.0]
    weeks = build([("a", week, 1.0, price, 90.0) for week, price in enumerate(prices, 1)])
    assert weeks.facts(10).reference[0] == pytest.approx(110)


def test_an_old_price_is_the_reference_when_nothing_newer_is_known() -> None:
    weeks = build([("a", 1, 1.0, 250.0, 250.0), ("b", 30, 1.0, 100.0, 100.0)])
    assert weeks.facts(30).reference[0] == 250
    assert np.isnan(weeks.facts(30).reference[2])


def test_deals_are_weeks_more_than_five_percent_below_list() -> None:
    weeks = build([("a", w, 1.0, 100.0, 80.0 if w % 2 else 100.0) for w in range(1, 9)])
    assert weeks.facts(9).deal_frequency[0] == pytest.approx(0.5)


def test_a_recorded_sale_counts_from_the_next_week_on() -> None:
    weeks = build([("a", 5, 4.0, 100.0, 100.0), ("b", 5, 4.0, 100.0, 100.0)])
    before, later = weeks.facts(6).share[0], weeks.facts(8).share[0]
    weeks.record("a", 6, 10, 100)
    assert weeks.facts(6).share[0] == before
    assert weeks.facts(8).share[0] > later


def test_a_new_product_has_no_sales_and_no_price() -> None:
    weeks = build([("a", 5, 4.0, 100.0, 100.0)])
    weeks.add_product("new", "tea")
    facts = weeks.facts(6)
    assert facts.share[weeks.rows["new"]] == 0
    assert np.isnan(facts.reference[weeks.rows["new"]])
    weeks.record("new", 6, 2, 300)
    assert weeks.facts(7).reference[weeks.rows["new"]] == 300


@given(st.integers(0, 4_000))
def test_weeks_begin_on_mondays_and_hold_their_start(week: int) -> None:
    start = week_start(week)
    assert start.weekday() == 0
    assert week_of(start.timestamp()) == week
    assert week_of(start.timestamp() - 1) == week - 1
