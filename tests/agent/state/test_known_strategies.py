from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from agent.domain.clock import FixedClock
from agent.state.known_strategies import KnownStrategies
from agent.store import Store
from models.strategist.proposals import Written
from models.strategist.strategy import Anchor, Lever, Strategy

CLOCK = FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    with Store.open(sqlite_url, CLOCK) as opened:
        yield opened


def written(move: int) -> tuple[Written, ...]:
    return (Written(Strategy(Lever.DISCOUNT, Anchor.REFERENCE, move), -0.5),)


def known(store: Store, made_with: str = "v1", capacity: int = 100) -> KnownStrategies:
    found = KnownStrategies(made_with, store, CLOCK, capacity)
    found.follow()
    return found


def test_strategies_are_known_after_a_restart_and_to_other_processes(store: Store) -> None:
    here, there = known(store), known(store)
    here.add({"a": written(-5)})
    assert there.find(["a"]) == [None]
    there.follow()
    assert there.find(["a", "b"]) == known(store).find(["a", "b"]) == [written(-5), None]


def test_strategies_of_another_model_version_are_not_used(store: Store) -> None:
    known(store).add({"a": written(-5)})
    assert known(store, "v2").find(["a"]) == [None]


def test_the_situations_used_last_stay_known(store: Store) -> None:
    memory = known(store, capacity=2)
    memory.add({"often": written(-5)})
    for other in "abc":
        memory.find(["often"])
        memory.add({other: written(-7)})
    assert memory.find(["often", "a", "b", "c"]) == [written(-5), None, None, written(-7)]


def test_what_another_release_stored_is_written_again(store: Store) -> None:
    store.keep_strategies("v1", {"a": '[["bribe", "reference", 0, "exact", -1.0]]', "b": "no json"}, CLOCK.now())
    assert known(store).find(["a", "b"]) == [None, None]


def test_a_store_that_fails_keeps_nothing_but_memory_does(store: Store) -> None:
    memory = known(store)
    memory.close()
    memory.add({"a": written(-5)})
    assert memory.find(["a"]) == [written(-5)]
    assert known(store).find(["a"]) == [None]
