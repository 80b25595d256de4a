"""Whether a price is personalised is said once, and everything that is said beside it agrees."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from agent.domain.decision import Decision
from agent.explain.questions import Audience, Language, QuestionInput
from agent.rules.disclosure import CONSIDERED, PLAIN_TEXTS, SAME_FOR_EVERYONE, is_personal
from agent.service.service import Service
from agent.store.webhook_messages import of_decision
from tests.prepared import World, ask

PLACES = (None, "DE", "US-NY", "CN", "US-MD", "GB")


def usd(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": "USD"}


def requests(world: World) -> Iterator[dict[str, Any]]:
    """Every way to a price: known, new and opted-out shoppers; held, forced, limited and free prices."""
    shoppers: list[dict[str, Any]] = [
        {},
        {"id": world.shopper},
        {"id": world.shopper, "personalisation": "off"},
        {"profile": {"income": 90_000}},
    ]
    products: list[dict[str, Any]] = [
        {"id": world.bought},
        {"id": world.bought, "cost": usd(20)},
        {"id": world.never_bought, "cost": usd(100)},
        {"category": "cheese", "list_price": usd(1_000)},
        {"category": "cheese", "list_price": usd(1_000), "cost": usd(990)},
        {"category": "cheese", "list_price": usd(1_000), "cost": usd(4_000)},
        {"category": "cheese", "list_price": usd(1_000), "cost": usd(300)},
    ]
    limits: list[dict[str, Any]] = [{}, {"max_discount": 0.0}, {"min_price": usd(1_200)}, {"max_price": usd(900)}]
    for number, (shopper, product) in enumerate((s, p) for s in shoppers for p in products):
        for place in PLACES[number % 3 :: 3]:
            rivals = [usd(700)] if number % 2 else []
            context = {"competitor_prices": rivals} | ({} if place is None else {"jurisdiction": place})
            yield {"shopper": shopper, "product": product, "limits": limits[number % 4], "context": context}
    for cost in range(500, 1_000, 50):  # little margin: the reference price is the best that was found
        yield {"shopper": {"id": world.shopper}, "product": {"id": world.bought, "cost": usd(cost)}}


@pytest.fixture(scope="module")
def decisions(service: Service, world: World) -> list[Decision]:
    found = [ask(service, **request) for request in requests(world)]
    assert any(one.personalised for one in found)
    assert any(not one.personalised and one.disclosure.text == CONSIDERED for one in found)
    assert any(one.disclosure.text == SAME_FOR_EVERYONE for one in found)
    return found


def test_a_price_is_personalised_only_if_personal_data_made_it_another_than_the_reference(
    decisions: list[Decision],
) -> None:
    for one in decisions:
        personal = any(map(is_personal, one.disclosure.inputs_used))
        assert one.personalised == (personal and one.price_minor != one.reference_minor)


def test_a_notice_is_required_exactly_where_the_price_is_personalised(decisions: list[Decision]) -> None:
    for one in decisions:
        told, personal = one.disclosure, any(map(is_personal, one.disclosure.inputs_used))
        assert told.required == one.personalised == (told.option is not None)
        plain = PLAIN_TEXTS[told.language or ""]
        assert (told.text in (plain.same, plain.considered)) != one.personalised
        if not one.personalised:
            assert told.text == (plain.considered if personal else plain.same)


def test_webhooks_say_the_same_of_a_price_as_its_answer(decisions: list[Decision]) -> None:
    for one in decisions:
        created = json.loads(next(of_decision(one)).body)["data"]
        assert created["personalised"] == one.personalised


@pytest.mark.parametrize("language", list(Language))
def test_explanations_never_call_the_reference_price_set_for_the_shopper(
    service: Service, decisions: list[Decision], language: Language
) -> None:
    yes, no = {Language.EN: ("set for you", ": No, "), Language.ZH: ("为您设定", "：不是")}[language]
    for one in decisions[::5]:
        asked = QuestionInput("Is this price personalised?", language, Audience.SHOPPER)
        found = service.explain(one.id, asked)
        assert found is not None
        assert found.report.passed, found.report.problems
        assert (yes in found.answer) == one.personalised
        assert (no in found.answer) != one.personalised


def test_a_personal_price_that_a_list_price_cut_reaches_is_personal_no_more(own: World) -> None:
    service = own.service(language_model=False, stable_prices=True)
    try:
        known = service._parts.catalogue.product(own.bought)
        assert known is not None
        listed = known.list_minor or 0
        asked: dict[str, Any] = {
            "shopper": {"id": own.shopper},
            "product": {"id": own.bought, "list_price": usd(listed), "cost": usd(20)},
            "context": {"competitor_prices": [usd(listed // 2)]},
        }
        first = ask(service, **asked)
        assert first.personalised, "or the test shows nothing"
        cut = {**asked["product"], "list_price": usd(first.price_minor)}
        second = ask(service, **{**asked, "product": cut})
        if second.price_minor == second.reference_minor:
            assert (second.personalised, second.disclosure.required) == (False, False)
    finally:
        service.close()
