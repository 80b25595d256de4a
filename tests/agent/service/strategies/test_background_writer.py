import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from agent.domain.clock import FixedClock
from agent.service.strategies.background_writer import BackgroundWriter, WriterLimits
from agent.service.strategies.messages import Start
from agent.state.known_strategies import KnownStrategies
from agent.store import Store
from agent.store.folder_lock import FolderLock
from models.strategist.facts import StrategistFacts

FACTS = StrategistFacts("bread", 0.2, (1.4, 1.2, 0.8), may_rise=False, cost_ratio=0.5)
CLOCK = FixedClock(datetime(2026, 3, 1, 12, tzinfo=UTC))
SOON_S = 30.0
LIMITS = WriterLimits(retry_s=0.05)


@pytest.fixture
def memory(sqlite_url: str) -> Iterator[KnownStrategies]:
    with Store.open(sqlite_url, CLOCK) as store:
        yield KnownStrategies("v1", store, CLOCK)


@contextmanager
def writing(
    folder: Path,
    do: str,
    memory: KnownStrategies,
    limits: WriterLimits = LIMITS,
    turn: FolderLock | None = None,
) -> Iterator[BackgroundWriter]:
    command = (sys.executable, "-m", "tests.agent.service.strategies.scripted_worker", do)
    start = Start(folder=folder / "strategist", version="v1", prompt_version=2)
    writer = BackgroundWriter(start, limits, command, turn)
    yield writer
    began = time.monotonic()
    writer.leave(memory)
    assert time.monotonic() - began < 5
    assert writer.process_id is None


def asked(count: int) -> dict[str, StrategistFacts]:
    return {str(number): replace(FACTS, quantity=1 + number) for number in range(count)}


def eventually(is_so: object, within_s: float = SOON_S) -> None:
    assert callable(is_so)
    end = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_situations_are_written_and_known_also_after_a_restart(tmp_path: Path, memory: KnownStrategies) -> None:
    with writing(tmp_path, "write", memory) as writer:
        writer.ask(memory, asked(40))
        assert writer.drain(SOON_S)
        assert writer.trouble is None
        assert None not in memory.find(list(asked(40)))
    fresh = KnownStrategies("v1", memory._store, CLOCK)
    fresh.follow()
    assert None not in fresh.find(list(asked(40)))


def test_asking_does_not_wait_and_the_newest_are_kept(tmp_path: Path, memory: KnownStrategies) -> None:
    with writing(tmp_path, "slow", memory, replace(LIMITS, waiting=20)) as writer:
        writer.ask(memory, {"first": FACTS})
        eventually(lambda: writer._writing)
        began = time.monotonic()
        for _ in range(3):
            writer.ask(memory, asked(100))
        assert time.monotonic() - began < 1
        assert [key for _, key in writer._waiting] == [str(number) for number in range(80, 100)]
        assert not writer.drain(0.05)


@pytest.mark.parametrize(
    ("do", "why"),
    [("fail", "generation failed: RuntimeError"), ("babble", "its answer is malformed"), ("exit", "it ended")],
)
def test_trouble_is_told_and_leaves_situations_unknown(
    tmp_path: Path, memory: KnownStrategies, do: str, why: str
) -> None:
    with writing(tmp_path, do, memory) as writer:
        if do == "exit":
            writer._command = (sys.executable, "-c", "raise SystemExit(3)")
        writer.ask(memory, asked(1))
        eventually(lambda: writer.trouble)
        assert why in str(writer.trouble)
        assert memory.find(["0"]) == [None]
        assert not writer.drain(SOON_S)


def test_a_process_that_died_is_started_again_for_the_next_situation(tmp_path: Path, memory: KnownStrategies) -> None:
    with writing(tmp_path, "die once", memory) as writer:
        writer.ask(memory, asked(1))
        eventually(lambda: writer.trouble)
        assert "signal 9" in str(writer.trouble)
        writer.ask(memory, asked(1))
        eventually(lambda: memory.find(["0"]) != [None])
        assert writer.drain(SOON_S)
        assert writer.trouble is None


def test_an_idle_process_ends_and_a_new_one_starts_when_needed(tmp_path: Path, memory: KnownStrategies) -> None:
    with writing(tmp_path, "write", memory, replace(LIMITS, idle_s=0.1)) as writer:
        for number in range(2):
            writer.ask(memory, {str(number): FACTS})
            assert writer.drain(SOON_S)
            eventually(lambda: writer.process_id is None)


def test_the_process_ends_when_the_last_memory_leaves(tmp_path: Path, memory: KnownStrategies) -> None:
    other = KnownStrategies("v1", memory._store, CLOCK)
    with writing(tmp_path, "write", memory) as writer:
        writer.ask(other, asked(1))
        writer.ask(memory, asked(1))
        assert writer.drain(SOON_S)
        process = psutil.Process(writer.process_id)
        writer.leave(other)
        assert process.is_running()
    assert not process.is_running()


def test_a_writer_that_ended_serves_again(tmp_path: Path, memory: KnownStrategies) -> None:
    with writing(tmp_path, "write", memory) as writer:
        for number in range(2):
            writer.ask(memory, {str(number): FACTS})
            assert writer.drain(SOON_S)
            writer.leave(memory)


def test_servers_of_one_machine_write_in_turns(tmp_path: Path, memory: KnownStrategies) -> None:
    limits = replace(LIMITS, turn_idle_s=0.1)
    one, two = FolderLock(tmp_path / "turn"), FolderLock(tmp_path / "turn")
    assert two.take()
    with writing(tmp_path, "write", memory, limits, one) as writer:
        writer.ask(memory, asked(3))
        assert not writer.drain(1.0) and writer.process_id is None
        two.release()
        assert writer.drain(SOON_S)
        eventually(two.take)  # once nothing was asked for a while
        assert None not in memory.find(list(asked(3)))
