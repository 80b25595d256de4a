"""Limits of products from a rules document, and changes that loosen limits."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.domain.records import ProductRecord
from agent.rules.document import RuleLimits, RulesDocument
from agent.rules.effective_rules import MerchantRules
from agent.rules.exploration import Exploration
from agent.rules.gateway import GatewayFacts, guard
from agent.rules.relaxation import loosened

SETTINGS = RulesDocument.model_validate(
    {"limits": {"min_margin": 0.05, "max_discount": 0.4, "never_above_reference": True, "rounding": "exact"}}
)


def usd(amount: int) -> dict[str, Any]:
    return {"amount_minor": amount, "currency": "USD"}


def document(**parts: Any) -> RulesDocument:
    return RulesDocument.model_validate(parts).over(SETTINGS)


MAP_200 = {"limits": {"map_price": usd(200)}}
MILK = {"categories": {"milk": {"max_discount": 0.1}}}


def product(**changes: Any) -> ProductRecord:
    return ProductRecord(**{"product_id": "p1", "title": "Oats", "currency": "USD", "category": "Cereal"} | changes)


def test_the_more_specific_limit_applies_field_by_field() -> None:
    rules = MerchantRules(
        1,
        document(
            limits={"max_discount": 0.3},
            categories={"CEREAL": {"max_discount": 0.1, "min_price": usd(200)}},
            products={"p1": {"min_price": usd(150)}},
        ),
    )
    mine = rules.effective(product()).limits
    assert (mine.max_discount_frac, mine.floor_minor, mine.min_margin_frac) == (0.1, 150, 0.05)
    sibling = rules.effective(product(product_id="p2")).limits
    assert (sibling.max_discount_frac, sibling.floor_minor) == (0.1, 200)
    other = rules.effective(product(product_id="p2", category="milk")).limits
    assert (other.max_discount_frac, other.floor_minor, other.never_above_reference) == (0.3, None, True)


def test_amounts_apply_to_products_in_their_currency_alone() -> None:
    rules = MerchantRules(1, document(limits={"min_price": usd(200)}))
    assert rules.effective(product()).limits.floor_minor == 200
    assert rules.effective(product(currency="EUR")).limits.floor_minor is None


def test_fields_left_out_of_a_document_come_from_the_settings() -> None:
    assert document() == SETTINGS
    assert document(exploration="normal").over(SETTINGS).exploration is Exploration.NORMAL


def test_the_cap_on_a_shoppers_spread_is_the_documents_before_the_settings() -> None:
    capped = SETTINGS.model_copy(update={"max_spread": 0.1})
    tighter, silent = (RulesDocument.model_validate(d).over(capped) for d in ({"max_spread": 0.0}, {}))
    for found, cap in ((tighter, 0.0), (silent, 0.1), (document(), None)):
        rules = MerchantRules(1, found)
        assert rules.effective(product()).selection.max_spread_frac == cap
        assert rules.caps_spread == (cap is not None)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"limits": {"min_price": usd(200)}}, {"limits": {"min_price": usd(199)}}),
        ({"limits": {"min_price": usd(200)}}, {}),
        ({"limits": {"min_price": usd(200)}}, {"limits": {"min_price": {"amount_minor": 300, "currency": "EUR"}}}),
        (
            {"limits": {"map_price": usd(200)}},
            {"categories": {"milk": {"map_price": usd(100)}}} | {"limits": {"map_price": usd(200)}},
        ),
        ({"limits": {"max_price": usd(200)}}, {"limits": {"max_price": usd(201)}}),
        ({"limits": {"max_price": usd(200)}}, {}),
        ({}, {"limits": {"min_margin": 0.04}}),
        ({}, {"limits": {"max_discount": 0.41}}),
        ({"limits": {"max_change": 0.1}}, {}),
        ({}, {"limits": {"never_above_reference": False}}),
        ({}, {"products": {"p1": {"never_above_reference": False}}}),
        ({}, {"categories": {"milk": {"min_margin": 0.01}}}),
        ({"products": {"p1": {"min_price": usd(200)}}}, {}),
        (MILK, {**MILK, "products": {"p1": {"max_discount": 0.4}}}),
        ({}, {"exploration": "cautious"}),
        ({"exploration": "normal", "max_try": 0.1}, {"exploration": "normal"}),
        ({"max_spread": 0.05}, {"max_spread": 0.06}),
        ({"max_spread": 0.05}, {}),
    ],
)
def test_each_way_to_loosen_is_named(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert loosened(document(**old), document(**new))
    assert not loosened(document(**old), document(**old))


def test_tightening_and_weights_need_no_approval() -> None:
    tighter = document(
        limits={
            "min_price": usd(100),
            "max_price": usd(900),
            "min_margin": 0.2,
            "max_discount": 0.1,
            "max_change": 0.1,
        },
        categories={"milk": {"min_margin": 0.3}},
        weights={"profit": 1, "purchase": 0, "satisfaction": 0},
    )
    assert loosened(SETTINGS, tighter) == []


_limits = st.builds(
    lambda **given: RuleLimits.model_validate({name: value for name, value in given.items() if value is not None}),
    min_price=st.none() | st.integers(0, 500).map(usd),
    max_price=st.none() | st.integers(1, 900).map(usd),
    map_price=st.none() | st.integers(0, 500).map(usd),
    min_margin=st.none() | st.floats(0, 0.9),
    max_discount=st.none() | st.floats(0, 1),
    never_above_reference=st.none() | st.booleans(),
    rounding=st.none() | st.sampled_from(["exact", "charm", "five", "whole"]),
)
_documents = st.builds(
    lambda everything, category, own: RulesDocument(
        limits=everything, categories={"Cereal": category}, products={"p1": own}
    ).over(SETTINGS),
    _limits,
    _limits,
    _limits,
)


@given(_documents, _documents, st.integers(1, 2_000), st.integers(1, 1_000), st.integers(0, 600))
def test_rules_that_loosen_nothing_let_no_price_through_that_was_held_before(
    old: RulesDocument, new: RulesDocument, raw: int, reference: int, cost: int
) -> None:
    if loosened(old, new):
        new = new.model_copy(update={"limits": old.limits, "categories": old.categories, "products": old.products})
        assert not loosened(old, new)
    facts = GatewayFacts(reference_minor=reference, fraction_digits=2, cost_minor=cost)
    for one in (product(), product(product_id="p2"), product(product_id="p3", category="milk")):
        before, after = (MerchantRules(1, rules).effective(one).limits for rules in (old, new))
        guarded = guard(raw, after, facts)
        price, low = guarded.price_minor, max(after.floor_minor or 0, after.map_minor or 0)
        assert price >= max(before.floor_minor or 0, before.map_minor or 0)
        if guarded.held:
            assert price == max(reference, low), "the reference price does not cover the cost"
            continue
        assert price >= cost
        assert price - cost >= before.min_margin_frac * price - 1
        if before.ceiling_minor is not None and price > before.ceiling_minor:
            assert price in (low, cost) or price == guard(cost, after, facts).price_minor, "a harder rule said so"


def test_limits_of_a_product_are_found_under_any_form_of_its_id_and_given_once() -> None:
    own = document(products={"cafe\u0301 \u200b": {"max_discount": 0.1}})
    assert own.limits_of("", "caf\u00e9").max_discount == 0.1
    with pytest.raises(ValidationError, match="the same product"):
        document(products={"p1": {"min_price": usd(5)}, "p1\u200b": {"min_price": usd(1)}})
