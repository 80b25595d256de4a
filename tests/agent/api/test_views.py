"""A key for quotes alone sees nothing that cost could be computed from, in no answer of any endpoint."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app
from agent.api.context import CONTEXT
from agent.service.auth.api_keys import Scope
from tests.agent.api.test_controllers import ADMIN, HEADERS
from tests.prepared import World, open_all

LIST, COST, FLOOR = 10_007, 7_131, 8_209  # distinctive: no other number of an answer is one of them
SECRET = (COST, FLOOR, FLOOR - COST, LIST - COST)
SHOPPERS = {
    "view", "id", "at", "product_id", "shopper_id", "quantity", "price", "reference_price", "list_price",
    "personalised", "disclosure", "valid_until", "token",
}  # fmt: skip


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("views") / "data")


@pytest.fixture(scope="module")
def client(own: World) -> Iterator[TestClient[Litestar]]:
    app = create_app(own.settings(bootstrap_key=ADMIN, language_model=False), open_all)
    with TestClient(app) as running:
        for number, extra in enumerate([{"cost": COST}, {"cost": COST, "min_price": FLOOR}, {"cost": LIST + 500}]):
            product = {"id": f"kettle-{number}", "title": "Kettle", "category": "cheese", "list_price": LIST, **extra}
            put = {name: usd(value) if isinstance(value, int) else value for name, value in product.items()}
            running.put("/v1/products", content=json.dumps([put]), headers=HEADERS)
        yield running


@pytest.fixture(scope="module")
def shop(client: TestClient[Litestar]) -> dict[str, str]:
    """Headers of a key with the scope `quotes` alone."""
    return key(client, Scope.QUOTES)


def key(client: TestClient[Litestar], *scopes: Scope) -> dict[str, str]:
    text = client.app.state[CONTEXT].resources.keys.create("shop", list(scopes)).text
    return {"Authorization": f"Bearer {text}"}


def usd(amount_minor: int) -> dict[str, Any]:
    return {"amount_minor": amount_minor, "currency": "USD"}


def post(client: TestClient[Litestar], path: str, body: Any, headers: dict[str, str]) -> Any:
    return client.post(path, content=json.dumps(body), headers=headers)


def values(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a document with its path."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield f"{path}.{name}", name
            yield from values(child, f"{path}.{name}")
    elif isinstance(node, list):
        for place, child in enumerate(node):
            yield from values(child, f"{path}.{place}")
    else:
        yield path, node


def assert_tells_no_cost(document: Any) -> None:
    for path, value in values(document):
        if isinstance(value, bool) or path.endswith(".token"):
            continue
        if isinstance(value, int | float):
            assert not any(abs(abs(value) - secret) < 1 for secret in SECRET), path
        elif isinstance(value, str):
            words = value.lower()
            assert not any(word in words for word in ("cost", "margin", "profit", "floor", "score")), (path, value)


def requests(own: World) -> list[tuple[str, Any]]:
    quotes: list[dict[str, Any]] = [{"product": {"id": f"kettle-{number}"}} for number in range(3)]
    quotes += [{**quote, "shopper": {"id": own.shopper}} for quote in quotes]
    quotes += [
        {"product": {"id": "kettle-0"}, "context": {"competitor_prices": [usd(5_000)], "inventory": 90_000}},
        {"product": {"id": "kettle-1"}, "shopper": {"personalisation": "off"}},
        {"product": {"id": own.bought}, "context": {"jurisdiction": "DE"}},
    ]
    return [
        *(("/v1/quotes", quote) for quote in quotes),
        ("/v1/quotes/batch", {"quotes": quotes}),
        ("/v1/quotes/batch", {"items": [{"product": {"id": "kettle-1"}}], "shopper": {"id": own.shopper}}),
        ("/v1/recommendations", {"shopper": {"id": own.shopper}, "category": "cheese", "limit": 5}),
    ]


def test_no_answer_for_a_key_with_the_scope_quotes_tells_the_cost(
    client: TestClient[Litestar], shop: dict[str, str], own: World
) -> None:
    for path, body in requests(own):
        for view in ("", "?view=shopper"):
            answer = post(client, path + view, body, shop)
            assert answer.is_success, answer.text
            assert_tells_no_cost(answer.json())
    quote = post(client, "/v1/quotes", {"product": {"id": "kettle-1"}}, shop).json()
    assert set(quote) == SHOPPERS
    recorded = client.get(f"/v1/quotes/{quote['id']}", headers=shop).json()
    assert recorded == quote
    verified = post(client, "/v1/quotes/verify", {"token": quote["token"]}, shop).json()
    assert_tells_no_cost(verified)
    for schema in ("/livez", "/readyz", "/v1/keys"):
        assert_tells_no_cost(client.get(schema, headers=shop).json())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/quotes?view=merchant"),
        ("POST", "/v1/quotes?include=candidates"),
        ("POST", "/v1/quotes?view=merchant&include=candidates"),
        ("POST", "/v1/quotes/batch?view=merchant"),
        ("POST", "/v1/quotes/batch?include=candidates"),
        ("POST", "/v1/recommendations?view=merchant"),
        ("GET", "/v1/quotes/QUOTE?view=merchant"),
        ("GET", "/v1/quotes/QUOTE/reasons"),
        ("POST", "/v1/quotes/QUOTE/explanations"),
        ("POST", "/v1/questions"),
        ("GET", "/v1/webhooks"),
        ("GET", "/v1/rules"),
    ],
)
def test_the_merchants_view_needs_the_merchants_scope_and_says_so(
    client: TestClient[Litestar], shop: dict[str, str], method: str, path: str
) -> None:
    quote = post(client, "/v1/quotes", {"product": {"id": "kettle-0"}}, shop).json()
    bodies = {"/v1/quotes": {"product": {"id": "kettle-0"}}, "/v1/quotes/batch": {"quotes": [{"product": {"id": "p"}}]}}
    body = bodies.get(path.partition("?")[0], {})
    content = {} if method == "GET" else {"content": json.dumps(body)}
    answer = client.request(method, path.replace("QUOTE", quote["id"]), headers=shop, **content)  # type: ignore[arg-type]
    assert answer.status_code == 403, answer.text
    assert "scope" in answer.json()["detail"]
    assert "merchant" in answer.json()["detail"] or "admin" in answer.json()["detail"]
    assert_no_numbers(answer.json())


def assert_no_numbers(document: Any) -> None:
    assert not any(isinstance(value, int | float) and value in SECRET for _, value in values(document))


def test_a_key_with_both_scopes_sees_everything_unless_it_asks_for_the_shoppers_view(
    client: TestClient[Litestar],
) -> None:
    both, body = key(client, Scope.QUOTES, Scope.MERCHANT), {"product": {"id": "kettle-0"}}
    for query in ("", "?view=merchant"):
        assert post(client, f"/v1/quotes{query}", body, both).json()["scores"]["profit"]["value"]
    assert post(client, "/v1/quotes?include=candidates", body, both).json()["candidates"]
    quote = post(client, "/v1/quotes?view=shopper", body, both).json()
    assert set(quote) == SHOPPERS
    assert set(client.get(f"/v1/quotes/{quote['id']}?view=shopper", headers=both).json()) == SHOPPERS
    assert "outcomes" in client.get(f"/v1/quotes/{quote['id']}", headers=both).json()
    rows = post(client, "/v1/quotes/batch?view=shopper", {"quotes": [body]}, both).json()["results"]
    assert set(rows[0]["quote"]) == SHOPPERS


@pytest.mark.parametrize("query", ["view=everyone", "include=all", "view=shopper&include=candidates"])
def test_an_impossible_view_is_refused_with_what_is_allowed(client: TestClient[Litestar], query: str) -> None:
    answer = post(client, f"/v1/quotes?{query}", {"product": {"id": "kettle-0"}}, HEADERS)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["allowed"]


def test_an_idempotent_repetition_shows_no_other_view(client: TestClient[Litestar], shop: dict[str, str]) -> None:
    body, once = {"product": {"id": "kettle-0"}}, {"Idempotency-Key": "one-view"}
    merchant = post(client, "/v1/quotes", body, {**HEADERS, **once}).json()
    assert "scores" in merchant
    first = post(client, "/v1/quotes", body, {**shop, **once})
    again = post(client, "/v1/quotes", body, {**shop, **once})
    assert first.json() == again.json()
    assert set(first.json()) == SHOPPERS
    assert first.json()["id"] != merchant["id"]
    assert post(client, "/v1/quotes?view=shopper", body, {**HEADERS, **once}).status_code == 422


def test_nothing_in_the_shoppers_view_varies_with_cost_while_the_price_stays(
    client: TestClient[Litestar], shop: dict[str, str]
) -> None:
    seen: dict[int, list[dict[str, Any]]] = {}
    for cost in range(100, 9_900, 700):
        product = {"category": "cheese", "list_price": usd(LIST), "cost": usd(cost)}
        quote = post(client, "/v1/quotes", {"product": product, "limits": {"max_discount": 0.0}}, shop).json()
        kept = {name: value for name, value in quote.items() if name not in ("id", "at", "valid_until", "token")}
        seen.setdefault(quote["price"]["amount_minor"], []).append(kept)
    assert max(len(quotes) for quotes in seen.values()) > 5, "or the test shows nothing"
    for quotes in seen.values():
        assert all(quote == quotes[0] for quote in quotes)


def test_merchants_are_told_where_the_price_response_is_known_from_and_shoppers_are_not(
    client: TestClient[Litestar], shop: dict[str, str]
) -> None:
    body = {"product": {"id": "kettle-0"}}
    merchants, shoppers = (post(client, "/v1/quotes", body, headers).json() for headers in (HEADERS, shop))
    assert merchants["identified_by"] in ("demo_store", "prior")
    assert "identified_by" not in merchants["versions"]
    assert "identified_by" not in shoppers
    assert merchants["satisfaction_source"] == merchants["identified_by"]
    assert merchants["priors"] == (["satisfaction"] if merchants["satisfaction_source"] == "prior" else [])
    assert not {"satisfaction_source", "priors"} & shoppers.keys()
