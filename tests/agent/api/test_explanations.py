import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app
from tests.prepared import World, open_all

KEY = "bootstrap-key-for-tests"
HEADERS = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture(scope="module")
def client(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Litestar]]:
    own = world.copy(tmp_path_factory.mktemp("explain") / "data")
    with TestClient(create_app(own.settings(bootstrap_key=KEY), open_all)) as running:
        yield running


@pytest.fixture(scope="module")
def quote_id(client: TestClient[Litestar], world: World) -> str:
    body = {"shopper": {"id": world.shopper}, "product": {"id": world.bought}, "context": {"inventory": 40}}
    return str(client.post("/v1/quotes", json=body, headers=HEADERS).json()["id"])


def asked(client: TestClient[Litestar], path: str, **question: Any) -> dict[str, Any]:
    answer = client.post(path, json=question, headers=HEADERS)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found["answer"]
    assert found["checks"]["passed"], found
    return found


def about(client: TestClient[Litestar], quote_id: str, **question: Any) -> dict[str, Any]:
    return asked(client, f"/v1/quotes/{quote_id}/explanations", **question)


def test_why_this_price_is_answered_with_its_evidence(client: TestClient[Litestar], quote_id: str) -> None:
    found = about(client, quote_id)
    assert found["kind"] == "why_price"
    assert found["language"] == "en"
    assert found["source"] in {"model", "deterministic"}
    assert found["checks"]["numbers"] > 0
    price = client.get(f"/v1/quotes/{quote_id}", headers=HEADERS).json()["price"]["amount_minor"] / 100
    assert f"{price:.2f}" in found["answer"]


def test_a_chinese_question_gets_a_chinese_answer(client: TestClient[Litestar], quote_id: str) -> None:
    found = about(client, quote_id, question="为什么是这个价格？")
    assert found["language"] == "zh"
    assert len(re.findall(r"[\u4e00-\u9fff]", found["answer"])) > 10


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("What would the price be if we had only 3 units in stock?", "what_if_stock"),
        ("What if a competitor sold it for half the price?", "what_if_competitor"),
        ("How sure are you about this price?", "confidence"),
        ("Is this price personalised, and on which data?", "personalised"),
        ("What is the capital of France?", "none"),
    ],
)
def test_questions_are_understood_and_answered(
    client: TestClient[Litestar], quote_id: str, question: str, kind: str
) -> None:
    assert about(client, quote_id, question=question)["kind"] == kind


def test_a_what_if_records_nothing(client: TestClient[Litestar], quote_id: str) -> None:
    before = client.get(f"/v1/quotes/{quote_id}", headers=HEADERS).json()
    about(client, quote_id, question="What if stock were 2?")
    assert client.get(f"/v1/quotes/{quote_id}", headers=HEADERS).json() == before


def test_a_shopper_learns_which_data_was_used_and_not_what_it_cost(client: TestClient[Litestar], quote_id: str) -> None:
    found = about(client, quote_id, audience="shopper")
    told = (found["answer"] + str(found["evidence"])).lower()
    assert not any(word in told for word in ("cost", "margin", "profit"))


def test_questions_about_many_quotes_are_answered_from_the_log(client: TestClient[Litestar]) -> None:
    found = asked(client, "/v1/questions", question="Who pays above the reference price?")
    assert found["kind"] == "above_reference"


def test_a_stream_ends_with_the_complete_answer(client: TestClient[Litestar], quote_id: str) -> None:
    answer = client.post(f"/v1/quotes/{quote_id}/explanations", json={"stream": True}, headers=HEADERS)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert "event: done" in answer.text


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/quotes/no-such/explanations", {}, 404),
        ("/v1/quotes/no-such/explanations", {"language": "xx"}, 422),
        ("/v1/questions", {"question": "x", "audience": "shopper"}, 422),
    ],
    ids=["unknown quote", "unknown language", "a shopper's question about others"],
)
def test_bad_questions_are_refused(client: TestClient[Litestar], path: str, body: dict[str, Any], status: int) -> None:
    assert client.post(path, json=body, headers=HEADERS).status_code == status


def post(client: TestClient[Litestar], path: str, body: Any) -> Any:
    return client.post(path, content=json.dumps(body), headers=HEADERS)


def test_an_explanation_has_the_fields_of_the_contract(client: TestClient[Litestar], quote_id: str) -> None:
    answer = post(client, f"/v1/quotes/{quote_id}/explanations", {}).json()
    assert set(answer) == {"answer", "understood", "kind", "language", "source", "evidence", "checks"}
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
    assert events[0]["event"] == "understood"
    assert json.loads(events[0]["data"]) == whole["understood"]
    assert "".join(json.loads(event["data"]) for event in events[1:-1]) == whole["answer"]
    assert json.loads(events[1]["data"]) == whole["understood"]["text"]


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
