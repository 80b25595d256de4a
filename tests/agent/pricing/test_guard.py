"""No path to a price avoids the gateway: quotes, batches, recommendations, cached, hurried, standing, what-ifs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from agent.domain.decision import Decision, Rung
from agent.domain.request import QuoteRequest, RecommendationRequest
from agent.pricing.counterfactuals import Counterfactuals
from agent.pricing.flow import Observation
from agent.pricing.guard import Guard
from agent.rules.book import Change
from agent.rules.document import RulesDocument
from agent.rules.gateway import Guarded
from agent.service.service import Service
from tests.prepared import World


@dataclass(frozen=True, slots=True)
class Watched:
    """A service whose gateway writes down every price that it let through."""

    world: World
    service: Service
    passed: set[tuple[str | None, int]]

    def ask(self, **request: Any) -> list[Decision]:
        base = {"shopper": {"id": self.world.shopper}, "product": {"id": self.world.bought, "cost": usd(1)}}
        return self.decided(self.service.quote([QuoteRequest.model_validate(base | request)]))

    def decided(self, answers: Any) -> list[Decision]:
        found = [answer for answer in answers if isinstance(answer, Decision)]
        assert found
        return found

    def counterfactuals(self) -> list[Decision]:
        parts = self.service._parts
        draft = Counterfactuals(
            parts.pipeline.counterfactual(), parts.row_scorer, parts.shoppers, self.service._quoting
        )
        request = QuoteRequest.model_validate({"product": {"id": self.world.bought}})
        return self.decided(draft.quote([request], datetime.now(UTC)))


def usd(amount: int) -> dict[str, Any]:
    return {"amount_minor": amount, "currency": "USD"}


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("paths") / "data")


@pytest.fixture(scope="module")
def watched(own: World) -> Iterator[Watched]:
    passed: set[tuple[str | None, int]] = set()
    check = Guard.check

    def noting(self: Guard, observation: Observation, raw_minor: int) -> Guarded:
        guarded = check(self, observation, raw_minor)
        passed.add((observation.product_id, guarded.price_minor))
        return guarded

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Guard, "check", noting)
        service = own.service(stable_prices=True, exploration="normal")
        yield Watched(own, service, passed)
        service.close()


PATHS: dict[str, Callable[[Watched], list[Decision]]] = {
    "quote": lambda w: w.ask(),
    "again, from the cache": lambda w: [*w.ask(shopper={"id": "c1"}), *w.ask(shopper={"id": "c2"})],
    "standing": lambda w: w.ask(context={"channel": "app"}),
    "hurried": lambda w: w.ask(shopper={"id": "h"}, deadline_ms=1),
    "batch": lambda w: w.decided(
        w.service.quote([QuoteRequest.model_validate({"product": {"id": w.world.bought, "cost": usd(1)}})] * 5)
    ),
    "recommendations": lambda w: w.decided(
        w.service.recommend(RecommendationRequest.model_validate({"shopper": {"id": w.world.shopper}, "limit": 5}))
    ),
    "opted out": lambda w: w.ask(shopper={"id": w.world.shopper, "personalisation": "off"}),
    "inline": lambda w: w.ask(product={"title": "Oats", "category": "cereal", "list_price": usd(500), "cost": usd(9)}),
    "what if": lambda w: w.counterfactuals(),
}


@pytest.mark.parametrize("path", PATHS)
def test_each_path_answers_with_a_price_that_the_gateway_let_through(watched: Watched, path: str) -> None:
    watched.passed.clear()
    for decision in PATHS[path](watched):
        assert (decision.product_id, decision.price_minor) in watched.passed
        assert path != "hurried" or decision.rung is Rung.REFERENCE


@pytest.mark.parametrize("path", PATHS)
def test_a_floor_above_every_proposal_binds_on_each_path(watched: Watched, path: str) -> None:
    book, change = watched.service.rules, Change("test", datetime.now(UTC))
    floor = 100_000_000
    version = book.propose(RulesDocument.model_validate({"limits": {"min_price": usd(floor)}}), change).number
    book.activate(version, change)
    try:
        assert {decision.price_minor for decision in PATHS[path](watched)} == {floor}
    finally:
        book.rollback(Change("test", datetime.now(UTC)))


@pytest.mark.parametrize("path", PATHS)
def test_a_ceiling_below_every_proposal_binds_on_each_path(watched: Watched, path: str) -> None:
    book, change = watched.service.rules, Change("test", datetime.now(UTC))
    document = {"limits": {"max_price": usd(20), "min_price": usd(20), "max_discount": 1.0, "min_margin": 0.0}}
    version = book.propose(RulesDocument.model_validate(document), change).number
    book.approve(version, Change("another", datetime.now(UTC)))
    book.activate(version, change)
    try:
        costly = [d.price_minor for d in PATHS[path](watched) if d.price_minor != 20]
        assert all(price > 20 for price in costly), "only what costs more may cost more"
        if path not in ("recommendations", "what if", "opted out"):
            assert costly == []
    finally:
        book.rollback(Change("test", datetime.now(UTC)))
