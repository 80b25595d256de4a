"""Open merchants: opened once, closed by least recent use, never while a request uses them."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from anyio import CapacityLimiter

from agent.api.batching import MicroBatcher
from agent.api.context import AppContext, Resources
from agent.api.tenants import Tenants, release_leases
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing
from agent.service.auth.rate_limits import RateLimiter
from agent.service.metrics import Metrics
from agent.service.settings import Settings
from agent.store import Store
from tests.agent.api.scripted import ScriptedService, as_service


@dataclass(slots=True)
class Opener:
    """Opens scripted services by name and remembers them."""

    store: Store
    opened: list[str] = field(default_factory=list)
    services: dict[str, ScriptedService] = field(default_factory=dict)

    def __call__(self, merchant: str) -> Resources:
        self.opened.append(merchant)
        self.services[merchant] = ScriptedService()
        return Resources(as_service(self.services[merchant]), self.store, KeyRing(self.store, SystemClock()))


def made(store: Store, opener: Opener, limit: int) -> Tenants:
    home = Resources(as_service(ScriptedService()), store, KeyRing(store, SystemClock()), opener)
    batcher: MicroBatcher[Any, Any] = MicroBatcher(home.service.quote, limit=1)
    context = AppContext(Settings(), home, batcher, CapacityLimiter(1), Metrics(), RateLimiter(None))
    return Tenants(context, limit)


def request() -> Any:
    return SimpleNamespace(scope={})


@pytest.fixture
def opener(tmp_path: Path) -> Any:
    with Store.open(f"sqlite:///{tmp_path}/home.db") as store:
        yield Opener(store)


def test_a_merchant_is_opened_once_however_many_ask_at_once(opener: Opener) -> None:
    async def run() -> None:
        tenants = made(opener.store, opener, 2)
        await asyncio.gather(*(tenants.lease(request(), "a") for _ in range(5)))
        await tenants.close()

    asyncio.run(run())
    assert opener.opened == ["a"]
    assert opener.services["a"].closed


def test_the_least_used_idle_one_is_closed_and_opened_again_when_asked(opener: Opener) -> None:
    async def run() -> list[int]:
        tenants = made(opener.store, opener, 2)
        counts = []
        for merchant in ("a", "b", "a", "c", "b"):
            asked = request()
            await tenants.lease(asked, merchant)
            release_leases(asked.scope)
            await asyncio.sleep(0.1)
            counts.append(len(tenants.contexts()) - 1)
        await tenants.close()
        return counts

    assert asyncio.run(run()) == [1, 2, 2, 2, 2]
    assert opener.opened == ["a", "b", "c", "b"], "b was the least used when c came"


def test_one_that_is_being_asked_stays_open(opener: Opener) -> None:
    async def run() -> None:
        tenants = made(opener.store, opener, 1)
        asked = request()
        await tenants.lease(asked, "a")
        other = request()
        await tenants.lease(other, "b")
        await asyncio.sleep(0.1)
        assert not opener.services["a"].closed
        release_leases(asked.scope)
        await tenants.lease(request(), "c")
        await asyncio.sleep(0.1)
        assert opener.services["a"].closed
        await tenants.close()

    asyncio.run(run())


def test_a_merchant_that_cannot_be_opened_is_tried_again(opener: Opener) -> None:
    async def run() -> None:
        failing = iter([RuntimeError("disk"), None])

        def once(merchant: str) -> Resources:
            error = next(failing)
            if error is not None:
                raise error
            return opener(merchant)

        tenants = made(opener.store, opener, 1)
        object.__setattr__(tenants._home.context.resources, "open_merchant", once)
        with pytest.raises(RuntimeError, match="disk"):
            await tenants.lease(request(), "a")
        await tenants.lease(request(), "a")
        await tenants.close()

    asyncio.run(run())
