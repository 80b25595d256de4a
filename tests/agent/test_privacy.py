"""A shopper's data over HTTP: exported whole, erased without a trace on disk or in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from pydantic import SecretStr

from agent.api.app import create_app
from agent.api.context import CONTEXT
from agent.asgi import open_everything
from tests.prepared import World

KEY = "test-key-of-enough-letters"
MARK = "zzqxjkw"  # begins every planted word, and is too long to stand in an index by chance
SHOPPER = f"{MARK}shopper17"
PROFILE = {"hobby": f"{MARK}falconry", "city": f"{MARK}ville"}
QUERY = f"{MARK}hunting gloves"


@dataclass
class Planted:
    """A server on a world of its own, and what was told it of one shopper."""

    client: TestClient[Litestar]
    folder: Path
    quote_id: str


@contextmanager
def serving(world: World) -> Iterator[TestClient[Litestar]]:
    settings = world.settings(bootstrap_key=SecretStr(KEY), language_model=False)
    with TestClient(create_app(settings, open_everything)) as client:
        client.headers["Authorization"] = f"Bearer {KEY}"
        yield client


def quote(client: TestClient[Litestar], product: str, **shopper: Any) -> dict[str, Any]:
    body = {
        "shopper": shopper,
        "product": {"id": product, "cost": {"amount_minor": 50, "currency": "USD"}},
        "events": [{"type": "search", "text": QUERY}],
    }
    answer = client.post("/v1/quotes", json=body, headers={"Idempotency-Key": f"k-{product}"})
    assert answer.status_code == 200, answer.text
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
        assert reported.status_code == 200
        yield Planted(client, own.folder, made["id"])


def test_an_export_holds_every_row(planted: Planted) -> None:
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


def test_the_price_and_the_sale_stay_nobodys(planted: Planted) -> None:
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
        service = client.app.state[CONTEXT].opened.service
        learned = service._parts.learner
        names = set(learned.effects.names)
        made = quote(client, own.never_bought, id=SHOPPER, profile=PROFILE)
        client.post("/v1/outcomes", json={"quote_id": made["id"], "type": "purchased"})
        assert any(MARK in name for name in learned.effects.names)
        client.delete(f"/v1/shoppers/{SHOPPER}")
        assert set(learned.effects.names) == names
        assert learned.effects.lessons == 1


def test_consent_that_was_withdrawn_holds_for_the_next_quote(planted: Planted, world: World) -> None:
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


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_shop_frontends_key_reads_and_erases_nobody(planted: Planted, method: str) -> None:
    answer = planted.client.request(method, "/v1/shoppers/1", headers={"Authorization": "Bearer wrong-key"}, json={})
    assert answer.status_code == 401
