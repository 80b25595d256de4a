"""The whole check-up on a prepared folder, and on the same folder broken in one place at a time."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.service.doctor.checkup import check_up
from agent.service.doctor.finding import Finding, Level
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store.data_folder import DataFolder
from tests.agent.store.builders import product
from tests.prepared import World

KEY = "a-key-of-enough-letters"


@pytest.fixture(scope="module")
def prepared(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("doctor") / "data")


@pytest.fixture
def settings(prepared: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Of the prepared folder, whose database, keys and indexes are brought back after the test."""
    folder = DataFolder(prepared.folder)
    kept = prepared.folder.parent / "kept"
    shutil.copytree(prepared.folder, kept, ignore=shutil.ignore_patterns("models"))
    monkeypatch.setenv("PRICESMITH_BOOTSTRAP_KEY", KEY)
    yield Settings(data_dir=prepared.folder, port=9)  # RFC 863: nothing listens there
    for path in prepared.folder.iterdir():
        if path != folder.models:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(kept, prepared.folder, dirs_exist_ok=True)
    shutil.rmtree(kept)


def found(settings: Settings) -> dict[str, Finding]:
    return {one.check: one for one in check_up(settings, {}, lambda _what, _share: None)}


def test_a_prepared_folder_has_no_problems(settings: Settings) -> None:
    findings = found(settings)
    machine = ("processor", "memory", "disk")  # not the folder's
    wrong = [one for one in findings.values() if one.level is not Level.OK and one.check not in machine]
    assert wrong == []
    assert {"settings", *machine, "model encoder", "database", "product index", "outcome index", "port"} <= set(
        findings
    )


def test_products_that_are_not_in_the_index_are_counted(settings: Settings) -> None:
    with open_store(settings) as store:
        store.upsert_products([product(product_id="new-1"), product(product_id="new-2")])
    finding = found(settings)["product index"]
    assert finding.level is Level.WARNING
    assert finding.detail.startswith("2 of ")


@pytest.mark.parametrize("name", ["products", "outcomes"])
def test_a_missing_snapshot_is_a_warning(name: str, settings: Settings) -> None:
    shutil.rmtree(settings.data_dir / "indexes" / name)
    finding = found(settings)[f"{name.removesuffix('s')} index"]
    assert finding.level is Level.WARNING
    assert "no snapshot" in finding.detail
    assert "pricesmith prepare" in finding.remedy


def test_a_damaged_snapshot_is_a_warning(settings: Settings) -> None:
    folder = DataFolder(settings.data_dir).product_index
    largest = max((path for path in folder.rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1])
    assert found(settings)["product index"].level is Level.WARNING


def test_a_missing_database_leaves_the_other_checks(settings: Settings) -> None:
    for path in settings.data_dir.glob("pricesmith.db*"):
        path.unlink()
    findings = found(settings)
    assert findings["database"].level is Level.PROBLEM
    assert "product index" not in findings
    assert findings["API keys"].level is Level.OK
    assert findings["port"].level is Level.OK


def test_a_name_that_is_no_merchant_s_is_a_problem(settings: Settings) -> None:
    findings = found(settings.model_copy(update={"merchant": "No Such"}))
    assert findings["merchant"].level is Level.PROBLEM


def test_another_merchant_s_data_is_checked_with_the_default_merchant_s_keys(settings: Settings) -> None:
    findings = found(settings.model_copy(update={"merchant": "shop2"}))
    assert "merchants/shop2" in findings["database"].detail
    assert findings["API keys"].level is Level.OK


def test_an_unknown_prompt_is_a_problem(settings: Settings) -> None:
    findings = found(settings.model_copy(update={"prompt_version": 999}))
    assert findings["prompt"].level is Level.PROBLEM
    assert "pricesmith prompts list" in findings["prompt"].remedy


def test_nothing_is_written(settings: Settings, tmp_path: Path) -> None:
    before = listing(settings.data_dir)
    found(settings)
    assert listing(settings.data_dir) == before
    found(settings.model_copy(update={"data_dir": tmp_path / "none"}))
    assert list(tmp_path.iterdir()) == []


def listing(folder: Path) -> dict[str, int]:
    """Files and their times of change; what SQLite keeps beside its file while it is open is gone by then."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.endswith(("-wal", "-shm"))
    }
