"""Effects of earlier offers, and products of effects, as they are read for a quote."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.domain.request import Context, Promotion, nested_promotion
from agent.pricing.effect_terms import Trait, crossed_terms, crossings_of, market_traits, offer_traits, terms_of
from agent.pricing.situation import Market, Past, ShopperView
from agent.rules.screening import NOTHING
from models.evaluator.lesson import CROSSED
from models.shopper.features import Subject
from models.shopper.history import Act, RecentItems, ShopperHistory
from models.shopper.item_affinity import Buyer

DAY_S = 86_400.0
TEA = Subject("green", "tea", "", 1_000.0)


def view(history: ShopperHistory, *, opted_out: bool = False) -> ShopperView:
    past = Past("", Buyer((), ()), RecentItems((), ()))  # type: ignore[arg-type]
    return ShopperView("s1", opted_out, NOTHING, history, past)


def traits(history: ShopperHistory, **more: bool) -> dict[str, float | str]:
    found: Iterator[Trait] = offer_traits(view(history, **more), TEA, 10 * DAY_S)
    return {trait.name: trait.value for trait in found}


def test_a_shopper_who_saw_nothing_differs_from_one_who_bought_nothing() -> None:
    history = ShopperHistory()
    assert traits(history) == {"offers.seen": "none"}
    history.observe(Act("decline", 0.0, "black", "tea", ""))
    assert traits(history)["offers.seen"] == "some"
    assert "offers.product_share" not in traits(history)
    assert traits(history, opted_out=True) == {}


def test_the_share_of_offers_taken_counts_purchases_and_declines_of_product_and_category() -> None:
    history = ShopperHistory()
    for day, (kind, product) in enumerate([("decline", "green"), ("purchase", "green"), ("decline", "black")]):
        history.observe(Act(kind, day * DAY_S, product, "tea", ""))
    found = traits(history)
    assert found["offers.product_share"] == pytest.approx(1.5 / 3, abs=0.01)
    assert found["offers.category_share"] == pytest.approx(1.5 / 4, abs=0.01)
    assert found["offers.product_weeks"] == pytest.approx(10 / 7)
    assert found["offers.category_weeks"] == pytest.approx(8 / 7)


def test_products_of_effects_are_those_that_the_training_fitted() -> None:
    product = terms_of([Trait("product", "green"), Trait("product.category", "tea")], in_domain=True)
    beside = terms_of([Trait("profile.segment", "student"), Trait("profile.age", 30.0)], in_domain=True)
    learned = {"product": (0.5, 0.5), f"product{CROSSED}profile.segment": (0.3, 0.2)}
    (found,) = crossed_terms(product, beside, crossings_of(learned))
    assert found.name == f"product=green{CROSSED}profile.segment=student"
    assert (found.group, found.value, found.level_sd, found.slope_sd) == (
        f"product{CROSSED}profile.segment",
        1,
        0.3,
        0.2,
    )
    assert crossed_terms(product, beside, crossings_of(None)) == ()


def test_a_promotion_is_an_effect_of_what_is_known_of_it() -> None:
    def named(promotion: Promotion | None) -> list[str]:
        return [one.name for one in terms_of(list(market_traits(Market(promotion=promotion), 1, 100)), in_domain=True)]

    assert named(None) == named(Promotion()) == []
    assert named(Promotion(display=True)) == ["context.promotion.display=true"]
    assert named(Promotion(display=False, mailer=True)) == [
        "context.promotion.display=false",
        "context.promotion.mailer=true",
    ]


@given(st.dictionaries(st.sampled_from(["promotion.display", "promotion.mailer", "promotion", "x"]), st.booleans()))
def test_promotions_of_rows_become_those_of_requests(context: dict[str, bool]) -> None:
    asked = Context.model_validate(nested_promotion(context))
    told = {name: value for name, value in context.items() if name.startswith("promotion.")}
    if told:
        assert isinstance(asked.promotion, Promotion)
        assert asked.promotion.model_dump(exclude_none=True) == {
            n.removeprefix("promotion."): v for n, v in told.items()
        }
    else:
        assert asked.promotion == context.get("promotion")
