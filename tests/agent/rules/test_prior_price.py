"""European Union, Directive 98/6/EC Article 6a: the prior price of a reduction, from the log of prices for everyone."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.domain.clock import Clock
from agent.domain.decision import Reduction
from agent.domain.records import MOST_OFFERS, AppliedPrice, ProductRecord
from agent.rules.prior_price import reduction
from agent.service.service import Service
from tests.prepared import World, ask

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def usd(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": "USD"}


def days_ago(days: float, price_minor: int) -> AppliedPrice:
    return AppliedPrice("p", "EUR", price_minor, NOW - timedelta(days=days))


def offered(days: float, price_minor: int) -> AppliedPrice:
    return replace(days_ago(days, price_minor), offer=True)


def test_eu_the_prior_price_is_the_lowest_of_the_30_days_before_the_reduction() -> None:
    log = [days_ago(60, 1_000), days_ago(20, 1_200), days_ago(10, 1_100), days_ago(5, 1_200)]
    found = reduction(log, 900, NOW, 30)
    assert found == Reduction(1_000, NOW, 30, 10)  # what was in force as the 30 days began counts


def test_eu_the_prior_price_is_anchored_where_the_promotion_began() -> None:
    log = [days_ago(100, 1_000), *(days_ago(day, 800) for day in range(50, 0, -1))]
    found = reduction(log, 800, NOW, 30)
    assert found == Reduction(1_000, NOW - timedelta(days=50), 30, 20)


def test_eu_a_price_raised_just_before_the_sale_gives_no_reduction() -> None:
    log = [days_ago(90, 1_000), days_ago(7, 1_500)]
    assert reduction(log, 1_000, NOW, 30) is None
    found = reduction(log, 950, NOW, 30)
    assert found is not None
    assert found.prior_minor == 1_000


def test_eu_a_further_step_down_is_measured_from_the_step_before() -> None:
    log = [days_ago(60, 1_000), days_ago(10, 800), days_ago(2, 700)]
    found = reduction(log, 700, NOW, 30)
    assert found == Reduction(800, NOW - timedelta(days=2), 30, 12)


def test_eu_without_a_log_no_reduction_may_be_announced() -> None:
    assert reduction([], 500, NOW, 30) is None


@pytest.mark.parametrize("days", [0.001, 1, 60], ids=["minutes", "a day", "60 days"])
@pytest.mark.parametrize("prices", [(100, 80, 100, 90), (100, 80, 90), (90,), (90, 90), (80, 90)], ids=str)
def test_eu_a_rise_or_a_return_to_a_price_is_no_reduction(prices: tuple[int, ...], days: float) -> None:
    steps = len(prices)
    log = [days_ago((days if step == steps - 1 else days + (steps - step) * 0.001), p) for step, p in enumerate(prices)]
    assert reduction(log, prices[-1], NOW, 30) is None


def test_eu_changes_of_one_moment_count_in_the_order_of_the_log() -> None:
    assert reduction([days_ago(0, price) for price in (100, 80, 100, 90)], 90, NOW, 30) is None
    assert reduction([days_ago(0, price) for price in (80, 100, 90)], 90, NOW, 30) is None
    assert reduction([days_ago(0, price) for price in (100, 90)], 90, NOW, 30) == Reduction(100, NOW, 30, 10)


def test_eu_a_price_that_returned_after_more_than_30_days_may_be_announced_again() -> None:
    log = [days_ago(90, 1_000), days_ago(80, 800), days_ago(50, 1_000), days_ago(10, 800)]
    assert reduction(log, 800, NOW, 30) == Reduction(1_000, NOW - timedelta(days=10), 30, 20)


def test_eu_an_offer_to_anybody_below_the_shelf_price_lowers_later_prior_prices() -> None:
    log = [days_ago(90, 1_000), offered(35, 850), offered(34, 1_000), offered(20, 900), days_ago(5, 950)]
    assert reduction(log, 950, NOW, 30) is None  # 900 was offered in the 30 days before the fall to 950
    assert reduction(log, 700, NOW, 30) == Reduction(900, NOW, 30, 22)  # 850 was left earlier than that


def test_eu_an_offer_stands_since_it_was_first_made_without_another_price_between() -> None:
    log = [days_ago(90, 1_000), offered(40, 900)]
    assert reduction(log, 900, NOW, 30) == Reduction(1_000, NOW - timedelta(days=40), 30, 10)
    assert reduction([*log, offered(3, 950), offered(2, 900)], 900, NOW, 30) is None
    assert reduction([*log, days_ago(3, 1_100)], 900, NOW, 30) is None  # the offer lay within the 30 days before now


def test_eu_a_price_above_the_shelf_price_is_no_reduction() -> None:
    assert reduction([days_ago(90, 1_000), days_ago(10, 700)], 800, NOW, 30) is None


def test_eu_nothing_is_announced_of_an_offer_from_a_day_of_which_the_log_lacks_some() -> None:
    flicker = [offered(5, 900 + row % 2) for row in range(MOST_OFFERS)]
    log = [days_ago(90, 1_000), *flicker[:-1], replace(flicker[-1], price_minor=800)]
    assert reduction(log, 800, NOW, 30) is None


HOURS = 24 * 30


def brute_force(changes: list[tuple[int, int]], now: int) -> tuple[int, int] | None:
    """Prior price and start of a reduction, by walking over every hour; changes are (hours since the last, price)."""
    by_hour: list[int] = []
    for wait, price in changes:
        by_hour += by_hour[-1:] * (wait - 1) + [price] if by_hour else [price]
    by_hour += by_hour[-1:] * now
    began = len(by_hour) - 1
    while began and by_hour[began - 1] == by_hour[-1]:
        began -= 1
    if not began or by_hour[began - 1] < by_hour[-1]:
        return None
    prior = min(by_hour[max(0, began - HOURS) : began])
    return (prior, began) if prior > by_hour[-1] else None


@given(st.lists(st.tuples(st.integers(1, 900), st.integers(1, 6)), min_size=1, max_size=8), st.integers(0, 2_000))
@example([(1, 1), (1, 2), (HOURS, 1)], 0)  # the rise to 2 lies at the very opening of the 30 days
def test_eu_reductions_of_shelf_prices_are_those_of_a_walk_over_every_hour(
    changes: list[tuple[int, int]], now: int
) -> None:
    at, log = 0, []
    for row, (wait, price) in enumerate(changes):
        at += wait if row else 0
        log.append(AppliedPrice("p", "EUR", price, NOW + timedelta(hours=at)))
    found = reduction(log, changes[-1][1], NOW + timedelta(hours=at + now), 30)
    expected = brute_force(changes, now)
    assert (None if found is None else (found.prior_minor, found.began)) == (
        None if expected is None else (expected[0], NOW + timedelta(hours=expected[1]))
    )


applied = st.builds(
    lambda hours, price, offer: replace(days_ago(hours / 24, price), offer=offer),
    st.integers(0, 3_000),
    st.integers(1, 50),
    st.booleans(),
)


@given(st.lists(applied, max_size=20), st.integers(1, 50))
def test_eu_no_announced_reduction_starts_above_a_price_of_the_30_days_before(
    rows: list[AppliedPrice], price: int
) -> None:
    log = sorted(rows, key=lambda one: one.at)
    found = reduction(log, price, NOW, 30)
    if found is not None:
        opening = found.began - timedelta(days=30)
        before = [one.price_minor for one in log if opening <= one.at < found.began]
        assert price < found.prior_minor <= min(before, default=found.prior_minor)
        assert price * 100 <= found.prior_minor * (100 - found.percent)


class Later(Clock):
    """A clock that tests set."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def later(own: World) -> Iterator[tuple[Service, Later]]:
    from agent.service.assembly import open_service
    from agent.service.opening import open_store

    chosen, clock = own.settings(language_model=False), Later()
    service = open_service(chosen, open_store(chosen), clock)
    yield service, clock
    service.close()


def tea(list_minor: int) -> ProductRecord:
    return ProductRecord("tea-1", "Green tea", "EUR", list_minor, cost_minor=list_minor // 2, category="tea")


def test_eu_a_cut_of_the_list_price_may_be_announced_from_the_price_before_it(later: tuple[Service, Later]) -> None:
    service, clock = later

    def told() -> Reduction | None:
        asked = {"product": {"id": "tea-1"}, "shopper": {"personalisation": "off"}, "context": {"jurisdiction": "FR"}}
        return ask(service, **asked).disclosure.reduction

    service.upsert_products([tea(1_000)])
    assert told() is None
    clock.at += timedelta(days=40)
    service.upsert_products([tea(750)])
    began = clock.at
    clock.at += timedelta(days=45)
    assert told() == Reduction(1_000, began, 30, 25)
    service.upsert_products([tea(750)])  # the same again changes nothing
    clock.at += timedelta(days=1)
    assert told() == Reduction(1_000, began, 30, 25)


@pytest.mark.parametrize("prices", [(10_000, 8_000, 10_000, 9_000), (10_000, 8_000, 9_000)], ids=["return", "rise"])
def test_eu_list_prices_put_within_one_moment_count_in_their_order(
    later: tuple[Service, Later], prices: tuple[int, ...]
) -> None:
    service, clock = later
    for list_minor in prices:
        service.upsert_products([replace(tea(list_minor), cost_minor=None)])  # so that the list price is quoted
    for days in (0, 60):
        clock.at += timedelta(days=days)
        assert ask(service, product={"id": "tea-1"}, context={"jurisdiction": "DE"}).disclosure.reduction is None


@pytest.mark.parametrize(
    "described",
    [
        {"list_price": {"amount_minor": 250, "currency": "EUR"}},
        {"title": "Green tea, tin of ten"},
        {"attributes": {"size": "small"}},
    ],
    ids=["list price", "title", "attributes"],
)
def test_no_reduction_is_announced_of_another_thing_sold_under_a_products_id(
    later: tuple[Service, Later], described: dict[str, Any]
) -> None:
    service, clock = later
    service.upsert_products([tea(1_000)])
    clock.at += timedelta(days=40)
    service.upsert_products([tea(750)])
    everyone = {"shopper": {"personalisation": "off"}, "context": {"jurisdiction": "DE"}}
    listed = ask(service, product={"id": "tea-1"}, **everyone)
    other = ask(service, product={"id": "tea-1", **described}, **everyone)
    assert listed.disclosure.reduction is not None
    assert other.disclosure.reduction is None
    assert [one.price_minor for one in service._parts.store.applied_prices(["tea-1"], NOW)["tea-1"]] == [1_000, 750]


def test_no_reduction_is_announced_of_a_fare_that_each_request_gives(later: tuple[Service, Later]) -> None:
    service, clock = later
    for fare in (40_000, 40_000, 10_000):
        clock.at += timedelta(days=1)
        money = {"amount_minor": fare, "currency": "EUR"}
        product = {"id": "AB123", "title": "A to B", "list_price": money, "cost": {**money, "amount_minor": 5_000}}
        assert ask(service, product=product, context={"jurisdiction": "DE"}).disclosure.reduction is None
    assert not service._parts.store.applied_prices(["AB123"], NOW)


def test_eu_a_personal_discount_is_no_price_that_everyone_could_pay(own: World) -> None:
    service = own.service(language_model=False)
    try:
        quote = ask(
            service,
            shopper={"id": own.shopper},
            product={"id": own.bought, "cost": usd(20)},
            context={"competitor_prices": [usd(100)]},
        )
        log = service._parts.store.applied_prices([own.bought], NOW - timedelta(days=900))
    finally:
        service.close()
    assert quote.personalised
    assert quote.price_minor < quote.reference_minor, "or the test shows nothing"
    assert [one.price_minor for one in log[own.bought]] == [quote.reference_minor]
