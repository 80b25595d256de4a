"""A request made again while its quote stands gets that very quote; every change leads through the seven steps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.domain.clock import FixedClock
from agent.domain.decision import Decision
from agent.domain.records import OutcomeType, ShopperRecord
from agent.domain.request import QuoteRequest
from agent.pricing.standing_quotes import Priced
from agent.rules.book import Change
from agent.rules.document import RulesDocument
from agent.service.assembly import open_service
from agent.service.opening import open_store
from agent.service.outcome_sequence import OutcomeReport
from agent.service.service import Service
from tests.prepared import LOADED, World

NOW = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)


@dataclass(frozen=True, slots=True)
class Shop:
    """A service on a clock that tests move."""

    world: World
    clock: FixedClock
    service: Service

    def request(self, **changes: Any) -> QuoteRequest:
        base = {"shopper": {"id": "s1"}, "product": {"id": self.world.bought}}
        return QuoteRequest.model_validate(base | changes)

    def ask(self, **changes: Any) -> Priced:
        return self.service.priced([self.request(**changes)])[0]

    def asked(self, **changes: Any) -> Decision:
        answer = self.ask(**changes).answer
        assert isinstance(answer, Decision)
        return answer

    def stands(self, **changes: Any) -> bool:
        return self.ask(**changes).again


def opened(world: World, clock: FixedClock) -> Service:
    chosen = world.settings(stable_prices=True, language_model=False, exploration="normal", quote_ttl_s=900)
    return open_service(chosen, open_store(chosen, clock), clock, LOADED)


@pytest.fixture(scope="module")
def copied(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("standing") / "data")


@pytest.fixture(scope="module")
def running(copied: World) -> Iterator[Shop]:
    clock = FixedClock(NOW)
    service = opened(copied, clock)
    yield Shop(copied, clock, service)
    service.close()


@pytest.fixture
def shop(running: Shop) -> Iterator[Shop]:
    running.clock.at = NOW
    yield running
    running.service.kill_switch.release()
    running.service.erase_shopper("s1")


def raise_list_price(shop: Shop) -> None:
    product = shop.service.product(shop.world.bought)
    assert product is not None
    shop.service.upsert_products([replace(product, list_minor=(product.list_minor or 100) + 1)])


def change_rules(shop: Shop) -> None:
    book, change = shop.service.rules, Change("a", shop.clock.at)
    book.activate(book.propose(RulesDocument(), change).number, change)


def hold(shop: Shop) -> None:
    shop.service.kill_switch.hold("test", "odd", shop.clock.at)


def buy(shop: Shop) -> None:
    quote = shop.asked()
    shop.service.add_outcomes([OutcomeReport(quote.id, OutcomeType.PURCHASED, None, shop.clock.at)])


def expire(shop: Shop) -> None:
    shop.clock.at = shop.asked().valid_until


def quote_two_elsewhere(shop: Shop) -> None:
    other = opened(shop.world, shop.clock)
    assert replace(shop, service=other).ask(quantity=2).again is False
    other.close()


CHANGES: dict[str, Callable[[Shop], object]] = {
    "list price": raise_list_price,
    "rules": change_rules,
    "kill switch": hold,
    "profile": lambda shop: shop.service.set_shopper(ShopperRecord("s1", {"region": "urban"}, True)),
    "consent": lambda shop: shop.service.set_shopper(ShopperRecord("s1", {}, False)),
    "purchase": buy,
    "end": expire,
    "last price, in another process": quote_two_elsewhere,
    "erasure": lambda shop: shop.service.erase_shopper("s1"),
    "another price of its own": lambda shop: shop.ask(limits={"max_price": usd(1)}),
}


def usd(amount: int) -> dict[str, Any]:
    return {"amount_minor": amount, "currency": "USD"}


def test_the_very_same_again_is_the_very_same_quote_and_nothing_is_recorded(shop: Shop) -> None:
    first = shop.ask()
    assert not first.again
    before = shop.world.decisions()
    shop.clock.at += timedelta(minutes=5)
    again = shop.ask(deadline_ms=1)
    assert again == Priced(first.answer, again=True)
    assert shop.service.quote([shop.request().tagged("another-id", 1.0)]) == [first.answer]
    assert shop.world.decisions() == before


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_leads_through_the_steps(shop: Shop, change: str) -> None:
    shop.ask()
    assert shop.stands()
    CHANGES[change](shop)
    assert not shop.stands()


@pytest.mark.parametrize(
    "asked",
    [
        {"quantity": 2},
        {"context": {"inventory": 1}},
        {"context": {"channel": "web"}},
        {"context": {"promotion": {"display": True}}},
        {"limits": {"max_discount": 0.1}},
        {"events": [{"type": "view", "text": "tea"}]},
        {"shopper": {"id": "s1", "profile": {"region": "urban"}}},
        {"shopper": {"id": "s2"}},
    ],
    ids=str,
)
def test_another_request_leads_through_the_steps_and_stands_itself(shop: Shop, asked: dict[str, Any]) -> None:
    shop.ask()
    assert not shop.stands(**asked)
    assert shop.stands(**asked)
    shop.service.erase_shopper("s2")


@pytest.mark.parametrize(
    "asked",
    [
        {"shopper": {}},
        {"shopper": {"id": "s1", "personalisation": "off"}},
        {"context": {"at": NOW.isoformat()}},
        {"product": {"title": "Kettle", "list_price": {"amount_minor": 900, "currency": "USD"}}},
    ],
    ids=["stranger", "opted out", "a moment of its own", "no product id"],
)
def test_some_requests_never_stand(shop: Shop, asked: dict[str, Any]) -> None:
    assert [shop.stands(**asked) for _ in range(3)] == [False] * 3


def test_drafts_and_another_process_know_nothing_of_it(shop: Shop) -> None:
    first = shop.asked()
    draft = shop.service.drafts([shop.request()])[0]
    assert isinstance(draft, Decision)
    assert draft.id != first.id
    other = opened(shop.world, shop.clock)
    elsewhere = replace(shop, service=other)
    assert not elsewhere.stands()
    assert elsewhere.stands()
    other.close()


@given(
    quantity=st.integers(1, 3),
    context=st.fixed_dictionaries(
        {}, optional={"inventory": st.integers(0, 50), "season": st.sampled_from(["spring", "winter"])}
    ),
    limits=st.fixed_dictionaries({}, optional={"max_discount": st.sampled_from([0.0, 0.1, 0.3])}),
    minutes=st.integers(0, 14),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_quote_that_stands_has_the_price_that_the_steps_find(
    shop: Shop, quantity: int, context: dict[str, Any], limits: dict[str, Any], minutes: int
) -> None:
    shop.service.erase_shopper("s1")
    shop.clock.at = NOW
    asked: dict[str, Any] = {"quantity": quantity, "context": context, "limits": limits}
    first = shop.asked(**asked)
    shop.clock.at = NOW + timedelta(minutes=minutes)
    again = shop.ask(**asked)
    stepped = shop.service._parts.pipeline.quote([shop.request(**asked)], shop.clock.at)[0]
    assert again == Priced(first, again=True)
    assert isinstance(stepped, Decision)
    assert (stepped.price_minor, stepped.valid_until) == (first.price_minor, first.valid_until)
    assert set(stepped.trail) <= set(first.trail)
