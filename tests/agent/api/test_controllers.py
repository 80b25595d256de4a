import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app
from agent.api.background import KEPT_FOR
from agent.api.context import CONTEXT
from agent.domain.clock import SystemClock
from agent.domain.request import QuoteRequest
from agent.service.auth.api_keys import KeyRing, Scope
from agent.service.opening import open_store
from tests.prepared import World, open_all

ADMIN = "bootstrap-key-for-tests"
SAMSUNG: dict[str, Any] = {
    "shopper": {"profile": {"age": 30, "income": 50000, "gender": "male", "region": "urban"}},
    "product": {
        "category": "electronics",
        "brand": "Samsung",
        "list_price": {"amount_minor": 100000, "currency": "USD"},
        "rating": 4.5,
    },
}
HEADERS = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("http") / "data")


@pytest.fixture(scope="module")
def client(own: World) -> Iterator[TestClient[Litestar]]:
    app = create_app(own.settings(bootstrap_key=ADMIN), open_all)
    with TestClient(app) as running:
        yield running


def post(client: TestClient[Litestar], path: str, body: Any, **headers: str) -> Any:
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    return client.post(path, content=content, headers={**HEADERS, **headers})


def problem(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    document: dict[str, Any] = answer.json()
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


def changed(path: str, value: Any) -> dict[str, Any]:
    """The starting example with one field set."""
    request: dict[str, Any] = json.loads(json.dumps(SAMSUNG))
    *parents, last = path.split(".")
    part = request
    for name in parents:
        part = part.setdefault(name, {})
    part[last] = value
    return request


def test_the_starting_example_answers_with_every_field_of_the_contract(client: TestClient[Litestar]) -> None:
    answer = post(client, "/v1/quotes", SAMSUNG)
    assert answer.status_code == 201
    body = answer.json()
    assert body["price"] == {"amount_minor": 100000, "currency": "USD", "fraction_digits": 2}
    assert not body["personalised"]
    assert body["trail"][0]["rule"] == "cost_or_floor"
    assert "gender" in [ignored["input"] for ignored in body["disclosure"]["inputs_ignored"]]
    expected = (
        "id price reference_price list_price strategy scores interest confidence personalised rung trail similar "
        "candidates disclosure propensity valid_until token versions timing_ms"
    )
    assert set(expected.split()) <= set(body)
    assert set(body["versions"]) == {"encoder", "strategist", "evaluator", "prompt", "index", "rules"}


def test_candidates_come_when_asked_for_and_the_recorded_decision_shows_them_always(
    client: TestClient[Litestar],
) -> None:
    request = changed("product.cost", {"amount_minor": 60000, "currency": "USD"})
    plain = post(client, "/v1/quotes", request).json()
    full = post(client, "/v1/quotes?include=candidates", request).json()
    assert plain["candidates"] is None
    assert len(full["candidates"]) >= 8
    assert full["candidates"][0]["chosen"]
    assert full["candidates"][0]["price"] == full["price"]
    recorded = client.get(f"/v1/quotes/{plain['id']}", headers=HEADERS).json()
    assert recorded["candidates"]
    assert recorded["price"] == plain["price"]
    problem(client.get("/v1/quotes/no-such", headers=HEADERS), 404)


HUGE = 10**30
BAD: dict[str, tuple[dict[str, Any], str]] = {
    "negative money": (changed("product.list_price.amount_minor", -1), "product.list_price.amount_minor"),
    "zero list price": (changed("product.list_price.amount_minor", 0), "product.list_price.amount_minor"),
    "huge money": (changed("product.list_price.amount_minor", HUGE), "product.list_price.amount_minor"),
    "fractional money": (changed("product.list_price.amount_minor", 9.5), "product.list_price.amount_minor"),
    "money as text": (changed("product.list_price.amount_minor", "100"), "product.list_price.amount_minor"),
    "money as truth": (changed("product.list_price.amount_minor", True), "product.list_price.amount_minor"),
    "unknown currency": (changed("product.list_price.currency", "ZZZ"), "product.list_price.currency"),
    "lower-case currency": (changed("product.list_price.currency", "usd"), "product.list_price.currency"),
    "gold as a currency": (changed("product.list_price.currency", "XAU"), "product.list_price.currency"),
    "two currencies": (changed("product.cost", {"amount_minor": 5, "currency": "EUR"}), "body"),
    "time without zone": (changed("context.at", "2026-01-01T00:00:00"), "context.at"),
    "time that is none": (changed("context.at", "yesterday"), "context.at"),
    "time in another century": (changed("context.at", "1800-01-01T00:00:00Z"), "context.at"),
    "rating as text": (changed("product.rating", "4.5"), "product.rating"),
    "rating of six": (changed("product.rating", 6), "product.rating"),
    "negative inventory": (changed("context.inventory", -1), "context.inventory"),
    "quantity of none": (changed("quantity", 0), "quantity"),
    "unknown top-level field": (changed("colour", "red"), "colour"),
    "unknown product field": (changed("product.colour", "red"), "product.colour"),
    "control character": (changed("product.brand", "a\u0000b"), "product.brand"),
    "text of 100 kB": (changed("product.description", "x" * 100_000), "product.description"),
    "personalisation maybe": (changed("shopper.personalisation", "maybe"), "shopper.personalisation"),
    "limits the wrong way round": (
        changed(
            "limits",
            {
                "min_price": {"amount_minor": 9, "currency": "USD"},
                "max_price": {"amount_minor": 8, "currency": "USD"},
            },
        ),
        "limits",
    ),
    "max discount of two": (changed("limits.max_discount", 2), "limits.max_discount"),
    "deadline of none": (changed("deadline_ms", 0), "deadline_ms"),
    "nested context": (changed("context.weather", {"a": 1}), "context.weather"),
    "event without anything": (changed("events", [{"type": "view"}]), "events.0"),
    "unknown event": (changed("events", [{"type": "sneeze", "text": "a"}]), "events.0.type"),
    "no product": ({"shopper": {}}, "product"),
    "product with a title alone": ({"product": {"title": "thing"}}, "product"),
    "unknown product": ({"product": {"id": "no-such"}}, "product.id"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_names_the_field_and_what_is_allowed(client: TestClient[Litestar], name: str) -> None:
    request, field = BAD[name]
    document = problem(post(client, "/v1/quotes", request), 422)
    fields = [error["field"] for error in document["errors"]]
    assert field in fields
    assert all(error["message"] and error["allowed"] for error in document["errors"])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b'{"product": {"id": "1"},}',
        b'{"product": {"id": "1"}, "product": {"id": "2"}}',
        b'{"quantity": NaN}',
        b'{"quantity": Infinity}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b'{"quantity": ' + b"9" * 6_000 + b"}",
    ],
    ids=[f"case {number}" for number in range(11)],
)
def test_malformed_json_is_a_400_problem(client: TestClient[Litestar], body: bytes) -> None:
    problem(post(client, "/v1/quotes", body), 400)


@pytest.mark.parametrize("body", ["[]", '"text"', "5", "null"])
def test_json_of_another_kind_is_refused(client: TestClient[Litestar], body: str) -> None:
    problem(post(client, "/v1/quotes", body), 422)


def test_bodies_and_lists_over_the_limits_are_refused(client: TestClient[Litestar]) -> None:
    problem(post(client, "/v1/quotes", b'{"a": "' + b"x" * 10_000_000 + b'"}'), 413)
    document = problem(post(client, "/v1/quotes", changed("events", [{"type": "view", "text": "a"}] * 10_000)), 422)
    assert document["errors"][0]["field"] == "events"
    problem(post(client, "/v1/events", [{"shopper_id": "s", "type": "view", "text": "a"}] * 1_001), 422)
    problem(post(client, "/v1/quotes/batch", {"quotes": [SAMSUNG] * 501}), 422)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=10), children, max_size=4),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(field=st.sampled_from(list(QuoteRequest.model_fields)), value=_json)
def test_no_value_of_any_field_breaks_the_server(client: TestClient[Litestar], field: str, value: Any) -> None:
    answer = post(client, "/v1/quotes", changed(field, value))
    assert answer.status_code in (201, 422), answer.text


def test_keys_are_needed_known_and_of_the_right_scope(client: TestClient[Litestar], own: World) -> None:
    content = json.dumps(SAMSUNG)
    for headers in ({}, {"Authorization": "Bearer wrong-key"}, {"Authorization": "Basic abc"}):
        answer = client.post("/v1/quotes", content=content, headers=headers)
        problem(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
    with open_store(own.settings()) as store:
        key = KeyRing(store, SystemClock()).create("shop", [Scope.OUTCOMES]).text
    document = problem(client.post("/v1/quotes", content=content, headers={"Authorization": f"Bearer {key}"}), 403)
    assert "quotes" in document["detail"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/v1/quotes", 405)])
def test_unknown_routes_and_methods_are_problems(
    client: TestClient[Litestar], method: str, path: str, status: int
) -> None:
    problem(client.request(method, path, headers=HEADERS), status)


def test_another_content_type_is_refused(client: TestClient[Litestar]) -> None:
    problem(post(client, "/v1/quotes", SAMSUNG, **{"Content-Type": "text/xml"}), 415)


def test_a_bad_row_of_a_batch_fails_alone(client: TestClient[Litestar], own: World) -> None:
    rows = [{"product": {"id": own.bought}}, {"product": {"id": 5}}, {"product": {"id": "no-such"}}, SAMSUNG]
    results = post(client, "/v1/quotes/batch", {"quotes": rows}).json()["results"]
    assert [row["status"] for row in results] == [200, 422, 422, 200]
    assert results[1]["problem"]["errors"][0]["field"] == "quotes.1.product.id"
    items = {"shopper": {"id": own.shopper}, "items": [{"product": {"id": own.bought}, "quantity": 2}, {"quantity": 1}]}
    results = post(client, "/v1/quotes/batch", items).json()["results"]
    assert [row["status"] for row in results] == [200, 422]
    assert results[0]["quote"]["quantity"] == 2
    problem(post(client, "/v1/quotes/batch", {"quotes": [], "items": []}), 422)


def test_a_token_is_valid_until_changed(client: TestClient[Litestar]) -> None:
    quote = post(client, "/v1/quotes", SAMSUNG).json()
    valid = post(client, "/v1/quotes/verify", {"token": quote["token"]}).json()
    assert (valid["status"], valid["price"]) == ("valid", quote["price"])
    head, _, tail = quote["token"].partition(".")
    assert post(client, "/v1/quotes/verify", {"token": f"{head}.A{tail}"}).json()["status"] == "tampered"


def test_an_outcome_is_recorded_once_and_lists_fail_by_row(client: TestClient[Litestar]) -> None:
    quote = post(client, "/v1/quotes", SAMSUNG).json()
    outcome = {"quote_id": quote["id"], "type": "purchased", "quantity": 1}
    first, second = (post(client, "/v1/outcomes", outcome) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    recorded = client.get(f"/v1/quotes/{quote['id']}", headers=HEADERS).json()
    assert [known["type"] for known in recorded["outcomes"]] == ["purchased"]
    rows = [outcome, {"quote_id": "no-such", "type": "declined"}, {"quote_id": quote["id"], "type": "eaten"}]
    results = post(client, "/v1/outcomes", rows).json()["results"]
    assert [row["status"] for row in results] == [200, 404, 422]
    problem(post(client, "/v1/outcomes", {"quote_id": "no-such", "type": "declined"}), 404)


def test_events_are_all_or_none(client: TestClient[Litestar], own: World) -> None:
    good = {"shopper_id": "new-shopper", "type": "view", "product_id": own.bought}
    document = problem(post(client, "/v1/events", [good, {**good, "type": "sneeze"}]), 422)
    assert document["errors"][0]["field"] == "events.1.type"
    quote = post(client, "/v1/quotes", {"shopper": {"id": "new-shopper"}, "product": {"id": own.bought}}).json()
    assert "purchase_history" not in quote["disclosure"]["inputs_used"]
    assert post(client, "/v1/events", {"events": [good]}).json() == {"accepted": 1}
    seen = post(client, "/v1/quotes", {"shopper": {"id": "new-shopper"}, "product": {"id": own.bought}}).json()
    assert "purchase_history" in seen["disclosure"]["inputs_used"]


def event_count(own: World) -> int:
    with open_store(own.settings()) as store:
        return store.event_count()


def test_an_event_of_the_future_is_refused_with_all_of_its_list(client: TestClient[Litestar], own: World) -> None:
    before = event_count(own)
    sale = {"shopper_id": "fut", "type": "purchase", "product_id": own.bought}
    for days, status in ((2, 422), (0.9, 200)):
        at = (datetime.now(UTC) + timedelta(days=days)).isoformat()
        answer = post(client, "/v1/events", [sale, {**sale, "at": at}])
        assert answer.status_code == status
        if status == 422:
            assert [error["field"] for error in problem(answer, 422)["errors"]] == ["events.1.at"]
            assert event_count(own) == before
    problem(post(client, "/v1/events", {**sale, "at": "2099-12-31T00:00:00Z"}), 422)


def test_an_event_in_another_currency_than_its_product_is_refused_with_both_named(
    client: TestClient[Litestar], own: World
) -> None:
    price = {"amount_minor": 16_000, "currency": "JPY"}
    sale = {"shopper_id": "fx", "type": "view", "product_id": own.bought, "price": price}
    document = problem(post(client, "/v1/events", sale), 422)
    (error,) = document["errors"]
    assert (error["field"], error["received"]) == ("events.0.price.currency", "JPY")
    assert "USD" in error["allowed"]
    assert "JPY" in document["detail"]
    assert post(client, "/v1/events", {**sale, "product_id": "never-heard-of"}).status_code == 200


def test_a_request_of_events_sent_again_adds_none_and_its_identical_lines_count(
    client: TestClient[Litestar], own: World
) -> None:
    line = {"shopper_id": "twice", "type": "purchase", "product_id": own.bought, "at": "2026-11-30T00:00:00Z"}
    order = [line, {**line, "quantity": 5}, line]
    before = event_count(own)
    for _ in range(2):
        assert post(client, "/v1/events", order).json() == {"accepted": 3}
        assert event_count(own) - before == 3


def test_an_idempotency_key_gives_one_answer_to_one_request(client: TestClient[Litestar]) -> None:
    key = {"Idempotency-Key": "order-1"}
    first, second = (post(client, "/v1/quotes", SAMSUNG, **key) for _ in range(2))
    assert first.json()["id"] == second.json()["id"]
    assert second.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    problem(post(client, "/v1/quotes", changed("quantity", 2), **key), 422)
    bad = {"Idempotency-Key": "order-2"}
    once, again = (post(client, "/v1/quotes", changed("quantity", 0), **bad) for _ in range(2))
    assert problem(once, 422) == problem(again, 422)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/quotes", SAMSUNG),
        ("/v1/quotes/batch", {"quotes": [SAMSUNG, {"product": {"id": "no-such"}}, SAMSUNG]}),
        ("/v1/recommendations", {"limit": 3}),
    ],
)
def test_a_request_cut_off_between_record_and_answer_is_carried_out_once(
    client: TestClient[Litestar], own: World, monkeypatch: pytest.MonkeyPatch, path: str, body: Any
) -> None:
    key, before = {"Idempotency-Key": f"cut-off-{path}"}, own.decisions()
    store = client.app.state[CONTEXT].resources.store
    with monkeypatch.context() as cut:

        def lost(*_: object) -> None:
            raise RuntimeError("killed")

        cut.setattr(store, "idempotency_finish", lost)
        assert post(client, path, body, **key).status_code == 500
    made = own.decisions() - before
    assert made > 0
    problem(post(client, path, body, **key), 409)  # for all that the service knows the first is still at work
    store.idempotency_abandon(client.app.state[CONTEXT].resources.keys.verify(ADMIN).key_id, key["Idempotency-Key"])
    store.purge_idempotency(datetime.now(UTC) - KEPT_FOR)  # as every start does
    first, second = (post(client, path, body, **key) for _ in range(2))
    assert first.json() == second.json()
    assert second.headers["idempotency-replayed"] == "true"
    assert own.decisions() - before == made
    told = first.json()
    ids = [one["quote"]["id"] for one in told.get("items", told.get("results", [])) if one.get("quote")]
    assert len({*ids, *([told["id"]] if "id" in told else [])}) == made


def test_recommendations_come_priced(client: TestClient[Litestar], own: World) -> None:
    items = post(client, "/v1/recommendations", {"shopper": {"id": own.shopper}, "limit": 4}).json()["items"]
    assert len(items) == 4
    assert all(item["quote"]["price"]["amount_minor"] > 0 and item["product"]["title"] for item in items)


def test_health_metrics_and_schema_answer_without_a_key(client: TestClient[Litestar]) -> None:
    assert client.get("/livez").status_code == 200
    assert client.get("/readyz").json()["ready"]
    post(client, "/v1/quotes", SAMSUNG)
    exposition = client.get("/metrics").text
    assert 'pricesmith_requests_total{method="POST",route="/v1/quotes",status="201"}' in exposition
    assert "pricesmith_step_seconds" in exposition
    schema = client.get("/schema/openapi.json").json()
    assert schema["openapi"].startswith("3.1")


def test_every_answer_carries_a_request_id(client: TestClient[Litestar]) -> None:
    assert client.get("/livez").headers["x-request-id"]
    assert client.get("/livez", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
