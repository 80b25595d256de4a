import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agent.domain.clock import FixedClock
from agent.domain.decision import Rung
from agent.pricing.model_proposer import ModelProposer
from agent.service.opening import open_store
from agent.service.strategies import BackgroundWriters, DirectWriters, StrategyStore, open_proposer
from agent.store import Store
from agent.store.data_folder import DataFolder
from models.errors import RegistryError
from models.registry.registry import ModelKind, Registry, read_meta
from models.registry.versions import install_deltas
from models.strategist.facts import StrategistFacts
from tests.prepared import LOADED, World, ask

FACTS = StrategistFacts("bread", 0.2, (1.4, 1.2, 0.8), may_rise=False, cost_ratio=0.5)
CLOCK = FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def store(own: World) -> Iterator[Store]:
    with open_store(own.settings(), CLOCK) as opened:
        yield opened


def registry_of(world: World) -> Registry:
    return Registry(DataFolder(world.folder).models)


def opened(world: World, store: Store, running: ModelProposer | None = None, **changes: object) -> ModelProposer:
    kept = StrategyStore(store, CLOCK)
    return open_proposer(world.settings(**changes), registry_of(world), kept, DirectWriters(LOADED), running)


def activate_copy(world: World, version: str) -> None:
    """Activate the same strategist under another version."""
    registry = registry_of(world)
    folder = registry.folder(ModelKind.STRATEGIST, registry.active(ModelKind.STRATEGIST))
    install_deltas(registry, read_meta(folder).model_copy(update={"version": version}), folder)
    registry.activate(ModelKind.STRATEGIST, version)


def test_the_running_proposer_goes_on_until_another_strategist_is_activated(own: World, store: Store) -> None:
    running = opened(own, store)
    assert running.propose([FACTS])[0].rung is Rung.MODEL
    assert opened(own, store, running) is running
    activate_copy(own, "again")
    fresh = opened(own, store, running)
    assert fresh is not running
    assert fresh.propose([FACTS])[0].rung is Rung.MODEL, "what another version wrote is not used"


def test_strategies_are_known_after_a_restart(own: World, store: Store) -> None:
    first = opened(own, store).propose([FACTS])[0]
    again = opened(own, store).propose([FACTS])[0]
    assert (first.rung, again.rung) == (Rung.MODEL, Rung.CACHED)
    assert first.written == again.written


def test_a_strategist_of_another_prompt_is_refused(own: World, store: Store) -> None:
    with pytest.raises(RegistryError, match="was trained on prompt"):
        opened(own, store, prompt_version=1)
    assert opened(own, store, prompt_version=1, language_model=False).state == "off"


def test_merchants_with_the_same_strategist_share_its_writer(own: World, store: Store) -> None:
    writers, registry = BackgroundWriters(), registry_of(own)
    prompt = opened(own, store).prompt
    one, two = (writers.writer(registry, prompt) for _ in range(2))
    assert one is two
    activate_copy(own, "again")
    assert writers.writer(registry, prompt) is not one


def test_a_service_switches_to_another_strategist_and_forgets_what_the_old_one_wrote(own: World) -> None:
    service = own.service()
    try:
        request = {"shopper": {"id": own.shopper}, "product": {"id": own.bought}}
        assert [ask(service, **request).rung for _ in range(2)] == [Rung.MODEL, Rung.CACHED]
        activate_copy(own, "again")
        assert service.reload() is not None
        assert ask(service, **request).rung is Rung.MODEL
        service.follow()
        assert ask(service, **request).rung is Rung.CACHED
    finally:
        service.close()


def test_what_one_process_wrote_another_knows_after_following(own: World) -> None:
    request = {"shopper": {"id": own.shopper}, "product": {"id": own.bought}}
    here, there = own.service(), own.service()
    try:
        ask(here, **request)
        there.follow()
        assert ask(there, **request).rung is Rung.CACHED
    finally:
        here.close()
        there.close()


def test_a_server_quotes_at_once_writes_beside_quotes_and_never_loads_torch(own: World) -> None:
    command = [sys.executable, "-m", "tests.agent.service.strategies.serving_process"]
    done = subprocess.run(  # noqa: S603 - our own command
        [*command, str(own.folder), own.shopper, own.bought], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["first"], found["written"], found["then"]) == ("numeric", True, "cached")
    assert found["checks"]["language_model"] == "ok"
    assert not found["torch"]
    assert (found["nice"], found["left"]) == ([19], 0)
