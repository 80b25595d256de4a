from pathlib import Path

import pytest

from agent.service.doctor.finding import Level
from agent.service.doctor.machine import (
    GIB,
    Processor,
    check_disk,
    check_memory,
    check_processor,
    this_memory,
    this_processor,
)

FAST = frozenset(("avx2", "f16c", "avx512f", "avx512_bf16", "amx_bf16", "sse4_2"))


@pytest.mark.parametrize(
    ("found", "threads", "level", "said"),
    [
        (
            Processor("x86_64", 4, FAST),
            2,
            Level.OK,
            "4 cores, instructions: avx2, f16c, avx512f, avx512_bf16, amx_bf16",
        ),
        (Processor("x86_64", 4, frozenset(("avx2",))), 2, Level.OK, "no bfloat16"),
        (Processor("aarch64", 4, frozenset(("asimd", "bf16"))), 2, Level.OK, "instructions: asimd, bf16"),
        (Processor("x86_64", 4, frozenset(("sse4_2",))), 2, Level.WARNING, "without avx2 quotes are slow"),
        (Processor("x86_64", 1, FAST), 2, Level.WARNING, "a model call uses 2 threads"),
        (Processor("riscv64", 4, frozenset()), 2, Level.OK, "instructions: none known"),
    ],
    ids=["fast", "no bfloat16", "ARM", "old", "too few cores", "unknown"],
)
def test_a_processor_is_judged_by_its_instructions_and_cores(
    found: Processor, threads: int, level: Level, said: str
) -> None:
    finding = check_processor(found, threads)
    assert finding.level is level
    assert said in finding.detail
    assert bool(finding.remedy) is (level is not Level.OK)


def test_this_machine_s_processor_has_cores() -> None:
    assert this_processor().cores >= 1
    assert this_processor().machine


@pytest.mark.parametrize(
    ("total", "available", "serving", "level"),
    [
        (8 * GIB, 4 * GIB, False, Level.OK),
        (8 * GIB, GIB, False, Level.WARNING),
        (8 * GIB, GIB, True, Level.OK),
        (GIB, GIB, False, Level.PROBLEM),
    ],
    ids=["enough", "taken by others", "taken by the server itself", "too small"],
)
def test_memory_must_hold_a_server(total: int, available: int, serving: bool, level: Level) -> None:
    assert check_memory(total, available, serving=serving).level is level


def test_this_machine_s_memory_is_more_than_nothing() -> None:
    total, available = this_memory()
    assert 0 < available <= total


def test_a_folder_that_is_not_there_yet_is_judged_by_where_it_will_lie(tmp_path: Path) -> None:
    finding = check_disk(tmp_path / "a" / "b", prepared=True)
    assert finding.level is Level.OK
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")
    finding = check_disk(tmp_path / "data", prepared=False)
    assert (finding.level, finding.detail) == (Level.PROBLEM, f"{tmp_path / 'data'} is no folder")
    assert "PRICESMITH_DATA_DIR" in finding.remedy


def test_a_folder_that_cannot_be_written_to_is_a_problem() -> None:
    finding = check_disk(Path("/proc/pricesmith"), prepared=False)
    assert finding.level is Level.PROBLEM
    assert "/proc cannot be written to" in finding.detail


@pytest.mark.parametrize(
    ("free", "prepared", "level"),
    [
        (GIB // 4, True, Level.PROBLEM),
        (GIB, True, Level.OK),
        (GIB, False, Level.WARNING),
        (4 * GIB, False, Level.OK),
    ],
    ids=["nearly full", "prepared", "too little to prepare", "enough to prepare"],
)
def test_disk_must_hold_what_is_still_to_come(
    free: int, prepared: bool, level: Level, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: type("Usage", (), {"free": free}))
    assert check_disk(tmp_path, prepared=prepared).level is level
