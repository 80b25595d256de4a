"""Each law with a file: quotes do what it demands."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.decision import Decision, Disclosure, Reason
from agent.domain.records import EventRecord, EventType, ProductRecord, ShopperRecord
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest, RecommendationRequest, Shopper
from agent.explain.leave_one_out import principal_reasons
from agent.rules.disclosure import Offered, disclose
from agent.rules.gateway import GatewayFacts, GatewayRules, guard
from agent.rules.packs import binding, find_jurisdiction, jurisdictions, law_of, law_versions, load_pack
from agent.rules.packs.data_files import LAW
from agent.service.service import Service
from tests.agent.store.builders import decision
from tests.prepared import World, ask

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = date(2026, 12, 1)
NEW_YORKS_WORDS = "THIS PRICE WAS SET BY AN ALGORITHM USING YOUR PERSONAL DATA."


def usd(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": "USD"}


# ---- the files


def test_published_files_never_change() -> None:
    now = {f"{p.parent.name}/{p.stem}": hashlib.sha256(p.read_bytes()).hexdigest() for p in LAW.glob("*/v*.yaml")}
    assert now == json.loads((LAW / "lock.json").read_text()), "write a new version instead of changing one"


def test_every_file_cites_its_law_by_article() -> None:
    for law in law_versions():
        assert all(source.law and source.article and source.says for source in law.sources)
        assert law.in_force >= date(2021, 1, 1)
    held = {law.code for law in jurisdictions(DAY)}
    assert held == {"EU", "US-NY", "US-MD", "US-CT", "US-CA", "GB", "CN", "CA-MB", "OTHER"}
    assert held | {"US-NJ"} == {law.code for law in law_versions()}


@pytest.mark.parametrize("place", [None, "", "Atlantis", "US-TX", "CA", "Japan"])
def test_an_unknown_place_gets_the_strict_default(place: str | None) -> None:
    assert find_jurisdiction(place, DAY) is None
    law = law_of(place, DAY)
    assert (law.code, law.prior_price_days, law.notice.count("{inputs}")) == ("OTHER", 30, 1)


# ---- New York, General Business Law 349-a


def test_new_york_a_personalised_price_carries_the_words_of_section_349_a(service: Service, world: World) -> None:
    quote = ask(
        service,
        shopper={"id": world.shopper},
        product={"id": world.bought, "cost": usd(50)},
        context={"jurisdiction": "US-NY"},
    )
    told = quote.disclosure
    assert quote.personalised
    assert (told.required, told.text, told.law) == (True, NEW_YORKS_WORDS, "US-NY/2")


def test_new_york_a_price_without_personal_data_does_not_carry_them(service: Service, world: World) -> None:
    shopper = {"id": world.shopper, "personalisation": "off"}
    product = {"id": world.bought, "cost": usd(50)}
    told = ask(service, shopper=shopper, product=product, context={"jurisdiction": "New York"}).disclosure
    assert not told.required
    assert NEW_YORKS_WORDS not in told.text


def test_new_york_age_is_left_out_of_a_search_as_well(service: Service, world: World) -> None:
    def ignored(place: str) -> set[str]:
        events = [{"type": "search", "text": "gift, aged 65"}]
        answer = ask(service, product={"id": world.bought}, events=events, context={"jurisdiction": place})
        return {one.reason for one in answer.disclosure.inputs_ignored}

    assert ignored("US-NY") == {"mentions a protected attribute in New York: age"}
    assert ignored("US-TX") == set()


# ---- European Union, Directive 2011/83/EU Article 6(1)(ea)


def test_eu_a_personalised_price_says_that_automated_decision_making_made_it(service: Service, world: World) -> None:
    quote = ask(
        service,
        shopper={"id": world.shopper},
        product={"id": world.bought, "cost": usd(50)},
        context={"jurisdiction": "DE"},
    )
    assert quote.personalised
    assert quote.disclosure.required
    assert "personalised on the basis of automated decision-making" in quote.disclosure.text
    assert "purchase_history" in quote.disclosure.text


# ---- Maryland, Protection From Predatory Pricing Act


def test_maryland_a_personal_price_of_food_only_goes_down() -> None:
    facts = GatewayFacts(reference_minor=1_000, fraction_digits=2, cost_minor=100)
    food, laptops = binding("Maryland", "Frozen food", DAY), binding("Maryland", "laptops", DAY)
    found = guard(1_200, GatewayRules(discount_only=food.discount_only), facts)
    assert (found.price_minor, found.trail[-1].rule) == (1_000, "law.US-MD.discount_only")
    assert guard(1_200, GatewayRules(discount_only=laptops.discount_only), facts).price_minor == 1_200


# ---- China, PIPL Article 24 and the Provisions on algorithmic recommendation, Article 21


@pytest.fixture
def greedy_for_regulars(own: World) -> Iterator[Service]:
    """A shop that has learned that its regulars pay more, and may charge them more."""
    service = own.service(language_model=False, never_above_reference=False, max_change_frac=5.0)
    yield service
    service.close()


def in_china(world: World, **shopper: Any) -> dict[str, Any]:
    return {
        "shopper": shopper,
        "product": {"id": world.bought, "cost": usd(20)},
        "context": {"jurisdiction": "CN", "competitor_prices": [usd(150)]},
    }


def test_china_the_price_for_everyone_is_always_offered(greedy_for_regulars: Service, own: World) -> None:
    told = disclose(Offered(900, 1_000), ("purchase_history",), (), "中国", DAY)
    assert told.option == "您可以选择不针对个人特征的价格，即人人适用的参考价格。"
    assert "purchase_history" in told.text
    off = ask(greedy_for_regulars, **in_china(own, id=own.shopper, personalisation="off"))
    assert (off.price_minor, off.personalised) == (off.reference_minor, False)


def test_china_nobody_pays_more_than_a_stranger(greedy_for_regulars: Service, own: World) -> None:
    strangers = ask(greedy_for_regulars, **in_china(own))
    assert not strangers.personalised
    store = greedy_for_regulars._parts.store
    for shopper in list(store.shopper_ids())[:12]:
        quote = ask(greedy_for_regulars, **in_china(own, id=shopper, profile={"income": "250K+", "city": "上海"}))
        assert quote.price_minor <= strangers.price_minor <= quote.reference_minor


def test_china_parity_binds_under_its_own_name_and_below_no_cost() -> None:
    rules = GatewayRules(parity="CN", discount_only="CN")
    facts = GatewayFacts(1_000, 2, cost_minor=100, stranger_minor=900)
    found = guard(950, rules, facts)
    assert (found.price_minor, found.trail[-1].rule) == (900, "law.CN.parity")
    assert guard(800, rules, facts).price_minor == 800
    assert guard(800, rules, GatewayFacts(1_000, 2, cost_minor=950, stranger_minor=900)).price_minor == 950


# ---- credit and insurance, Regulation B


def rate(request: QuoteRequest) -> int:
    """A lender's rate: risk, few offers elsewhere and no account raise it, a long stay at one address lowers it."""
    profile = request.shopper.profile
    assert isinstance(profile, dict)
    raised = {
        "risk_class": 150,
        "other_offers": 40,
        "account": 25,
        "purpose": 10,
        "channel_used": 5,
        "address_years": -30,
    }
    return 900 + sum(raised.get(name, 0) for name in profile)


def rates(requests: Sequence[QuoteRequest], at: datetime) -> list[Decision | Refusal]:
    return [decision(at=at, price_minor=rate(one)) for one in requests]


def test_credit_reasons_are_the_four_factors_that_raised_the_rate_most() -> None:
    profile = ["address_years", "account", "channel_used", "risk_class", "purpose", "other_offers", "eye_colour"]
    asked = QuoteRequest.model_validate(
        {"product": {"id": "loan"}, "shopper": {"id": "b1", "profile": dict.fromkeys(profile, "x")}}
    )
    used = (*(f"profile.{name}" for name in profile), "product.cost")
    made = decision(disclosure=Disclosure(True, "", None, used, ()))
    assert principal_reasons(made, asked, rates) == (
        Reason("profile.risk_class", 150),
        Reason("profile.other_offers", 40),
        Reason("profile.account", 25),
        Reason("profile.purpose", 10),
    )
    unused = decision(disclosure=Disclosure(False, "", None, ("product.cost",), ()))
    assert principal_reasons(unused, asked, rates) == (), "what did not enter is no reason"


def test_credit_no_blocked_attribute_is_ever_a_reason(own: World) -> None:
    service = own.service(language_model=False, pack="finance", personalises=True)
    try:
        service.upsert_products([ProductRecord("loan", "Loan", "USD", 900, cost_minor=300, category="loans")])
        told = {"risk_class": "high", "age": 61, "gender": "female", "marital_status": "divorced"}
        quote = ask(service, product={"id": "loan"}, shopper={"profile": told})
        reasons = service.reasons(quote.id)
        assert service.reasons("no-such-quote") is None
    finally:
        service.close()
    assert reasons is not None
    assert "profile.risk_class" in quote.disclosure.inputs_used
    assert {one.input for one in reasons} <= {"profile.risk_class"}
    assert {one.input for one in quote.disclosure.inputs_ignored} >= {"age", "gender", "marital_status"}


def test_credit_names_its_laws_and_is_off_by_default() -> None:
    finance = load_pack("finance")
    assert not finance.personalises
    assert finance.gives_reasons
    assert "1002.9(b)(2)" in " ".join(source.article for source in finance.sources)
    assert {"age", "sex", "race", "religion", "national_origin", "marital_status"} <= set(finance.protected)


# ---- everywhere: what is disclosed is what entered


def test_the_last_price_is_disclosed_where_it_limits_the_change_and_only_there(own: World) -> None:
    for most, entered in ((0.01, True), (5.0, False)):
        service = own.service(language_model=False, max_change_frac=most)
        try:
            asked = {"shopper": {"id": f"new-{most}"}, "product": {"id": own.bought, "cost": usd(20)}}
            first, second = ask(service, **asked), ask(service, **asked)
        finally:
            service.close()
        assert not first.personalised
        assert ("last_price" in second.disclosure.inputs_used, second.personalised) == (entered, entered)


def test_limits_that_leave_one_price_leave_nothing_personal_to_disclose(service: Service, world: World) -> None:
    limits = {"min_price": usd(123), "max_price": usd(123)}
    product = {"id": world.bought, "cost": usd(20)}
    quote = ask(service, shopper={"id": world.shopper}, product=product, limits=limits)
    assert (quote.price_minor, quote.personalised) == (123, False)
    assert "purchase_history" not in quote.disclosure.inputs_used


def test_words_too_long_to_enter_are_not_said_to_have_entered(service: Service, world: World) -> None:
    context = {"note": "x" * 60, "channel": "app"}
    used = ask(service, product={"id": world.bought}, context=context).disclosure.inputs_used
    assert "context.channel" in used
    assert "context.note" not in used


# ---- everywhere: personalisation off means off

_PROFILES = st.dictionaries(
    st.sampled_from(["income", "city", "first_name", "postcode", "segment", "gender", "hobby"]),
    st.sampled_from(["Lakisha", "48205", "上海", "high", "female", "falconry"]) | st.integers(0, 10**6),
    max_size=4,
)
_ACTS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["view", "search", "add_to_cart", "purchase"]),
            "text": st.sampled_from(["running shoes", "a gift", "the cheapest one"]),
        }
    ),
    max_size=4,
)


@pytest.fixture(scope="module")
def opted_out(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Service]]:
    """A service that has personal things to go by: histories, profiles, limits against the last price."""
    mine = world.copy(tmp_path_factory.mktemp("off") / "data")
    service = mine.service(language_model=False, never_above_reference=False, max_change_frac=0.05)
    store = service._parts.store
    for number, shopper in enumerate(("rich", "poor")):
        store.upsert_shoppers([ShopperRecord(shopper, {"income": 10**5 * number})])
        bought = [EventRecord(shopper, EventType.PURCHASE, NOW, mine.bought, 9, 50 + 900 * number, currency="USD")]
        service.add_events(bought)
        ask(service, shopper={"id": shopper}, product={"id": mine.bought, "cost": usd(20)})
    yield mine, service
    service.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shopper=st.sampled_from([None, "rich", "poor", "somebody"]),
    profile=_PROFILES,
    events=_ACTS,
    place=st.sampled_from(["", "EU", "CN", "US-NY", "US-MD", "Atlantis"]),
    where=st.sampled_from(["", "Paris", "Shanghai"]),
)
def test_with_personalisation_off_no_personal_input_changes_the_price(
    opted_out: tuple[World, Service],
    shopper: str | None,
    profile: dict[str, Any],
    events: list[dict[str, Any]],
    place: str,
    where: str,
) -> None:
    world, service = opted_out
    told = {"product": {"id": world.bought, "cost": usd(20)}, "context": {"jurisdiction": place}}
    nobody = ask(service, **told, shopper={"personalisation": "off"})
    somebody = ask(
        service,
        product=told["product"],
        context={"jurisdiction": place, "location": where, "loyalty_points": len(profile)},
        shopper={"id": shopper, "profile": profile, "personalisation": "off"},
        events=events,
    )
    assert somebody.price_minor == nobody.price_minor == nobody.reference_minor
    assert (somebody.disclosure.inputs_used, somebody.personalised, somebody.disclosure.required) == ((), False, False)


def test_recommendations_are_impersonal_where_prices_are(own: World) -> None:
    service = own.service(language_model=False, personalises=False)
    try:
        known, stranger = (
            [one.product_id for one in service.recommend(RecommendationRequest(shopper=Shopper(id=shopper), limit=10))]
            for shopper in (own.shopper, None)
        )
    finally:
        service.close()
    assert known == stranger
    assert len(known) == 10
