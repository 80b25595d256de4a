import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.candidates import Source
from agent.domain.decision import Decision, HeldReason, Rung
from agent.domain.records import EventRecord, EventType, OutcomeRecord, OutcomeType, ProductRecord
from agent.domain.refusal import Refusal
from agent.domain.request import QuoteRequest, RecommendationRequest
from agent.pricing.score_at_prices import PricedRow
from agent.service.auth.quote_tokens import TokenStatus
from agent.service.outcome_sequence import OutcomeReport
from agent.service.service import Service
from tests.prepared import World, ask

USD = "USD"


def money(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": USD}


SAMSUNG: dict[str, Any] = {
    "shopper": {"profile": {"age": 30, "income": 50000, "gender": "male", "region": "urban"}},
    "product": {"category": "electronics", "brand": "Samsung", "list_price": money(100_000), "rating": 4.5},
}


@pytest.fixture
def own(world: World, tmp_path: Path) -> Iterator[tuple[World, Service]]:
    mine = world.copy(tmp_path / "data")
    running = mine.service()
    yield mine, running
    running.close()


def test_the_starting_example_is_the_reference_price_until_its_cost_is_known(service: Service) -> None:
    plain = ask(service, **SAMSUNG)
    assert (plain.price_minor, plain.personalised, plain.rung) == (100_000, False, Rung.REFERENCE)
    assert plain.trail[-1].rule == "cost_or_floor"
    assert "gender" in [ignored.input for ignored in plain.disclosure.inputs_ignored]
    costed = ask(service, **{**SAMSUNG, "product": {**SAMSUNG["product"], "cost": money(30_000)}})
    assert costed.personalised
    assert costed.scores is not None
    assert 30_000 < costed.price_minor < 100_000
    assert "profile.gender" not in costed.disclosure.inputs_used


@pytest.mark.parametrize("gender", ["female", "non-binary", "男"])
def test_a_protected_attribute_changes_nothing_but_its_mention(service: Service, gender: str) -> None:
    with_cost = {**SAMSUNG["product"], "cost": money(60_000)}
    profile = SAMSUNG["shopper"]["profile"]
    base = ask(service, product=with_cost, shopper={"profile": {**profile, "gender": "male"}})
    other = ask(service, product=with_cost, shopper={"profile": {**profile, "gender": gender}})
    without = ask(service, product=with_cost, shopper={"profile": {k: v for k, v in profile.items() if k != "gender"}})
    assert base.scores == other.scores == without.scores
    assert base.price_minor == other.price_minor == without.price_minor


def test_known_unknown_and_never_bought_pairs_all_get_a_decision(service: Service, world: World) -> None:
    sources = set()
    for shopper, product in (
        (world.shopper, world.bought),
        (world.shopper, world.never_bought),
        ("nobody", world.bought),
    ):
        decision = ask(service, shopper={"id": shopper}, product={"id": product})
        assert decision.scores is not None
        assert decision.price_minor <= decision.reference_minor
        assert decision.similar
        assert decision.evidence
        assert sum(candidate.chosen for candidate in decision.candidates) == 1
        assert sum(candidate.probability for candidate in decision.candidates) == pytest.approx(1)
        sources |= {candidate.source for candidate in decision.candidates}
        assert {candidate.source for candidate in decision.candidates} >= {Source.MODEL, Source.REFERENCE}
        assert (
            sum(c.source is Source.MODEL for c in decision.candidates) >= 4
        )  # eight, less those that meet at one price
    assert Source.NUMERIC in sources  # of one pair alone its prices may be those that the model wrote


def test_a_habit_is_likelier_than_a_product_never_bought(service: Service, world: World) -> None:
    habit = ask(service, shopper={"id": world.shopper}, product={"id": world.bought})
    stranger = ask(service, shopper={"id": "nobody"}, product={"id": world.bought})
    assert habit.scores is not None
    assert stranger.scores is not None
    assert habit.scores.purchase_probability.value > stranger.scores.purchase_probability.value
    assert "purchase_history" in habit.disclosure.inputs_used
    assert not stranger.personalised


def test_an_unknown_product_without_a_price_is_refused_with_the_field(service: Service) -> None:
    answer = service.quote([QuoteRequest.model_validate({"product": {"id": "no-such"}})])[0]
    assert isinstance(answer, Refusal)
    assert (answer.status, answer.errors[0].field) == (422, "product.id")


def test_another_currency_than_the_product_is_refused(service: Service, world: World) -> None:
    request = {"product": {"id": world.bought}, "limits": {"min_price": {"amount_minor": 5, "currency": "EUR"}}}
    answer = service.quote([QuoteRequest.model_validate(request)])[0]
    assert isinstance(answer, Refusal)
    assert answer.errors[0].field == "limits.min_price"


def test_one_refused_row_leaves_the_others_of_a_batch_alone(service: Service, world: World) -> None:
    rows = [{"id": world.bought}, {"id": "no-such"}, {"id": world.never_bought}]
    answers = service.quote([QuoteRequest.model_validate({"product": product}) for product in rows])
    assert [type(answer) for answer in answers] == [Decision, Refusal, Decision]


def test_personalisation_off_is_the_reference_price_whoever_asks(service: Service, world: World) -> None:
    base = ask(service, shopper={"personalisation": "off"}, product={"id": world.bought})
    for shopper in ({"id": world.shopper}, {"profile": {"income": 900_000}}, {"id": "nobody"}):
        events = [{"type": "add_to_cart", "product_id": world.bought}]
        off = ask(service, shopper={**shopper, "personalisation": "off"}, product={"id": world.bought}, events=events)
        assert (off.price_minor, off.scores, off.personalised) == (base.price_minor, base.scores, False)
        assert off.price_minor == off.reference_minor


def test_session_intent_raises_interest_in_the_purchase(service: Service, world: World) -> None:
    calm = ask(service, shopper={"id": world.shopper}, product={"id": world.bought})
    keen = ask(
        service,
        shopper={"id": world.shopper},
        product={"id": world.bought},
        events=[{"type": "add_to_cart", "product_id": world.bought}],
    )
    assert calm.scores is not None
    assert keen.scores is not None
    assert keen.scores.purchase_probability.value > 2 * calm.scores.purchase_probability.value
    assert "session_events" in keen.disclosure.inputs_used


def test_a_cheaper_competitor_and_deep_stock_bring_the_price_down(service: Service, world: World) -> None:
    reference = ask(service, product={"id": world.bought}).reference_minor
    product = {"id": world.bought, "cost": money(round(0.5 * reference))}
    base = ask(service, shopper={"id": world.shopper}, product=product)
    context = {"competitor_prices": [money(max(1, round(0.8 * reference)))], "inventory": 500_000}
    pressed = ask(service, shopper={"id": world.shopper}, product=product, context=context)
    assert pressed.price_minor < base.price_minor <= reference


def test_no_time_left_is_answered_at_the_reference_and_says_so(service: Service, world: World) -> None:
    decision = ask(service, shopper={"id": world.shopper}, product={"id": world.bought}, deadline_ms=1)
    assert (decision.rung, decision.price_minor) == (Rung.REFERENCE, decision.reference_minor)


def test_a_deadline_counts_from_the_arrival(service: Service, world: World) -> None:
    request = QuoteRequest.model_validate(
        {"shopper": {"id": world.shopper}, "product": {"id": world.bought}, "deadline_ms": 20_000}
    )
    now = time.perf_counter()
    rungs = [
        decision.rung
        for marked in (request, request.tagged(None, now), request.tagged(None, now - 20))
        for decision in service.quote([marked])
        if isinstance(decision, Decision)
    ]
    assert rungs[0] is not Rung.REFERENCE
    assert rungs[1:] == [Rung.CACHED, Rung.REFERENCE]


def test_the_second_of_two_equal_requests_comes_from_the_cache(service: Service, world: World) -> None:
    request = {"shopper": {"id": world.shopper}, "product": {"id": world.never_bought}}
    first, second = ask(service, **request), ask(service, **request)
    assert second.rung is Rung.CACHED
    assert first.price_minor == second.price_minor
    assert [c.strategy for c in first.candidates] == [c.strategy for c in second.candidates]


_limits = st.fixed_dictionaries(
    {},
    optional={
        "min_price": st.integers(1, 2_000).map(money),
        "max_price": st.integers(2_000, 5_000).map(money),
        "min_margin": st.floats(0, 0.9),
        "max_discount": st.floats(0, 1),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limits=_limits, cost=st.integers(0, 3_000), listed=st.integers(1, 5_000), rival=st.integers(1, 5_000))
def test_no_price_passes_the_limits_whatever_they_are(
    service: Service, limits: dict[str, Any], cost: int, listed: int, rival: int
) -> None:
    decision = ask(
        service,
        product={"category": "cheese", "list_price": money(listed), "cost": money(cost)},
        limits=limits,
        context={"competitor_prices": [money(rival)], "inventory": 10_000},
    )
    if "min_price" in limits:
        assert decision.price_minor >= limits["min_price"]["amount_minor"]
    if decision.held is HeldReason.COST_NOT_COVERED:
        assert decision.price_minor == max(listed, limits.get("min_price", money(0))["amount_minor"])
        assert not decision.personalised
    else:
        assert decision.price_minor >= cost
    if "min_margin" in limits and decision.held is not HeldReason.COST_NOT_COVERED:
        assert decision.price_minor - cost >= limits["min_margin"] * decision.price_minor - 1
    floors = [step for step in decision.trail if step.rule in ("floor", "cost", "min_margin", "cost_not_covered")]
    if not floors:
        assert decision.price_minor <= listed
    for before, after in zip(decision.trail, decision.trail[1:], strict=False):
        assert before.to_minor == after.from_minor
    if decision.trail:
        assert decision.trail[-1].to_minor == decision.price_minor


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    currency=st.sampled_from(["TWD", "HUF", "IQD", "JPY", "CHF"]),
    listed=st.integers(1, 50_000),
    cost_frac=st.floats(0.1, 1.2),
    rival_frac=st.floats(0.5, 1.5),
    floor=st.none() | st.integers(1, 50_000),
    known=st.booleans(),
)
def test_every_quoted_price_can_be_paid_unless_a_limit_forbids_it_and_the_trail_says_so(
    service: Service,
    world: World,
    currency: str,
    listed: int,
    cost_frac: float,
    rival_frac: float,
    floor: int | None,
    known: bool,
) -> None:
    def of(amount: float) -> dict[str, Any]:
        return {"amount_minor": max(1, round(amount)), "currency": currency}

    decision = ask(
        service,
        product={"category": "cheese", "list_price": of(listed), "cost": of(listed * cost_frac)},
        shopper={"id": world.shopper} if known else {},
        limits={} if floor is None else {"min_price": of(floor)},
        context={"competitor_prices": [of(listed * rival_frac)]},
    )
    step = {"TWD": 100, "HUF": 100, "IQD": 1_000}.get(currency, 1)
    assert decision.reference_minor % step == 0
    assert decision.price_minor % step == 0 or decision.trail[-1].rule == "price_step"
    assert all(one.price_minor % step == 0 or decision.price_minor % step for one in decision.candidates)


def test_scores_at_the_quoted_price_are_the_quote_scores(service: Service, world: World) -> None:
    at = datetime(2017, 11, 1, 12, tzinfo=UTC)
    request = {"shopper": {"id": world.shopper}, "product": {"id": world.bought}, "context": {"at": at.isoformat()}}
    decision = ask(service, **request)
    scored = service.score([PricedRow(QuoteRequest.model_validate(request), decision.price_minor)])[0]
    assert scored == decision.scores


def test_what_happened_later_does_not_reach_an_earlier_moment(own: tuple[World, Service]) -> None:
    world, service = own
    at = datetime(2017, 6, 1, 12, tzinfo=UTC)
    request = {
        "shopper": {"id": world.shopper},
        "product": {"id": world.never_bought},
        "context": {"at": at.isoformat()},
    }
    before = ask(service, **request)
    service.add_events(
        [
            EventRecord(
                world.shopper, EventType.PURCHASE, at + timedelta(days=day), world.never_bought, price_minor=100
            )
            for day in range(1, 20)
        ]
    )
    after = ask(service, **request)
    assert before.scores == after.scores


def test_an_outcome_changes_the_next_evidence_and_a_restart_keeps_it(own: tuple[World, Service]) -> None:
    world, service = own
    request = {"shopper": {"id": world.shopper}, "product": {"id": world.never_bought}}
    first = ask(service, **request, quantity=2)
    report = OutcomeReport(first.id, OutcomeType.PURCHASED, 2, datetime.now(UTC))
    assert all(isinstance(item, OutcomeRecord) for item in service.add_outcomes([report, report]))
    second = ask(service, **request)
    expected = f"{first.id}:purchased"
    assert expected in [outcome.outcome_id for outcome in second.evidence]
    assert [outcome.outcome_id for outcome in second.evidence].count(expected) == 1
    assert "purchase_history" in second.disclosure.inputs_used
    assert second.interest is not None
    assert first.interest is not None
    assert second.interest > first.interest
    service.close()
    restarted = world.service()
    try:
        third = ask(restarted, **request)
        assert expected in [outcome.outcome_id for outcome in third.evidence]
        assert third.scores is not None
        assert second.scores is not None
        purchase = second.scores.purchase_probability.value  # seconds have passed, and counts decay with time
        assert third.scores.purchase_probability.value == pytest.approx(purchase, rel=1e-3)
        assert restarted.decision(first.id) == first
        assert [outcome.outcome_id for outcome in restarted.outcomes_of(first.id)] == [expected]
    finally:
        restarted.close()


def test_an_outcome_of_no_quote_or_before_its_quote_is_refused(own: tuple[World, Service]) -> None:
    world, service = own
    decision = ask(service, product={"id": world.bought})
    now = datetime.now(UTC)
    answers = service.add_outcomes(
        [
            OutcomeReport("no-such", OutcomeType.PURCHASED, None, now),
            OutcomeReport(decision.id, OutcomeType.PURCHASED, None, now - timedelta(days=1)),
        ]
    )
    assert [answer.status for answer in answers if isinstance(answer, Refusal)] == [404, 422]
    assert service.outcomes_of(decision.id) == []


def test_a_new_product_is_found_and_priced_at_once(own: tuple[World, Service]) -> None:
    _, service = own
    fresh = ProductRecord("new-1", "zebra striped garden gnome", USD, 1_999, 900, category="garden", inventory=40)
    service.upsert_products([fresh])
    decision = ask(service, product={"id": "new-1"})
    assert decision.reference_minor == 1_999
    twin = ask(
        service, product={"title": "zebra striped garden gnome", "list_price": money(1_500), "category": "garden"}
    )
    assert twin.similar[0].product_id == "new-1"


def test_recommendations_are_ranked_priced_and_of_the_category_asked_for(service: Service, world: World) -> None:
    everything = service.recommend(RecommendationRequest.model_validate({"shopper": {"id": world.shopper}, "limit": 8}))
    assert len({decision.product_id for decision in everything}) == 8
    chances = [d.scores.purchase_probability.value for d in everything if d.scores is not None]
    assert chances[0] >= max(chances) * 0.5
    stranger = service.recommend(RecommendationRequest.model_validate({"limit": 3}))
    assert len(stranger) == 3


def test_a_token_verifies_and_holds_the_quoted_price(service: Service, world: World) -> None:
    decision = ask(service, shopper={"id": world.shopper}, product={"id": world.bought}, quantity=3)
    verified = service.verify(decision.token)
    assert verified.status is TokenStatus.VALID
    assert verified.claims is not None
    assert (verified.claims.price_minor, verified.claims.quantity) == (decision.price_minor, 3)
    assert service.verify(decision.token[:-6] + "AAAAAA").status is TokenStatus.TAMPERED
