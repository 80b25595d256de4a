"""Contradicting amounts of a product are refused with both fields; doubtful ones are told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.product_limits import contradictions, doubts
from agent.domain.records import ProductRecord
from agent.rules.gateway import GatewayFacts, GatewayRules, guard

amounts = st.none() | st.integers(1, 50)


def product(**amounts: int | None) -> ProductRecord:
    return ProductRecord("c1", "Mug", "EUR", **{"list_minor": 10_000, **amounts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given_amounts", "fields"),
    [
        ({"floor_minor": 12_000, "ceiling_minor": 9_000}, [("min_price", "max_price"), ("min_price", "list_price")]),
        ({"map_minor": 15_000}, [("map_price", "list_price")]),
        ({"map_minor": 9_500, "ceiling_minor": 9_000}, [("map_price", "max_price")]),
        ({"floor_minor": 10_001}, [("min_price", "list_price")]),
        ({"list_minor": 1_999, "cost_minor": 199_900}, [("cost", "list_price")]),
        ({"cost_minor": 50_000}, [("cost", "list_price")]),
    ],
)
def test_contradictions_name_both_fields_and_both_amounts(
    given_amounts: dict[str, int], fields: list[tuple[str, str]]
) -> None:
    found = contradictions(product(**given_amounts))
    assert [(one.field, one.other) for one in found] == fields
    for one in found:
        assert one.field in one.message
        assert one.other in one.message
        assert "EUR" in one.message
        assert "EUR" in one.allowed


@pytest.mark.parametrize(
    ("given_amounts", "fields"),
    [
        ({"cost_minor": 10_001}, ["cost"]),
        ({"cost_minor": 49_999}, ["cost"]),
        ({"cost_minor": 9_500, "ceiling_minor": 9_000}, ["cost", "list_price"]),
        ({"ceiling_minor": 9_000}, ["list_price"]),
    ],
)
def test_a_loss_leader_is_accepted_with_a_warning(given_amounts: dict[str, int], fields: list[str]) -> None:
    assert contradictions(product(**given_amounts)) == []
    assert [one.field for one in doubts(product(**given_amounts))] == fields


def test_a_list_price_that_cannot_be_paid_is_doubtful() -> None:
    assert [one.field for one in doubts(product(list_minor=14_628), 100)] == ["list_price"]
    assert doubts(product(list_minor=14_600), 100) == []


@given(amounts, amounts, amounts, amounts)
def test_what_is_accepted_without_a_warning_can_be_sold_at_its_list_price(
    cost: int | None, floor: int | None, ceiling: int | None, map_minor: int | None
) -> None:
    one = product(list_minor=20, cost_minor=cost, floor_minor=floor, ceiling_minor=ceiling, map_minor=map_minor)
    rules = GatewayRules(floor_minor=floor, ceiling_minor=ceiling, map_minor=map_minor, never_above_reference=True)
    guarded = guard(20, rules, GatewayFacts(reference_minor=20, fraction_digits=2, cost_minor=cost))
    if not contradictions(one) and not doubts(one):
        assert (guarded.price_minor, guarded.conflict) == (20, False)
    elif not contradictions(one):
        assert guarded.price_minor <= 20
