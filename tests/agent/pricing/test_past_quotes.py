"""The same shopper, product and quantity get the same price while the first quote lives, on every path."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agent.domain.clock import FixedClock
from agent.domain.decision import Decision
from agent.domain.records import OutcomeRecord, OutcomeType
from agent.domain.request import QuoteRequest, RecommendationRequest
from agent.rules.book import Change
from agent.rules.document import RulesDocument
from agent.service.assembly import open_service
from agent.service.auth.quote_tokens import TokenStatus
from agent.service.opening import open_store
from agent.service.outcome_sequence import OutcomeReport
from agent.service.service import Service
from tests.prepared import LOADED, World

NOW = datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True, slots=True)
class Shop:
    """A service on a clock that tests move; every quote tries another price out."""

    world: World
    clock: FixedClock
    service: Service

    def ask(self, **changes: Any) -> Decision:
        return self.batch([changes])[0]

    def batch(self, rows: list[dict[str, Any]]) -> list[Decision]:
        base = {"shopper": {"id": "s1"}, "product": {"id": self.world.bought, "cost": usd(100)}}
        found = self.service.quote([QuoteRequest.model_validate(base | row) for row in rows])
        assert all(isinstance(one, Decision) for one in found)
        return [one for one in found if isinstance(one, Decision)]

    def different(self, held: Decision, **changes: Any) -> bool:
        """Whether one of several quotes has another price: one may be the same by chance."""
        return any(self.ask(shopper={"id": f"other-{n}"}, **changes).price_minor != held.price_minor for n in range(20))


def usd(amount: int) -> dict[str, Any]:
    return {"amount_minor": amount, "currency": "USD"}


def opened(world: World, clock: FixedClock) -> Service:
    settings = world.settings(
        stable_prices=True, language_model=False, exploration="normal", control_frac=0.5, quote_ttl_s=900
    )
    return open_service(settings, open_store(settings, clock), clock, LOADED)


@pytest.fixture(scope="module")
def copied(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("stable") / "data")


@pytest.fixture
def shop(copied: World) -> Iterator[Shop]:
    clock = FixedClock(NOW)
    service = opened(copied, clock)
    yield Shop(copied, clock, service)
    service.kill_switch.release()
    service.erase_shopper("s1")
    service.close()


def test_asked_again_the_price_the_end_and_the_chance_are_the_same(shop: Shop) -> None:
    first = shop.ask()
    shop.clock.at = NOW + timedelta(minutes=10)
    again = [shop.ask(context={"inventory": 1}) for _ in range(10)]
    assert {one.price_minor for one in again} == {first.price_minor}
    assert {one.valid_until for one in again} == {first.valid_until}
    assert {one.propensity for one in again} == {first.propensity}
    assert all(sum(c.chosen for c in one.candidates) == 1 for one in again)
    assert shop.different(first), "or prices vary by nothing"
    verified = shop.service.verify(again[0].token)
    assert (verified.status, verified.claims and verified.claims.price_minor) == (TokenStatus.VALID, first.price_minor)


def test_batches_recommendations_and_another_process_keep_it(shop: Shop) -> None:
    rows = shop.batch([{}] * 8)
    assert len({one.price_minor for one in rows}) == 1, "in one batch"
    other = opened(shop.world, shop.clock)
    try:
        mine = replace(shop, service=other)
        assert mine.ask().price_minor == rows[0].price_minor
        ranked = RecommendationRequest.model_validate({"shopper": {"id": "s1"}, "limit": 5})
        before = {one.product_id: one.price_minor for one in other.recommend(ranked)}
        after = {one.product_id: one.price_minor for one in shop.service.recommend(ranked)}
        assert before == after
    finally:
        other.close()


def test_after_its_end_and_for_other_quantities_prices_are_fresh(shop: Shop) -> None:
    first = shop.ask()
    shop.clock.at = first.valid_until
    later = shop.ask()
    assert later.valid_until > first.valid_until
    two = shop.ask(quantity=2)
    assert two.valid_until == shop.clock.at + timedelta(seconds=900)


def test_the_gateway_has_the_last_word_over_what_was_quoted(shop: Shop) -> None:
    first = shop.ask()
    floor = min(first.price_minor + 3, first.reference_minor)  # above the reference the promise to shoppers would bind
    raised = shop.ask(limits={"min_price": usd(floor)})
    assert raised.price_minor >= floor
    assert shop.ask().price_minor == raised.price_minor, "the new price stands now"
    lowered = shop.ask(limits={"max_price": usd(floor - 2)})
    assert lowered.price_minor <= floor - 2
    shop.service.kill_switch.hold("test", "odd", shop.clock.at)
    held = shop.ask()
    assert (held.price_minor, held.trail[0].rule) == (held.reference_minor, "kill_switch")


def test_new_rules_end_what_they_forbid_and_leave_the_rest(shop: Shop) -> None:
    first = shop.ask()
    book = shop.service.rules
    change = Change("a", shop.clock.at)
    for floor in (1, first.price_minor + 5):
        document = {"products": {shop.world.bought: {"min_price": usd(floor)}}}
        version = book.propose(RulesDocument.model_validate(document), change).number
        book.activate(version, change)
        price = shop.ask().price_minor
        assert price == first.price_minor if floor == 1 else price >= floor
    book.rollback(change)
    book.rollback(change)


def test_opting_out_gives_the_reference_and_opting_in_a_fresh_price(shop: Shop) -> None:
    first = shop.ask()
    out = shop.ask(shopper={"id": "s1", "personalisation": "off"})
    assert (out.price_minor, out.personalised) == (out.reference_minor, False)
    shop.clock.at = NOW + timedelta(minutes=1)
    fresh = shop.ask()
    assert fresh.valid_until > first.valid_until


def test_a_purchase_ends_it(shop: Shop) -> None:
    first = shop.ask()
    report = OutcomeReport(first.id, OutcomeType.PURCHASED, None, shop.clock.at)
    assert isinstance(shop.service.add_outcomes([report])[0], OutcomeRecord)
    shop.clock.at = NOW + timedelta(minutes=1)
    assert shop.ask().valid_until > first.valid_until


def test_disclosure_is_that_of_the_price_that_stands(shop: Shop) -> None:
    first = shop.ask(shopper={"id": "s1", "profile": {"income": 90_000}})
    assert "profile.income" in first.disclosure.inputs_used
    hurried = shop.ask(deadline_ms=1)
    assert (hurried.price_minor, hurried.rung) == (first.price_minor, first.rung)
    assert hurried.disclosure.inputs_used == first.disclosure.inputs_used


def test_strangers_without_an_id_get_a_price_each(shop: Shop) -> None:
    prices = {one.price_minor for one in shop.batch([{"shopper": {}}] * 20)}
    assert len(prices) > 1
