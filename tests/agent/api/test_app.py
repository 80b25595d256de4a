import asyncio
import io
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.background import KEPT_FOR
from agent.domain.clock import FixedClock
from agent.domain.refusal import FieldProblem, Refusal
from agent.store import IdempotencyState, Store, StoredResponse, StoreUnavailable
from tests.agent.api.scripted import ADMIN, ScriptedService, scripted_app

HEADERS = {"Authorization": f"Bearer {ADMIN}"}
QUOTE: dict[str, Any] = {"shopper": {"id": "shopper-77", "profile": {"age": 30}}, "product": {"id": "p1"}}


@pytest.fixture
def service() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
def client(service: ScriptedService, empty_store: Path) -> Iterator[TestClient[Litestar]]:
    with TestClient(scripted_app(service, empty_store), raise_server_exceptions=False) as running:
        yield running


def post(client: TestClient[Litestar], body: Any, path: str = "/v1/quotes", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer: httpx.Response = client.post(path, content=content, headers={**HEADERS, **headers})
    return answer


def errors(answer: httpx.Response, status: int) -> list[dict[str, str]]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    found: list[dict[str, str]] = answer.json()["errors"]
    return found


def test_an_unexpected_error_reveals_no_internals_and_logs_no_personal_data(
    service: ScriptedService, empty_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    service.failure = RuntimeError("shopper-77 broke /etc/secret")
    with TestClient(scripted_app(service, empty_store), raise_server_exceptions=False) as client:
        answer = post(client, QUOTE, **{"X-Request-Id": "trace-1"})
    assert errors(answer, 500) == []
    assert "secret" not in answer.text
    logged = capsys.readouterr().out
    line = next(json.loads(line) for line in logged.splitlines() if "unexpected" in line)
    assert (line["level"], line["request_id"], line["error"][0]["type"]) == ("error", "trace-1", "RuntimeError")
    assert any("scripted.py" in place for place in line["error"][0]["at"])
    assert not any(word in logged for word in ("shopper-77", ADMIN, "secret", "Bearer"))


def test_the_request_line_names_route_status_and_time_alone(
    service: ScriptedService, empty_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with TestClient(scripted_app(service, empty_store)) as client:
        client.get("/v1/quotes/q-of-shopper-77", headers=HEADERS)
    line = json.loads(capsys.readouterr().out)
    assert set(line) == {"event", "level", "method", "ms", "request_id", "route", "status", "timestamp"}
    assert (line["route"], line["status"]) == ("/v1/quotes/{quote_id}", 200)


def test_a_closed_log_pipe_stops_no_answer(client: TestClient[Litestar], monkeypatch: pytest.MonkeyPatch) -> None:
    gone = io.StringIO()
    gone.close()
    monkeypatch.setattr(sys, "stdout", gone)
    assert post(client, QUOTE).status_code == 201


@pytest.mark.parametrize("given", ["x" * 65, "two words", "a\tb", "é"], ids=["long", "blank", "tab", "not ascii"])
def test_a_request_id_that_could_forge_a_log_line_is_replaced(client: TestClient[Litestar], given: str) -> None:
    answer = client.get("/livez", headers={b"X-Request-Id": given.encode("latin-1")})
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("PUT", "/v1/quotes", 405)])
def test_requests_without_a_route_are_counted_and_identified_too(
    client: TestClient[Litestar], method: str, path: str, status: int
) -> None:
    answer = client.request(method, path, headers={"X-Request-Id": "mine"})
    errors(answer, status)
    assert answer.headers["x-request-id"] == "mine"
    assert f'status="{status}"' in client.get("/metrics").text


def test_a_refused_method_names_the_allowed_ones(client: TestClient[Litestar]) -> None:
    answer = client.delete("/v1/events", headers=HEADERS)
    assert "POST" in answer.json()["detail"]
    assert "POST" in answer.headers["allow"]


def test_a_store_that_does_not_answer_is_a_503_without_its_address(
    client: TestClient[Litestar], service: ScriptedService
) -> None:
    service.failure = StoreUnavailable("the store sqlite:////srv/private.db did not answer")
    answer = post(client, QUOTE)
    errors(answer, 503)
    assert answer.headers["retry-after"] == "1"
    assert "private" not in answer.text


def test_a_refusal_of_the_service_reaches_the_sender_with_its_fields(
    client: TestClient[Litestar], service: ScriptedService
) -> None:
    bad = FieldProblem("product.id", "is unknown", "p1", "a known id")
    service.refusal = Refusal(422, "not-priceable", "cannot", (bad,))
    expected = {"field": "product.id", "message": "is unknown", "received": "p1", "allowed": "a known id"}
    assert errors(post(client, QUOTE), 422) == [expected]


def test_readiness_is_503_until_everything_is_ready(client: TestClient[Litestar], service: ScriptedService) -> None:
    service.ready = False
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "checks": {"models": "loading"}, "store": "own"}
    assert client.get("/livez").status_code == 200


def test_metrics_show_learning_progress_and_drift(client: TestClient[Any]) -> None:
    told = client.get("/metrics").text
    assert "pricesmith_lessons 12.0" in told
    assert "pricesmith_drift_alarms 1.0" in told


def test_metrics_can_be_kept_for_keys(service: ScriptedService, empty_store: Path) -> None:
    with TestClient(scripted_app(service, empty_store, metrics_public=False)) as client:
        errors(client.get("/metrics"), 401)
        assert client.get("/metrics", headers=HEADERS).status_code == 200


def test_a_request_in_flight_holds_its_idempotency_key(client: TestClient[Litestar], service: ScriptedService) -> None:
    service.gate.clear()
    key = {"Idempotency-Key": "order-1"}
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(post, client, QUOTE, **key)
        assert service.begun.wait(timeout=5)
        second = post(client, QUOTE, **key)
        service.gate.set()
        done = first.result(timeout=10)
    errors(second, 409)
    assert second.headers["retry-after"]
    replayed = post(client, QUOTE, **key)
    assert replayed.content == done.content
    assert replayed.headers["idempotency-replayed"] == "true"
    assert len(service.quoted) == 1


def test_a_server_error_is_not_kept_under_the_idempotency_key(
    client: TestClient[Litestar], service: ScriptedService
) -> None:
    key = {"Idempotency-Key": "order-2"}
    service.failure = RuntimeError("once")
    errors(post(client, QUOTE, **key), 500)
    service.failure = None
    answer = post(client, QUOTE, **key)
    assert answer.status_code == 201
    assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/outcomes", "/v1/events", "/v1/recommendations", "/v1/quotes/batch"])
def test_every_post_honours_idempotency_keys(client: TestClient[Litestar], path: str) -> None:
    bodies: dict[str, Any] = {
        "/v1/outcomes": [{"quote_id": "none", "type": "declined"}],
        "/v1/events": {"shopper_id": "s", "type": "view", "product_id": "p"},
        "/v1/recommendations": {"limit": 2},
        "/v1/quotes/batch": {"items": [{"product": {"id": "p1"}}]},
    }
    first, second = (post(client, bodies[path], path, **{"Idempotency-Key": "k"}) for _ in range(2))
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert second.headers["idempotency-replayed"] == "true"
    errors(post(client, b"{}", path, **{"Idempotency-Key": "k"}), 422)


def test_one_key_on_two_paths_or_of_two_senders_is_not_confused(client: TestClient[Litestar]) -> None:
    key = {"Idempotency-Key": "same"}
    assert post(client, {"limit": 1}, "/v1/recommendations", **key).status_code == 200
    errors(post(client, {"limit": 1}, "/v1/quotes", **key), 422)


def test_answers_under_idempotency_keys_are_deleted_after_a_day(service: ScriptedService, empty_store: Path) -> None:
    clock = FixedClock(datetime.now(UTC) - KEPT_FOR - timedelta(minutes=5))
    with Store.open(f"sqlite:///{empty_store}/store.db", clock) as store:
        store.idempotency_begin("bootstrap", "old", "digest")
        store.idempotency_finish("bootstrap", "old", StoredResponse(200, b"{}", "application/json"))
        clock.at = datetime.now(UTC) - timedelta(hours=1)
        store.idempotency_begin("bootstrap", "young", "digest")
        store.idempotency_finish("bootstrap", "young", StoredResponse(200, b"{}", "application/json"))
        with TestClient(scripted_app(service, empty_store)) as client:
            deadline = time.monotonic() + 5
            while store.idempotency_begin("bootstrap", "old", "digest").state is IdempotencyState.REPLAY:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            assert client.get("/livez").status_code == 200
        assert store.idempotency_begin("bootstrap", "young", "digest").state is IdempotencyState.REPLAY


def test_quotes_beyond_the_queue_limit_are_refused_with_a_time_to_retry(
    service: ScriptedService, empty_store: Path
) -> None:
    service.gate.clear()
    with TestClient(scripted_app(service, empty_store, queue_limit=1)) as client, ThreadPoolExecutor(3) as threads:
        running = threads.submit(post, client, QUOTE)
        assert service.begun.wait(timeout=5)
        others = [threads.submit(post, client, QUOTE) for _ in range(2)]
        deadline = time.monotonic() + 5
        while not any(other.done() for other in others):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        service.gate.set()
        statuses = sorted(answer.result(timeout=10).status_code for answer in (running, *others))
        refused = next(other.result() for other in others if other.result().status_code == 503)
    assert statuses == [201, 201, 503]
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["content-type"].startswith("application/problem+json")


def test_the_service_is_closed_after_the_app(service: ScriptedService, empty_store: Path) -> None:
    with TestClient(scripted_app(service, empty_store)):
        assert not service.closed
    assert service.closed


def test_bad_rows_change_nothing(client: TestClient[Litestar], service: ScriptedService) -> None:
    event = {"shopper_id": "s", "type": "view", "product_id": "p"}
    found = errors(post(client, [event, {**event, "at": "2026-01-01T00:00:00"}], "/v1/events"), 422)
    assert found[0]["field"] == "events.1.at"
    product = {"id": "p", "title": "t", "list_price": {"amount_minor": 1, "currency": "USD"}}
    body = json.dumps([product, {**product, "title": ""}]).encode()
    assert errors(client.put("/v1/products", content=body, headers=HEADERS), 422)[0]["field"] == "products.1.title"
    assert (service.events, service.products) == ([], [])


def test_a_time_may_have_any_zone_and_defaults_to_now(client: TestClient[Litestar], service: ScriptedService) -> None:
    event = {"shopper_id": "s", "type": "view", "product_id": "p"}
    times = [{"at": "2026-01-31T12:00:00Z"}, {"at": "2026-01-31T13:00:00.5+01:00"}, {}]
    assert post(client, [{**event, **at} for at in times], "/v1/events").status_code == 200
    first, second, third = (kept.at for kept in service.events)
    assert second - first == timedelta(milliseconds=500)
    assert timedelta(0) <= datetime.now(UTC) - third < timedelta(minutes=1)


FIELDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "profile text too long": ({"shopper": {"profile": "x" * 5_000}}, "shopper.profile", "up to 4,000 characters"),
    "profile nested": ({"shopper": {"profile": {"a": {"b": 1}}}}, "shopper.profile.a", "a number"),
    "profile a list": ({"shopper": {"profile": [1]}}, "shopper.profile", "an object or text"),
    "trend neither number nor text": (
        {"context": {"market_trend": True}},
        "context.market_trend",
        "a number or text",
    ),
    "promotion neither true nor false": (
        {"context": {"promotion": {"display": 1}}},
        "context.promotion.display",
        "true or false",
    ),
    "promotion of another kind": (
        {"context": {"promotion": {"leaflet": True}}},
        "context.promotion.leaflet",
        "no such",
    ),
    "promotion a list": ({"context": {"promotion": ["leaflet"]}}, "context.promotion", "an object"),
    "further field infinite": ({"context": {"wind": 1e308 * 10}}, "context.wind", "a finite number"),
    "further field nested": ({"context": {"wind": [1]}}, "context.wind", "text"),
    "further field's name": ({"context": {"a\x07": 1}}, "context", "control character"),
    "too many further fields": ({"context": {f"x{i}": 1 for i in range(200)}}, "context", "100"),
    "blank id": ({"product": {"id": " \u200b "}}, "product.id", "visible"),
    "id of two lines": ({"product": {"id": "a\nb"}}, "product.id", "line breaks"),
    "time as a number": ({"context": {"at": 1_700_000_000}}, "context.at", "RFC 3339"),
    "time as a number in a text": ({"context": {"at": "1700000000"}}, "context.at", "RFC 3339"),
    "date alone": ({"context": {"at": "2026-01-31"}}, "context.at", "RFC 3339"),
    "thirteenth month": ({"context": {"at": "2026-13-31T00:00:00Z"}}, "context.at", "month"),
    "too many events": ({"events": [{"type": "view", "text": "a"}] * 501}, "events", "at most 500 entries"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_one_bad_field_is_one_problem_in_the_words_of_the_sender(client: TestClient[Litestar], name: str) -> None:
    change, field, allowed = FIELDS[name]
    body = json.dumps({**QUOTE, **change}).replace("Infinity", "1e999").encode()
    found = errors(post(client, body), 422)
    assert [error["field"] for error in found] == [field]
    assert allowed in found[0]["allowed"]
    assert len(found[0]["received"]) <= 81


@pytest.mark.parametrize("body", [b'{"product":{"id":"\\ud800"}}', b'{"\\udfff":1}'], ids=["value", "name"])
def test_half_a_surrogate_pair_is_malformed(client: TestClient[Litestar], body: bytes) -> None:
    errors(post(client, body), 400)


def test_invisible_characters_are_dropped_and_line_breaks_of_descriptions_kept(
    client: TestClient[Litestar], service: ScriptedService
) -> None:
    product = {"id": "p1", "brand": "Sam\u202esung\u200b", "description": "one\ntwo\tthree", "title": ""}
    assert post(client, {"product": product}).status_code == 201
    kept = service.quoted[0].product
    assert (kept.brand, kept.description, kept.title) == ("Samsung", "one\ntwo\tthree", "")


def test_a_server_told_to_stop_finishes_what_it_began(empty_store: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", url.rpartition(":")[2]]
    environment = {"PRICESMITH_DATA_DIR": str(empty_store), "PATH": "/usr/bin:/bin"}
    root = Path(__file__).parents[3]
    server = subprocess.Popen([*command, "tests.agent.api.scripted:create"], env=environment, cwd=root)  # noqa: S603
    try:
        _wait_for(url, server)
        answer = asyncio.run(_stopped_meanwhile(url, server))
        assert answer.status_code == 201
        assert answer.json()["id"] == "q0"
        assert server.wait(timeout=20) == 0
        assert (empty_store / "closed").exists()
    finally:
        server.kill()
        server.wait()


def _wait_for(url: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert server.poll() is None
        try:
            if httpx.get(f"{url}/livez", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not start")


async def _stopped_meanwhile(url: str, server: "subprocess.Popen[bytes]") -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=30) as http:
        asked = asyncio.create_task(http.post("/v1/quotes", json=QUOTE))
        await asyncio.sleep(0.4)
        server.terminate()
        return await asked
