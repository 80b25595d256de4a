from datetime import timedelta

import pytest

from agent.domain.decision import TrailStep
from agent.store import Store
from agent.store.decision_log import Span
from tests.agent.store.builders import AT, decision, outcome, product

SPAN = Span(AT, AT + timedelta(days=1))


@pytest.fixture
def log(store: Store) -> Store:
    store.upsert_products([product(), product(product_id="p2", category="SNACKS")])
    store.record_decisions(
        [
            decision(id="a", price_minor=80, reference_minor=100, trail=(TrailStep("floor", 70, 80),)),
            decision(id="b", price_minor=90, reference_minor=100, trail=(TrailStep("rounding", 89, 90),)),
            decision(id="c", product_id="p2", price_minor=100, reference_minor=100, trail=()),
            decision(id="d", shopper_id=None, price_minor=110, reference_minor=100, trail=()),
            decision(id="e", at=SPAN.until, price_minor=10, reference_minor=100),
            decision(id="f", product_title='"rule":"floor"', price_minor=100, reference_minor=100, trail=()),
        ]
    )
    store.record_outcomes([outcome(outcome_id="a:p", quote_id="a"), outcome(outcome_id="c:p", quote_id="c")])
    return store


def test_discounts_are_summed_over_the_span_and_its_end_is_out(log: Store) -> None:
    found = log.discounts(SPAN)
    assert (found.quotes, found.discounted, found.sold, found.sold_discounted) == (5, 2, 2, 1)
    assert found.mean_discount == pytest.approx(0.15)
    assert found.deepest_discount == pytest.approx(0.2)
    assert log.quote_count(SPAN) == 5


def test_a_category_counts_its_own_products_alone(log: Store) -> None:
    assert (log.discounts(SPAN, "SNACKS").quotes, log.discounts(SPAN, "DAIRY").quotes) == (1, 4)
    assert log.discounts(SPAN, "NONE SUCH").quotes == 0


def test_only_the_gateways_own_trail_counts_as_a_rule(log: Store) -> None:
    assert log.moved_by(["floor"], SPAN) == {"p1": 1}


def test_quotes_above_the_reference_are_counted_by_shopper(log: Store) -> None:
    assert log.above_reference(SPAN) == {None: 1}


def test_products_count_alone_and_their_means_are_of_their_currency(log: Store) -> None:
    log.record_decisions([decision(id="y", price_minor=9_000, reference_minor=9_000, currency="JPY", trail=())])
    assert log.discounts(SPAN, product_ids=["p2"]).quotes == 1
    assert log.discounts(SPAN, product_ids=["p1", "p2"]).discounted == 2
    assert log.discounts(SPAN, product_ids=[]).quotes == 0
    means = log.mean_prices(SPAN, "p1", "USD")
    assert means.quoted_minor == pytest.approx((80 + 90 + 110 + 100) / 4)
    assert means.sold_minor == pytest.approx(80)
    assert log.mean_prices(SPAN, "none", "USD").quoted_minor is None
