import json
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app
from tests.agent.api.scripted import ADMIN
from tests.prepared import World, open_all

HEADERS = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def client(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Litestar]]:
    own = world.copy(tmp_path_factory.mktemp("explanations") / "data")
    with TestClient(create_app(own.settings(bootstrap_key=ADMIN), open_all)) as running:
        yield running


@pytest.fixture(scope="module")
def quote_id(client: TestClient[Litestar], world: World) -> str:
    body = {"shopper": {"id": world.shopper}, "product": {"id": world.bought}}
    return str(client.post("/v1/quotes", json=body, headers=HEADERS).json()["id"])


def post(client: TestClient[Litestar], path: str, body: Any) -> Any:
    return client.post(path, content=json.dumps(body), headers=HEADERS)


def test_an_explanation_has_the_fields_of_the_contract(client: TestClient[Litestar], quote_id: str) -> None:
    answer = post(client, f"/v1/quotes/{quote_id}/explanations", {}).json()
    assert set(answer) == {"answer", "kind", "language", "source", "evidence", "checks"}
    assert (answer["kind"], answer["language"], answer["source"]) == ("why_price", "en", "deterministic")
    assert answer["checks"]["passed"]
    assert {"fact", "value"} <= set(answer["evidence"][0])


def test_a_stream_ends_with_the_same_complete_answer(client: TestClient[Litestar], quote_id: str) -> None:
    path = f"/v1/quotes/{quote_id}/explanations"
    whole = post(client, path, {"question": "为什么是这个价格？"}).json()
    stream = post(client, path, {"question": "为什么是这个价格？", "stream": True})
    assert stream.headers["content-type"].startswith("text/event-stream")
    events = [dict(line.split(": ", 1) for line in part.splitlines()) for part in stream.text.split("\r\n\r\n") if part]
    assert events[-1]["event"] == "done"
    assert json.loads(events[-1]["data"])["answer"] == whole["answer"]
    assert "".join(json.loads(event["data"]) for event in events[:-1]) == whole["answer"]


def test_questions_about_many_quotes_are_for_merchants(client: TestClient[Litestar]) -> None:
    asked = {"question": "Which products hit the floor?"}
    assert post(client, "/v1/questions", asked).json()["kind"] == "floor_products"
    assert post(client, "/v1/questions", {**asked, "audience": "shopper"}).status_code == 422


@pytest.mark.parametrize(
    ("body", "status"), [({"language": "fr"}, 422), ({"question": ""}, 422), ({"more": 1}, 422), ({"stream": 1}, 422)]
)
def test_bad_questions_name_their_field(
    client: TestClient[Litestar], quote_id: str, body: dict[str, Any], status: int
) -> None:
    answer = post(client, f"/v1/quotes/{quote_id}/explanations", body)
    assert answer.status_code == status
    assert answer.json()["errors"][0]["field"] == next(iter(body))


def test_an_unknown_quote_is_not_found(client: TestClient[Litestar]) -> None:
    assert post(client, "/v1/quotes/no-such/explanations", {}).status_code == 404
    assert post(client, "/v1/quotes/no-such/explanations", {"stream": True}).status_code == 404
