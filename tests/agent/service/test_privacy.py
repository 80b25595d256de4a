"""A shopper's data over HTTP: completely exported, erased without a trace on disk or in memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from pydantic import SecretStr
from sqlalchemy import func, select

from agent.api.app import create_app
from agent.api.context import CONTEXT
from agent.pricing.effect_terms import _scaled
from agent.store.tables import DECISIONS
from tests.prepared import World, open_all

KEY = "test-key-of-enough-letters"
MARK = "zzqxjkw"  # begins every planted word, and is too long to stand in an index by chance
SHOPPER = f"{MARK}shopper17"
PROFILE = {"hobby": f"{MARK}falconry", "city": f"{MARK}ville"}
QUERY = f"{MARK}hunting gloves"


@dataclass
class Planted:
    """A server with a world of its own, and the personal data of one shopper that it received."""

    client: TestClient[Litestar]
    folder: Path
    quote_id: str


@contextmanager
def serving(world: World, **changes: object) -> Iterator[TestClient[Litestar]]:
    settings = world.settings(bootstrap_key=SecretStr(KEY), language_model=False, **changes)
    with TestClient(create_app(settings, open_all)) as client:
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield client


def quote(client: TestClient[Litestar], product: str, **shopper: Any) -> dict[str, Any]:
    body = {
        "shopper": shopper,
        "product": {"id": product, "cost": {"amount_minor": 50, "currency": "USD"}},
        "events": [{"type": "search", "text": QUERY}],
    }
    answer = client.post("/v1/quotes", json=body, headers={"Idempotency-Key": f"k-{product}"})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def traces(folder: Path) -> list[str]:
    """Files in which a planted word is left."""
    files = [path for path in folder.rglob("*") if path.is_file() and "models" not in path.parts]
    return [str(path.relative_to(folder)) for path in files if MARK.encode() in path.read_bytes().lower()]


@pytest.fixture
def planted(world: World, tmp_path: Path) -> Iterator[Planted]:
    own = world.copy(tmp_path / "data")
    with serving(own) as client:
        assert client.put(f"/v1/shoppers/{SHOPPER}", json={"profile": PROFILE}).status_code == 200
        event = {"shopper_id": SHOPPER, "type": "search", "text": QUERY}
        assert client.post("/v1/events", json=[event]).status_code == 200
        made = quote(client, own.bought, id=SHOPPER, profile=PROFILE)
        reported = client.post("/v1/outcomes", json={"quote_id": made["id"], "type": "purchased"})
        assert reported.status_code == 201
        yield Planted(client, own.folder, made["id"])


def test_an_export_has_every_row(planted: Planted) -> None:
    told = planted.client.get(f"/v1/shoppers/{SHOPPER}").json()
    assert told["profile"] == PROFILE
    assert [event["type"] for event in told["events"]] == ["search", "purchase"]
    (decision,) = told["decisions"]
    assert decision["quote"]["id"] == planted.quote_id
    assert decision["request"]["shopper"]["profile"] == PROFILE
    (outcome,) = told["outcomes"]
    assert (outcome["quote_id"], outcome["type"]) == (planted.quote_id, "purchased")
    assert sum(told["inferred"]["purchases_by_category"].values()) == 1
    assert "hunting gloves" in told["inferred"]["behaviour"]


def test_nothing_of_an_erased_shopper_is_left_on_disk(planted: Planted, world: World) -> None:
    assert traces(planted.folder), "the test must be able to fail"
    erased = planted.client.delete(f"/v1/shoppers/{SHOPPER}").json()
    assert erased == {"profile": 1, "events": 2, "decisions": 1, "outcomes": 1, "answers": 1}
    assert traces(planted.folder) == []
    planted.client.__exit__(None, None, None)
    assert traces(planted.folder) == []


def test_price_and_sale_stay_without_the_shopper(planted: Planted) -> None:
    before = planted.client.get(f"/v1/quotes/{planted.quote_id}").json()
    planted.client.delete(f"/v1/shoppers/{SHOPPER}")
    after = planted.client.get(f"/v1/quotes/{planted.quote_id}").json()
    assert after["price"] == before["price"]
    assert after["candidates"] == before["candidates"]
    assert after["token"] == ""
    assert [outcome["type"] for outcome in after["outcomes"]] == ["purchased"]
    assert MARK not in str(after)


def test_an_erased_shopper_is_a_stranger_again(planted: Planted, world: World) -> None:
    planted.client.delete(f"/v1/shoppers/{SHOPPER}")
    assert planted.client.get(f"/v1/shoppers/{SHOPPER}").status_code == 404
    again = planted.client.delete(f"/v1/shoppers/{SHOPPER}")
    assert (again.status_code, set(again.json().values())) == (200, {0})


def test_what_an_erased_outcome_taught_is_unlearned(world: World, tmp_path: Path) -> None:
    own = world.copy(tmp_path / "data")
    with serving(own) as client:
        stranger = {"id": "other-shopper"}
        first = quote(client, own.bought, **stranger)
        client.post("/v1/outcomes", json={"quote_id": first["id"], "type": "declined"})
        service = client.app.state[CONTEXT].resources.service
        learned = service._parts.learner
        names = set(learned.effects.names)
        made = quote(client, own.never_bought, id=SHOPPER, profile=PROFILE)
        client.post("/v1/outcomes", json={"quote_id": made["id"], "type": "purchased"})
        assert any(MARK in name for name in learned.effects.names)
        client.delete(f"/v1/shoppers/{SHOPPER}")
        assert set(learned.effects.names) == names
        assert learned.effects.lessons == 1


def test_withdrawn_consent_applies_to_the_next_quote(planted: Planted, world: World) -> None:
    personal = quote(planted.client, world.never_bought, id=SHOPPER)
    assert personal["personalised"]
    planted.client.put(f"/v1/shoppers/{SHOPPER}", json={"personalisation": "off"})
    body = {
        "shopper": {"id": SHOPPER},
        "product": {"id": world.bought, "cost": {"amount_minor": 50, "currency": "USD"}},
    }
    plain = planted.client.post("/v1/quotes", json=body).json()
    assert not plain["personalised"]
    assert plain["price"]["amount_minor"] == plain["reference_price"]["amount_minor"]


def test_every_path_that_received_personal_data_is_erased(planted: Planted) -> None:
    client = planted.client
    who = {"id": SHOPPER, "profile": PROFILE}
    ranked = {"shopper": who, "events": [{"type": "search", "text": QUERY}], "limit": 3}
    for path, body in (
        ("/v1/recommendations", ranked),
        ("/v1/quotes/batch", {"shopper": who, "items": [{"product": {"id": "no-such-product"}}]}),
        (f"/v1/quotes/{planted.quote_id}/explanations", {"question": "why this price?"}),
        ("/v1/questions", {"question": "who pays above the reference price?"}),
        ("/v1/quotes", {"shopper": who}),
    ):
        client.post(path, json=body, headers={"Idempotency-Key": f"{SHOPPER}-{path}"})
    assert len(traces(planted.folder)) > 0
    client.delete(f"/v1/shoppers/{SHOPPER}")
    assert traces(planted.folder) == []
    service = client.app.state[CONTEXT].resources.service
    assert _scaled.cache_info().currsize == 0
    assert service._parts.pipeline.observer.reader._encoder._known._entries == {}
    assert SHOPPER not in service._parts.shoppers._known
    client.__exit__(None, None, None)
    assert traces(planted.folder) == []


def test_the_answers_of_others_outlive_an_erasure(planted: Planted, world: World) -> None:
    kept = {"Idempotency-Key": "k-other"}
    body = [{"shopper_id": "1", "type": "view", "product_id": world.bought}]
    first = planted.client.post("/v1/events", json=body, headers=kept).json()
    planted.client.delete(f"/v1/shoppers/{SHOPPER}")
    planted.client.delete("/v1/shoppers/2")  # a short id that is in many answers, but names nobody there
    again = planted.client.post("/v1/events", json=body, headers=kept)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert again.json() == first


def test_data_past_its_retention_is_erased_and_the_rest_stays(planted: Planted) -> None:
    service = planted.client.app.state[CONTEXT].resources.service
    old = service.purge(datetime.now(UTC) - timedelta(days=1))
    assert old.decisions == 0
    assert len(planted.client.get(f"/v1/shoppers/{SHOPPER}").json()["outcomes"]) == 1
    with planted.client.app.state[CONTEXT].resources.store._db.read() as connection:
        kept = select(func.count()).select_from(DECISIONS).where(DECISIONS.c.personal.is_not(None))
        made = connection.execute(kept).scalar_one()
    gone = service.purge(datetime.now(UTC) + timedelta(seconds=1))
    assert (gone.decisions, gone.profile) == (made, 0)
    assert gone.outcomes >= 1
    assert service._parts.learner.effects.lessons == 0
    told = planted.client.get(f"/v1/shoppers/{SHOPPER}").json()
    assert told["profile"] == PROFILE
    assert (told["decisions"], told["outcomes"]) == ([], [])
    assert all(row.shopper_id != SHOPPER for row in service._parts.outcomes.memory._rows.values())


def test_a_server_with_a_retention_purges_by_itself(world: World, tmp_path: Path) -> None:
    own = world.copy(tmp_path / "data")
    ago = datetime.now(UTC) - timedelta(days=40)
    with serving(own) as client:
        made = quote(client, own.bought, id=SHOPPER, profile=PROFILE)
        store = client.app.state[CONTEXT].resources.store
        store.record_decisions([replace(store.decision(made["id"]), id=str(UUID(int=7)), at=ago)])
    with serving(own, retention_days=30) as client:
        store = client.app.state[CONTEXT].resources.store
        deadline = time.monotonic() + 30
        while store.decision(str(UUID(int=7))).shopper_id is not None and time.monotonic() < deadline:
            time.sleep(0.1)
        assert store.decision(str(UUID(int=7))).shopper_id is None
        assert store.decision(made["id"]).shopper_id == SHOPPER


def test_no_log_line_contains_personal_data(
    planted: Planted, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, service = planted.client, planted.client.app.state[CONTEXT].resources.service
    capfd.readouterr()
    who = {"id": SHOPPER, "profile": PROFILE}
    client.post("/v1/quotes", json={"shopper": who, "product": {"id": "no-such"}})
    client.post("/v1/quotes", json={"shopper": {**who, MARK: MARK}, "product": {"id": "1"}})
    client.post("/v1/quotes", content=f'{{"{MARK}": '.encode())
    client.get(f"/v1/shoppers/{SHOPPER}?{MARK}={MARK}")
    client.get(f"/{MARK}/{SHOPPER}")
    client.get(f"/v1/quotes/{MARK}")
    client.post("/v1/events", json=[{"shopper_id": SHOPPER, "type": "search", "text": QUERY}])
    client.post("/v1/questions", json={"question": f"what did {SHOPPER} pay?"}, headers={"Authorization": MARK})

    def broken(*_args: object) -> None:
        raise RuntimeError(f"cannot price {SHOPPER}") from ValueError(MARK)

    monkeypatch.setattr(service, "shopper", broken)
    assert client.get(f"/v1/shoppers/{SHOPPER}").status_code == 500
    client.delete(f"/v1/shoppers/{SHOPPER}")
    out, err = capfd.readouterr()
    assert out.count('"event": "request"') >= 10, "or the test reads no log"
    assert "unexpected error" in out
    assert MARK not in (out + err).lower()


@pytest.mark.parametrize("place", ["", "EU", "CN"])
def test_an_opt_out_in_the_request_overrides_stored_consent(planted: Planted, world: World, place: str) -> None:
    body = {
        "shopper": {"id": SHOPPER, "profile": PROFILE, "personalisation": "off"},
        "product": {"id": world.bought, "cost": {"amount_minor": 50, "currency": "USD"}},
        "events": [{"type": "search", "text": QUERY}],
        "context": {"jurisdiction": place},
    }
    plain = planted.client.post("/v1/quotes", json=body).json()
    assert plain["price"] == plain["reference_price"]
    assert (plain["personalised"], plain["disclosure"]["inputs_used"]) == (False, [])
    kept = planted.client.app.state[CONTEXT].resources.store.request_of(plain["id"])
    assert MARK not in str({**kept, "shopper": {**kept["shopper"], "id": ""}}), (
        "what may not be used is not kept either"
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_shop_frontends_key_reads_and_erases_nobody(planted: Planted, method: str) -> None:
    answer = planted.client.request(method, "/v1/shoppers/1", headers={"Authorization": "Bearer wrong-key"}, json={})
    assert answer.status_code == 401
