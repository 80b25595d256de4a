"""Publishable keys: what a page may ask, and nothing from which a cost or a limit could be found out."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app
from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing, Scope
from agent.service.opening import open_store
from tests.prepared import World, open_all

PAGE = "https://shop.example"
MONEY = {"amount_minor": 1000, "currency": "USD"}


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("page") / "data")


@pytest.fixture(scope="module")
def page_key(own: World) -> str:
    with open_store(own.settings()) as store:
        made = KeyRing(store, SystemClock()).create("page", [Scope.QUOTES, Scope.OUTCOMES], origins=[PAGE])
    assert made.text.startswith("pspub_")
    return made.text


@pytest.fixture(scope="module")
def client(own: World, page_key: str) -> Iterator[TestClient[Litestar]]:
    settings = own.settings(cors_origins=PAGE, language_model=False)
    with TestClient(create_app(settings, open_all)) as running:
        running.headers["Authorization"] = f"Bearer {page_key}"
        yield running


def refused(answer: Any, *fields: str, code: str = "publishable-key-limited") -> None:
    assert answer.status_code == 403, answer.text
    assert answer.json()["code"] == code
    assert tuple(error["field"] for error in answer.json()["errors"]) == fields


def test_a_page_may_price_recommend_verify_and_tell_what_is_looked_at(client: TestClient[Litestar], own: World) -> None:
    context = {"jurisdiction": "DE", "location": "Berlin", "channel": "web", "season": "summer", "language": "de"}
    body = {
        "shopper": {"id": "s-9f2", "personalisation": "off"},
        "product": {"id": own.bought},
        "context": context,
        "events": [{"type": "view", "product_id": own.bought}],
        "quantity": 2,
        "deadline_ms": 5_000,
    }
    quoted = client.post("/v1/quotes", json=body, headers={"Origin": PAGE})
    assert quoted.status_code == 201, quoted.text
    assert "scores" not in quoted.json()
    assert quoted.headers["access-control-allow-origin"] == PAGE
    many = client.post("/v1/quotes/batch", json={"items": [{"product": {"id": own.bought}}], "context": context})
    assert [row["status"] for row in many.json()["results"]] == [200]
    page = client.post("/v1/pages", json={"products": [own.bought], "context": context})
    assert page.json()["quotes"][0]["quote"]["view"] == "shopper"
    assert client.post("/v1/quotes/verify", json={"token": quoted.json()["token"]}).json()["status"] == "valid"
    ranked = client.post("/v1/recommendations", json={"shopper": {"id": own.shopper}, "limit": 3})
    assert len(ranked.json()["items"]) == 3
    seen = {"shopper_id": "s-9f2", "type": "view", "product_id": own.bought}
    assert client.post("/v1/events", json=[seen]).json() == {"accepted": 1}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        *(({"product": {"id": "p", name: MONEY}}, f"product.{name}") for name in ("list_price", "cost")),
        *(({"product": {"id": "p", name: "x"}}, f"product.{name}") for name in ("title", "category", "brand")),
        ({"product": {"id": "p", "inventory": 1}}, "product.inventory"),
        ({"product": {"title": "x", "list_price": MONEY}}, "product.list_price"),
        ({"limits": {"min_price": MONEY}}, "limits"),
        ({"limits": {}}, "limits"),
        ({"shopper": {"higher_price_consent": {"reason": "gold"}}}, "shopper.higher_price_consent"),
        ({"context": {"inventory": 1}}, "context.inventory"),
        ({"context": {"competitor_prices": [MONEY]}}, "context.competitor_prices"),
        ({"context": {"market_trend": -1}}, "context.market_trend"),
        ({"context": {"at": "2026-01-01T00:00:00Z"}}, "context.at"),
        ({"context": {"deadline": "2026-01-01T00:00:00Z"}}, "context.deadline"),
        ({"context": {"anything": 1}}, "context.anything"),
        ({"events": [{"type": "purchase", "product_id": "p"}]}, "events.0.type"),
        ({"events": [{"type": "view", "product_id": "p", "price": MONEY}]}, "events.0.price"),
    ],
    ids=str,
)
def test_a_page_may_not_say_what_only_the_shop_knows(
    client: TestClient[Litestar], own: World, change: dict[str, Any], field: str
) -> None:
    body = {"product": {"id": own.bought}, **change}
    answer = client.post("/v1/quotes", json=body)
    assert answer.status_code == 403, answer.text
    assert field in [error["field"] for error in answer.json()["errors"]]
    row = client.post("/v1/quotes/batch", json={"quotes": [body]}).json()["results"][0]
    assert (row["status"], row["problem"]["code"]) == (403, "publishable-key-limited")
    if "product" not in change:
        for accept in ("application/json", "application/x-ndjson"):
            listed = client.post("/v1/pages", json={"products": [own.bought], **change}, headers={"Accept": accept})
            assert listed.status_code == 403, listed.text
            assert field in [error["field"] for error in listed.json()["errors"]]
    if not {"product", "limits", "shopper"} & set(change):
        ranked = client.post("/v1/recommendations", json={"shopper": {"id": own.shopper}, **change})
        assert ranked.status_code == 403, ranked.text


def test_a_page_may_report_no_sales_and_no_prices(client: TestClient[Litestar], own: World) -> None:
    sale = {"shopper_id": "s", "type": "purchase", "product_id": own.bought, "price": MONEY}
    seen = {"shopper_id": "s", "type": "view", "product_id": own.bought}
    refused(client.post("/v1/events", json=[seen, sale]), "events.1.type", "events.1.price")


def test_a_page_may_ask_nothing_else(client: TestClient[Litestar]) -> None:
    paths = client.get("/schema/openapi.json").json()["paths"]
    allowed = {
        f"/v1/{name}" for name in ("quotes", "quotes/batch", "quotes/verify", "pages", "recommendations", "events")
    }
    tried = 0
    for path, methods in paths.items():
        for method in methods:
            if not path.startswith("/v1") or (method == "post" and path in allowed):
                continue
            answer = client.request(method, path.replace("{version}", "1"), json={})
            assert answer.status_code == 403, (method, path, answer.text)
            tried += 1
    assert tried > 25
    assert client.post("/v1/quotes?view=merchant", json={"product": {"id": "p"}}).json()["code"] == "view-not-allowed"


@pytest.mark.parametrize(
    "origin", ["https://other.example", "http://shop.example", "https://shop.example:8443", "null"]
)
def test_a_page_of_another_origin_may_not_use_the_key(client: TestClient[Litestar], own: World, origin: str) -> None:
    answer = client.post("/v1/quotes", json={"product": {"id": own.bought}}, headers={"Origin": origin})
    refused(answer, code="origin-not-allowed")
    assert "access-control-allow-origin" not in answer.headers


def test_a_secret_key_is_bound_to_no_origin_and_no_field(own: World, client: TestClient[Litestar]) -> None:
    with open_store(own.settings()) as store:
        secret = KeyRing(store, SystemClock()).create("server", [Scope.QUOTES]).text
    body = {"product": {"id": own.bought}, "limits": {"max_discount": 0.1}, "context": {"inventory": 3}}
    headers = {"Authorization": f"Bearer {secret}", "Origin": "https://other.example"}
    assert client.post("/v1/quotes", json=body, headers=headers).status_code == 201
