import tracemalloc
from collections.abc import Mapping, Sequence
from math import nan
from statistics import median
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.shopper.product_weeks import ProductWeeks, WeekFacts, WeekRows
from models.shopper.weeks import week_of, week_start

Observed = tuple[str, int, str, float, float, float]
"""Product, week, currency, purchases, list price, price."""
_PRICES = st.sampled_from([nan, 80.0, 90.0, 100.0, 250.0])
_OBSERVED = st.tuples(
    st.sampled_from(["a", "b", "c", "unknown"]),
    st.sampled_from([-1, 0, 1, 2, 3, 8, 9, 10, 11, 30, 31, 6_000]),
    st.sampled_from(["EUR", "JPY"]),
    st.integers(0, 9).map(float),
    _PRICES,
    _PRICES,
)
_WEEKS = (-3, 0, 1, 2, 9, 12, 17, 18, 25, 32, 40, 6_001, 7_000)


def build(rows: list[tuple[str, int, float, float, float]]) -> ProductWeeks:
    products, weeks, purchases, lists, prices = zip(*rows, strict=True)
    numbers = [np.asarray(column, np.float64) for column in (purchases, lists, prices)]
    return ProductWeeks.build(
        {"a": "tea", "b": "tea", "c": "soap"},
        (products, np.asarray(weeks, np.int64), numbers[0], numbers[1], numbers[2]),
    )


def rows(found: Sequence[Observed]) -> WeekRows:
    products, weeks, currencies, *numbers = zip(*found, strict=True) if found else [()] * 6
    columns = [np.asarray(column, np.float64) for column in numbers]
    return WeekRows(products, np.asarray(weeks, np.int64), currencies, *columns)


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
    weeks.put(rows([("a", 6, "", 10, 100, nan)]))
    assert weeks.facts(6).share[0] == before
    assert weeks.facts(8).share[0] > later


def test_a_new_product_has_no_sales_and_no_price() -> None:
    weeks = build([("a", 5, 4.0, 100.0, 100.0)])
    weeks.put_product("new", "tea")
    facts = weeks.facts(6)
    assert facts.share[weeks.rows["new"]] == 0
    assert np.isnan(facts.reference[weeks.rows["new"]])
    weeks.put(rows([("new", 6, "", 2, 300, nan)]))
    assert weeks.facts(7).reference[weeks.rows["new"]] == 300


@given(st.integers(0, 4_000))
def test_weeks_begin_on_mondays_and_hold_their_start(week: int) -> None:
    start = week_start(week)
    assert start.weekday() == 0
    assert week_of(start.timestamp()) == week
    assert week_of(start.timestamp() - 1) == week - 1


class Dense:
    """The definitions of the facts, product by product and week by week."""

    def __init__(self, products: Mapping[str, tuple[str, str]], observed: Sequence[Observed]) -> None:
        """`products` are category and currency by id; of two observations under one key the later stands."""
        self._products = products
        self._observed = {one[:3]: one[3:] for one in observed if one[0] in products}

    def facts(self, week: int) -> WeekFacts:
        first = min((key[1] for key in self._observed if key[1] < week), default=week)
        window = range(max(first, week - 8), week)
        sold = {one: [self._sold(one, when) for when in window] for one in self._products}
        decayed = {one: sum(n * 0.85 ** (week - w) for n, w in zip(sold[one], window, strict=True)) for one in sold}
        reference = {one: self._reference(one, week, window) for one in self._products}
        mean = {one: sum(sold[one]) / max(1, len(window)) for one in sold}
        last = {one: sum(sold[one][-4:]) / max(1, len(sold[one][-4:])) for one in sold}
        alike = {one: [o for o, kind in self._products.items() if kind[0] == self._products[one][0]] for one in sold}
        columns = {
            "share": [decayed[one] / max(1.0, sum(decayed.values())) for one in sold],
            "category_share": [decayed[one] / max(1.0, sum(decayed[o] for o in alike[one])) for one in sold],
            "trend": [np.clip(np.log((last[one] + 0.25) / (mean[one] + 0.25)), -2, 2) for one in sold],
            "deal_frequency": [self._deals(one, window) for one in sold],
            "reference": list(reference.values()),
            "price_level": [self._level(one, reference) for one in sold],
            "weekly_units": list(mean.values()),
        }
        return WeekFacts(**{name: np.asarray(column, np.float64) for name, column in columns.items()})

    def _sold(self, product: str, week: int) -> float:
        return sum(facts[0] for key, facts in self._observed.items() if key[:2] == (product, week))

    def _prices(self, product: str, week: int) -> tuple[float, float]:
        found = self._observed.get((product, week, self._products[product][1]), (0.0, nan, nan))
        return found[1], found[2]

    def _reference(self, product: str, week: int, window: range) -> float:
        recent = [price for when in window if not np.isnan(price := self._prices(product, when)[0])]
        if recent:
            return median(recent)
        earlier = sorted(key[1] for key in self._observed if key[0] == product and key[1] < week)
        return next((p for when in reversed(earlier) if not np.isnan(p := self._prices(product, when)[0])), nan)

    def _deals(self, product: str, window: range) -> float:
        seen = [pair for when in window if not np.isnan(pair := self._prices(product, when)).any()]
        return sum(price < 0.95 * listed for listed, price in seen) / max(1, len(seen))

    def _level(self, product: str, reference: Mapping[str, float]) -> float:
        if np.isnan(reference[product]):
            return 0.0
        group = [r for one, r in reference.items() if self._products[one] == self._products[product]]
        middle = np.median([np.log(r) for r in group if not np.isnan(r)])
        return float(np.clip(np.log(reference[product]) - middle, -2, 2))


@given(st.lists(_OBSERVED, max_size=25), st.data())
@settings(max_examples=150)
def test_facts_follow_their_definitions_whatever_the_order_in_which_rows_and_products_come(
    observed: list[Observed], data: st.DataObject
) -> None:
    products = {"a": ("tea", "EUR"), "b": ("tea", "EUR"), "c": ("tea", "JPY")}
    weeks = ProductWeeks()
    for product, (category, currency) in products.items():
        weeks.put_product(product, "soap", "JPY")
        weeks.put_product(product, category, currency)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(observed)), max_size=4)))
    for start, end in zip([0, *cuts], [*cuts, len(observed)], strict=True):
        weeks.facts(data.draw(st.sampled_from(_WEEKS)))  # cached before the next rows come
        weeks.put(rows(observed[start:end]))
    for week in _WEEKS:
        found, expected = weeks.facts(week), Dense(products, observed).facts(week)
        for name in WeekFacts.__slots__:
            np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12, err_msg=name)


def test_weeks_priced_in_another_currency_count_for_sales_alone() -> None:
    weeks = ProductWeeks()
    weeks.put_product("a", "tea", "EUR")
    weeks.put(rows([("a", week, "JPY", 2.0, 16_000.0, 100.0) for week in range(1, 9)]))
    facts = weeks.facts(9)
    assert (facts.weekly_units[0], facts.deal_frequency[0], facts.price_level[0]) == (2, 0, 0)
    assert np.isnan(facts.reference[0])


def test_a_product_in_another_currency_than_before_has_nothing_of_its_old_prices() -> None:
    weeks = ProductWeeks()
    weeks.put_product("a", "tea", "EUR")
    weeks.put(rows([("a", 5, "EUR", 2.0, 1_000.0, 800.0)]))
    assert weeks.facts(6).reference[0] == 1_000
    weeks.put_product("a", "tea", "JPY")
    assert np.isnan(weeks.facts(6).reference[0])
    assert weeks.facts(6).deal_frequency[0] == 0
    assert weeks.facts(6).weekly_units[0] == 2


def test_memory_follows_what_was_observed_and_not_the_span_of_time() -> None:
    products = [f"p{number}" for number in range(2_500)]
    tracemalloc.start()
    try:
        weeks = ProductWeeks()
        for product in products:
            weeks.put_product(product, "tea", "EUR")
        before = tracemalloc.get_traced_memory()[0]
        weeks.put(rows([("p0", when, "EUR", 1.0, 100.0, 100.0) for when in (0, week_of(4.1e9), 400_000)]))
        assert tracemalloc.get_traced_memory()[0] - before < 100_000
    finally:
        tracemalloc.stop()
    assert weeks.facts(400_001).weekly_units[0] == 1 / 8


def test_few_weeks_of_facts_are_cached() -> None:
    weeks = ProductWeeks()
    for number in range(300_000):
        weeks.put_product(str(number), "tea")
    for week in range(20):
        weeks.facts(week)
    assert len(weeks._facts) <= 13


def test_products_are_added_to_a_shop_with_a_long_past_in_a_moment() -> None:
    weeks = ProductWeeks()
    for number in range(2_500):
        weeks.put_product(f"p{number}", "tea", "EUR")
    weeks.put(rows([("p0", 0, "EUR", 1.0, 100.0, 100.0), ("p1", 6_780, "EUR", 1.0, 100.0, 100.0)]))
    began = perf_counter()
    for number in range(500):
        weeks.put_product(f"new{number}", "tea", "EUR")
    weeks.facts(6_780)
    assert perf_counter() - began < 0.5
