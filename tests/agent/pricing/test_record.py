"""Decisions say by type why a price was held, how candidates came in, and what the guard did."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

import pytest

from agent.domain.candidates import Origin
from agent.domain.decision import Decision, GuardAction, HeldReason
from agent.rules import effective_rules
from agent.rules.exploration import SelectionRules
from agent.service.service import Service
from tests.prepared import World, ask

USD_50 = {"amount_minor": 50, "currency": "USD"}
NEWCOMER = {"profile": {"age": 30, "income": 50_000, "region": "urban"}}
PHONE = {
    "category": "electronics",
    "brand": "Samsung",
    "list_price": {"amount_minor": 100_000, "currency": "USD"},
    "cost": {"amount_minor": 5_000, "currency": "USD"},
}


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("recorded") / "data")


@pytest.fixture(scope="module")
def standing(own: World) -> Iterator[Service]:
    running = own.service(language_model=False, stable_prices=True)
    yield running
    running.close()


def known(own: World, service: Service, **changes: object) -> Decision:
    base = {"shopper": {"id": own.shopper}, "product": {"id": own.bought, "cost": USD_50}}
    return ask(service, **(base | changes))


def test_an_opted_out_shopper_holds_by_choice(own: World, standing: Service) -> None:
    one = known(own, standing, shopper={"id": own.shopper, "personalisation": "off"})
    assert (one.held, one.guard) == (HeldReason.OPTED_OUT, GuardAction.PASSED)


def test_without_cost_and_floor_the_guard_holds(standing: Service) -> None:
    shelf = {"title": "Lamp", "list_price": {"amount_minor": 4_000, "currency": "USD"}}
    one = ask(standing, product=shelf)
    assert (one.held, one.guard, one.cost_minor) == (HeldReason.UNKNOWN_COST, GuardAction.HELD, None)


def test_a_quote_without_time_holds_for_that(own: World, standing: Service) -> None:
    assert known(own, standing, quantity=2, deadline_ms=1).held is HeldReason.NO_TIME


def test_the_kill_switch_is_the_reason_while_it_is_on(own: World, standing: Service) -> None:
    standing.kill_switch.hold("test", "stock take", datetime.now(UTC))
    try:
        one = known(own, standing)
    finally:
        standing.kill_switch.release()
    assert (one.held, one.guard) == (HeldReason.HELD_BY_MERCHANT, GuardAction.HELD)


def test_a_personalised_price_is_held_for_nothing_and_records_its_cost(own: World, standing: Service) -> None:
    one = known(own, standing, shopper=NEWCOMER, product=PHONE)
    assert one.price_minor != one.reference_minor, "or the test shows nothing"
    assert (one.held, one.cost_minor) == (None, 5_000)
    assert {candidate.origin for candidate in one.candidates} == {Origin.PROPOSED}


def test_a_standing_price_is_marked_by_its_origin(own: World, standing: Service) -> None:
    first, second = known(own, standing, quantity=3), known(own, standing, quantity=3, context={"channel": "web"})
    assert second.price_minor == first.price_minor
    assert [one.origin for one in second.candidates if one.chosen] == [Origin.STANDING]


def test_a_floor_above_every_proposal_moves_the_price(own: World, standing: Service) -> None:
    floor = {"amount_minor": 97_000, "currency": "USD"}
    one = known(own, standing, shopper=NEWCOMER, product=PHONE, limits={"min_price": floor})
    assert (one.price_minor, one.guard) == (97_000, GuardAction.MOVED)


def test_limits_that_exclude_each_other_are_a_conflict(own: World, standing: Service) -> None:
    ceiling = {"amount_minor": 40, "currency": "USD"}
    one = known(own, standing, quantity=5, limits={"max_price": ceiling})
    assert one.guard is GuardAction.CONFLICT
    assert one.price_minor >= 50


def test_control_quotes_say_that_chance_drew_them(own: World) -> None:
    running = own.service(language_model=False, control_frac=0.5, stable_prices=False)
    try:
        found = [known(own, running, shopper=NEWCOMER, product=PHONE) for _ in range(20)]
    finally:
        running.close()
    at_reference = [one for one in found if one.price_minor == one.reference_minor]
    assert 0 < len(at_reference) < 20, "or the test shows nothing"
    assert {one.held for one in at_reference} == {HeldReason.CONTROL}
    assert {one.held for one in found if one not in at_reference} == {None}


def test_explored_prices_are_marked(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Untempered, as the demo store's evaluator is too sure of itself to try anything else."""
    monkeypatch.setattr(effective_rules, "SelectionRules", partial(SelectionRules, boldness=1.0, good_enough=0.002))
    running = own.service(language_model=False, exploration="normal", stable_prices=False, never_above_reference=False)
    try:
        found = [
            known(own, running, shopper=NEWCOMER, product=PHONE | {"cost": {"amount_minor": cost, "currency": "USD"}})
            for cost in range(5_000, 30_000, 250)
        ]
    finally:
        running.close()
    explored = [one for one in found if one.explored]
    assert explored, "or the test shows nothing"
    assert all(one.rationale.startswith("tried out") for one in explored)
    chosen = {candidate.origin for one in explored for candidate in one.candidates if candidate.chosen}
    assert Origin.EXPLORED in chosen
