"""Quotes under the law of their day: what enters, what bounds them, and what is recorded of it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.api.responses.quote_json import merchant_fields, shopper_fields
from agent.api.responses.quotes import QuoteAnswer
from agent.api.responses.shopper_quotes import ShopperQuoteAnswer
from agent.domain.decision import CompetitorRecord, Decision, HeldReason
from agent.domain.request import QuoteRequest
from agent.explain.questions import Language, QuestionInput
from agent.pricing.flow import Observation
from agent.rules.packs import law_in_force
from agent.service.service import Service
from agent.store.codec import EncodedDecision, decode_decision, encode_decision
from tests.agent.store.builders import decision
from tests.prepared import World, ask

RIVAL = {"amount_minor": 60, "currency": "USD"}


@pytest.fixture
def greedy(own: World) -> Iterator[Service]:
    """A shop that lets personal prices rise."""
    service = own.service(language_model=False, never_above_reference=False, max_change_frac=5.0)
    yield service
    service.close()


def asked(world: World, place: str, shopper: dict[str, Any] | None = None, **context: Any) -> dict[str, Any]:
    return {
        "shopper": {"id": world.shopper} if shopper is None else shopper,
        "product": {"id": world.bought, "cost": {"amount_minor": 20, "currency": "USD"}},
        "context": {"jurisdiction": place, **context},
    }


def on(service: Service, day: str, request: dict[str, Any]) -> Decision:
    """A decision as it would have been at noon of a day."""
    at = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    pipeline = service._parts.pipeline.counterfactual()
    found = pipeline.quote([QuoteRequest.model_validate({**request, "deadline_ms": 30_000})], at)[0]
    assert isinstance(found, Decision)
    return found


def observed(service: Service, request: dict[str, Any]) -> Observation:
    at = datetime(2026, 12, 1, 12, tzinfo=UTC)
    found = service._parts.pipeline.observer.read([QuoteRequest.model_validate(request)], at)[0]
    assert isinstance(found, Observation)
    return found


# ---- California: competitors' prices and their sources


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ({}, "its `source` and `public` are not told"),
        ({"source": "shop.example"}, "whether it is `public` is not told"),
        ({"public": True}, "its `source` is not told"),
        ({"source": "a broker", "public": False}, "it is not public"),
    ],
)
def test_california_a_competitors_price_without_source_or_publicness_is_not_used(
    greedy: Service, own: World, told: dict[str, Any], reason: str
) -> None:
    quote = ask(greedy, **asked(own, "US-CA", competitor_prices=[{**RIVAL, **told}]))
    ignored = {one.input: one.reason for one in quote.disclosure.inputs_ignored}
    assert ignored["context.competitor_prices"].startswith(f"1 of 1: {reason}; ")
    assert "California" in ignored["context.competitor_prices"]
    assert "context.competitor_prices" not in quote.disclosure.inputs_used
    assert quote.competitor_prices == ()
    without = observed(greedy, asked(own, "US-CA", competitor_prices=[{**RIVAL, **told}]))
    assert without.market.rival_minor is None
    assert without.request.context.competitor_prices == []


def test_california_a_public_price_with_its_source_is_used_and_both_are_recorded(greedy: Service, own: World) -> None:
    known = {**RIVAL, "source": "https://shop.example/tea", "public": True}
    quote = ask(greedy, **asked(own, "California", competitor_prices=[RIVAL, known]))
    assert "context.competitor_prices" in quote.disclosure.inputs_used
    assert quote.competitor_prices == (CompetitorRecord(60, "https://shop.example/tea", True),)
    stored = greedy.decision(quote.id)
    assert stored is not None
    assert stored.competitor_prices == quote.competitor_prices
    shown = QuoteAnswer.model_validate(merchant_fields(stored, candidates=False)).competitor_prices
    assert [(one.price.amount_minor, one.source, one.public) for one in shown] == [
        (60, "https://shop.example/tea", True)
    ]
    assert "competitor_prices" not in shopper_fields(stored)


def test_elsewhere_a_competitors_price_is_used_as_it_comes(greedy: Service, own: World) -> None:
    quote = ask(greedy, **asked(own, "US-TX", competitor_prices=[RIVAL]))
    assert "context.competitor_prices" in quote.disclosure.inputs_used
    assert (quote.competitor_prices, quote.disclosure.inputs_ignored) == ((), ())


# ---- Manitoba: consent with its reason


def test_manitoba_a_personal_price_rises_only_with_consent(greedy: Service, own: World) -> None:
    consent = {"id": own.shopper, "higher_price_consent": {"reason": "delivery within the hour"}}
    without, with_it = observed(greedy, asked(own, "CA-MB")), observed(greedy, asked(own, "CA-MB", consent))
    wanted = round(1.2 * without.reference_minor)
    found = without.price_limits.apply(wanted)
    assert (found.price_minor <= without.reference_minor, found.trail[0].rule) == (True, "law.CA-MB.discount_only")
    assert with_it.price_limits.apply(wanted).price_minor > with_it.reference_minor
    assert with_it.request.shopper.higher_price_consent is not None, "a quote priced again keeps its consent"


def test_consent_raises_nothing_in_china_or_for_food_in_maryland(greedy: Service, own: World) -> None:
    consent = {"id": own.shopper, "higher_price_consent": {"reason": "delivery within the hour"}}
    for place in ("CN", "US-MD"):
        seen = observed(greedy, asked(own, place, consent))
        assert seen.price_limits.apply(2 * seen.reference_minor).price_minor <= seen.reference_minor


# ---- bans


@pytest.mark.parametrize(
    ("place", "before", "day"), [("US-CT", "2027-06-30", "2027-07-01"), ("US-NJ", "2027-07-31", "2027-08-01")]
)
def test_a_ban_of_personal_prices_holds_the_reference_price_from_its_first_day(
    greedy: Service, own: World, place: str, before: str, day: str
) -> None:
    known = {"id": own.shopper, "profile": {"income": "250K+"}}
    banned = on(greedy, day, asked(own, place, known))
    assert (banned.price_minor, banned.personalised, banned.held) == (
        banned.reference_minor,
        False,
        HeldReason.BARRED_BY_LAW,
    )
    assert not any(name.startswith(("profile", "purchase")) for name in banned.disclosure.inputs_used)
    assert on(greedy, before, asked(own, place, known)).held is not HeldReason.BARRED_BY_LAW
    assert on(greedy, day, asked(own, place, {})).held is not HeldReason.BARRED_BY_LAW, (
        "a stranger's price is not personal"
    )


# ---- the day is the decision's


def test_the_law_is_that_of_the_day_of_the_quote_not_of_the_moment_that_it_prices(greedy: Service, own: World) -> None:
    for moment in ("2026-09-01T12:00:00Z", "2027-12-01T12:00:00Z"):
        request = asked(own, "US-CT", at=moment)
        assert on(greedy, "2026-12-01", request).disclosure.law == "US-CT/1"
        assert on(greedy, "2026-09-30", request).disclosure.law == "OTHER/1"
        assert on(greedy, "2027-07-01", request).disclosure.law == "US-CT/2"


def test_age_is_left_out_in_maryland_only_since_its_law(greedy: Service, own: World) -> None:
    request = asked(own, "US-MD", {"profile": {"age": 61}})
    assert "profile.age" in on(greedy, "2026-09-29", request).disclosure.inputs_used
    late = on(greedy, "2026-10-01", request).disclosure
    assert "profile.age" not in late.inputs_used
    assert [one.reason for one in late.inputs_ignored] == ["protected attribute in Maryland: age"]


# ---- a notice is kept as it was to be displayed


def test_reading_a_decision_never_asks_the_law_again(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    service = own.service(language_model=False)
    try:
        quote = ask(service, **asked(own, "GB"))

        def gone(*_: object) -> None:
            raise AssertionError("a reader asks which law holds now")

        monkeypatch.setattr(law_in_force, "holding", gone)
        law_in_force.find_jurisdiction.cache_clear()
        stored = service.decision(quote.id)
        assert stored is not None
        assert stored.disclosure == quote.disclosure
        for shown in (
            QuoteAnswer.model_validate(merchant_fields(stored, candidates=True)),
            ShopperQuoteAnswer.model_validate(shopper_fields(stored)),
        ):
            told = shown.disclosure
            assert (told.text, told.law, told.placement) == (
                quote.disclosure.text,
                "GB/1",
                quote.disclosure.placement,
            )
            assert [duty.do for duty in told.duties] == [duty.do for duty in quote.disclosure.duties]
        monkeypatch.undo()
        law_in_force.find_jurisdiction.cache_clear()
        assert service.explain(quote.id, QuestionInput()) is not None
        assert service.decision(quote.id) == stored
    finally:
        monkeypatch.undo()
        law_in_force.find_jurisdiction.cache_clear()
        service.close()


def test_decisions_recorded_before_notices_had_placements_are_read() -> None:
    encoded = encode_decision(decision())
    body = json.loads(encoded.body)
    for name in ("language", "placement", "duties", "consent"):
        del body["decision"]["disclosure"][name]
    del body["decision"]["competitor_prices"]
    old = decode_decision(EncodedDecision(json.dumps(body), encoded.personal))
    assert old == replace(decision(), disclosure=replace(decision().disclosure, duties=()))


def test_competitors_prices_left_out_are_named_once_for_each_reason_and_told_in_explanations(own: World) -> None:
    service = own.service(language_model=False)
    try:
        quote = ask(service, **asked(own, "US-CA", competitor_prices=[RIVAL, RIVAL, {**RIVAL, "source": "x"}]))
        left = [one for one in quote.disclosure.inputs_ignored if one.input == "context.competitor_prices"]
        assert [one.reason.partition(":")[0] for one in left] == ["2 of 3", "1 of 3"]
        for language, words in (
            (Language.EN, "competitors' prices without a public source"),
            (Language.ZH, "竞争对手价格"),
        ):
            told = service.explain(quote.id, QuestionInput("Which data was used?", language))
            assert told is not None
            assert words in told.answer
    finally:
        service.close()
