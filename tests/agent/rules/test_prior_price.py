"""European Union, Directive 98/6/EC Article 6a: the prior price of a reduction, from the log of prices for everyone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.clock import Clock
from agent.domain.decision import Reduction
from agent.domain.records import AppliedPrice, ProductRecord
from agent.rules.prior_price import reduction
from agent.service.service import Service
from agent.store.applied_prices import applied_price
from tests.prepared import World, ask

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def usd(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": "USD"}


def days_ago(days: float, price_minor: int) -> AppliedPrice:
    return applied_price("p", "EUR", price_minor, NOW - timedelta(days=days))


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


@given(st.lists(st.tuples(st.integers(1, 400), st.integers(1, 5_000)), max_size=40), st.integers(1, 5_000))
def test_eu_no_announced_reduction_starts_above_a_price_of_the_30_days_before(
    rows: list[tuple[int, int]], price: int
) -> None:
    log = [days_ago(day, minor) for day, minor in rows]
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
