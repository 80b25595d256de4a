"""Lists over HTTP: filters, cursors, parameters; records by id; answers that can be sent back."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app
from agent.api.cursors import decode_cursor, encode_cursor
from agent.api.problems import Problem
from tests.prepared import World, open_all

ADMIN = "bootstrap-key-for-tests"
USD = {"currency": "USD", "fraction_digits": 2}


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("lists") / "data")


@pytest.fixture(scope="module")
def client(own: World) -> Iterator[TestClient[Litestar]]:
    with TestClient(create_app(own.settings(bootstrap_key=ADMIN, language_model=False), open_all)) as running:
        running.headers["Authorization"] = f"Bearer {ADMIN}"
        yield running


@pytest.fixture(scope="module")
def quoted(client: TestClient[Litestar], own: World) -> list[dict[str, Any]]:
    """Quotes of two shoppers for two products, newest last."""
    pairs = [(who, what) for who in (own.shopper, "list-guest") for what in (own.bought, own.never_bought)] * 2
    sent = [client.post("/v1/quotes", json={"shopper": {"id": who}, "product": {"id": what}}) for who, what in pairs]
    assert {one.status_code for one in sent} == {201}
    for one in sent:
        assert one.headers["location"] == f"/v1/quotes/{one.json()['id']}"
        assert client.get(one.headers["location"]).json()["price"] == one.json()["price"]
    return [one.json() for one in sent]


def items(client: TestClient[Litestar], path: str, **query: Any) -> list[dict[str, Any]]:
    """All rows of a list, page by page."""
    found: list[dict[str, Any]] = []
    after: dict[str, str] = {}
    while True:
        answer = client.get(path, params={**query, **after})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert set(page) == {"items", "has_more", "next"}
        assert page["has_more"] == (page["next"] is not None)
        found += page["items"]
        if page["next"] is None:
            return found
        assert quote(page["next"], safe="") == page["next"], "fit for a URL as it is"
        after = {"after": page["next"]}


def refusal(answer: Any, code: str) -> dict[str, Any]:
    assert answer.status_code == 422, answer.text
    document: dict[str, Any] = answer.json()
    assert document["code"] == code
    return document


def test_quotes_are_listed_newest_first_with_what_tells_them_apart(
    client: TestClient[Litestar], quoted: list[dict[str, Any]], own: World
) -> None:
    for limit in (1, 3, 200):
        listed = items(client, "/v1/quotes", limit=limit)
        assert [one["id"] for one in listed][: len(quoted)] == [one["id"] for one in reversed(quoted)]
    row, whole = listed[0], quoted[-1]
    for name in ("id", "at", "product_id", "shopper_id", "price", "reference_price", "list_price", "valid_until"):
        assert row[name] == whole[name]
    assert row["strategy"] == {name: whole["strategy"][name] for name in ("name", "lever", "source")}
    assert row["held"] in (None, *("unknown_cost", "nothing_better", "not_sure", "no_time", "cost_not_covered"))
    assert not {"candidates", "scores", "token"} & set(row)
    mine = items(client, "/v1/quotes", shopper_id=own.shopper, product_id=own.bought, limit=1)
    assert {(one["shopper_id"], one["product_id"]) for one in mine} == {(own.shopper, own.bought)}
    assert len(mine) == 2
    since, until = quoted[2]["at"], quoted[5]["at"]
    assert [one["id"] for one in items(client, "/v1/quotes", **{"from": since, "until": until})] == [
        one["id"] for one in reversed(quoted[2:5])
    ]
    for name in ("rung", "personalised"):
        value = str(row[name]).lower()
        assert {one[name] for one in items(client, "/v1/quotes", **{name: value})} == {row[name]}
    assert items(client, "/v1/quotes", currency="JPY") == []


def test_outcomes_and_events_are_listed_and_found_by_id(
    client: TestClient[Litestar], quoted: list[dict[str, Any]]
) -> None:
    sold = quoted[0]
    body = {"quote_id": sold["id"], "type": "purchased", "outcome_id": "order 7/ä"}
    first, again = (client.post("/v1/outcomes", json=body) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 200)
    assert "location" not in again.headers
    found = client.get(first.headers["location"]).json()
    assert found["id"] == first.json()["id"]
    assert (found["quote_id"], found["price"]) == (sold["id"], sold["price"])
    assert items(client, "/v1/outcomes", quote_id=sold["id"]) == [found]
    newest = client.get("/v1/outcomes", params={"limit": 1}).json()
    assert newest["items"] == [found]
    assert newest["has_more"], "the demo's own outcomes follow"
    assert {one["type"] for one in client.get("/v1/outcomes?type=declined").json()["items"]} == {"declined"}
    assert client.get("/v1/outcomes/no-such").json()["code"] == "not-found"
    events = client.get("/v1/events", params={"shopper_id": sold["shopper_id"], "type": "purchase", "limit": 5}).json()
    assert {(one["shopper_id"], one["type"]) for one in events["items"]} == {(sold["shopper_id"], "purchase")}
    assert events["items"][0]["product_id"] == sold["product_id"]


def test_products_are_listed_by_id_category_and_title(client: TestClient[Litestar]) -> None:
    rows = [
        {
            "id": f"list-{n}",
            "title": title,
            "category": "Schuhe",
            "list_price": {"amount_minor": 500, "currency": "USD"},
        }
        for n, title in enumerate(("GROSSE Stiefel", "kleine Straße", "Sandale"))
    ]
    assert client.put("/v1/products", json=rows).status_code == 200
    assert [one["id"] for one in items(client, "/v1/products", category="Schuhe", limit=2)] == [
        "list-0",
        "list-1",
        "list-2",
    ]
    assert [one["id"] for one in items(client, "/v1/products", q="STRASSE")] == ["list-1"]
    assert items(client, "/v1/products", category="Schuhe", currency="EUR") == []


def test_shoppers_are_listed_with_their_consent_and_rows_can_be_put_back(client: TestClient[Litestar]) -> None:
    client.put("/v1/shoppers/list-a", json={"profile": {"age": 40}, "personalisation": "off"})
    client.put("/v1/shoppers/list-b", json={"profile": {"region": "urban"}})
    off = items(client, "/v1/shoppers", personalisation="off")
    assert [one["id"] for one in off] == ["list-a"]
    known = {one["id"]: one for one in items(client, "/v1/shoppers", limit=3)}
    assert known["list-b"] == {"id": "list-b", "profile": {"region": "urban"}, "personalisation": "on"}
    for one in (known["list-a"], known["list-b"]):
        assert client.put(f"/v1/shoppers/{one['id']}", json=one).status_code == 200
    assert {one["id"]: one for one in items(client, "/v1/shoppers")} == known
    wrong = client.put("/v1/shoppers/list-a", json=known["list-b"])
    assert [one["field"] for one in refusal(wrong, "fields-invalid")["errors"]] == ["id"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=ten", "limit"),
        ("limit=5.0", "limit"),
        ("limit=", "limit"),
        ("personalised=yes", "personalised"),
        ("source=magic", "source"),
        ("lever=pull", "lever"),
        ("rung=top", "rung"),
        ("currency=usd", "currency"),
        ("from=yesterday", "from"),
        ("until=2026-01-01", "until"),
        ("product_id=", "product_id"),
        ("limit=5&limit=6", "limit"),
    ],
)
def test_a_bad_parameter_is_named_with_what_is_allowed(client: TestClient[Litestar], query: str, field: str) -> None:
    document = refusal(client.get(f"/v1/quotes?{query}"), "parameter-invalid")
    assert [one["field"] for one in document["errors"]] == [field]
    assert document["errors"][0]["allowed"]


def test_a_plus_in_a_time_that_was_sent_as_it_is_is_read(client: TestClient[Litestar]) -> None:
    assert client.get("/v1/quotes?from=2026-01-01T00:00:00+01:00").status_code == 200


@pytest.mark.parametrize(
    ("method", "url", "name", "hint"),
    [
        ("GET", "/v1/quotes?shoper_id=x", "shoper_id", "shopper_id"),
        ("GET", "/v1/products?currencies=USD", "currencies", "currency"),
        ("GET", "/v1/outcomes?offset=50", "offset", ""),
        ("POST", "/v1/quotes?veiw=shopper", "veiw", "view"),
        ("GET", "/v1/rules?all=1", "all", ""),
        ("DELETE", "/v1/products/none?force=true", "force", ""),
    ],
)
def test_an_unknown_parameter_is_refused_by_name(
    client: TestClient[Litestar], method: str, url: str, name: str, hint: str
) -> None:
    document = refusal(client.request(method, url, json={}), "parameter-unknown")
    assert [one["field"] for one in document["errors"]] == [name]
    assert (f"did you mean {hint}?" in document["detail"]) == bool(hint)


def test_probes_may_carry_any_parameter(client: TestClient[Litestar]) -> None:
    assert client.get("/livez?cache=1").status_code == 200


def test_a_cursor_goes_with_its_list_and_its_filters_alone(
    client: TestClient[Litestar], quoted: list[dict[str, Any]]
) -> None:
    after = client.get("/v1/quotes?limit=1").json()["next"]
    assert client.get(f"/v1/quotes?limit=7&after={after}").status_code == 200
    for url in (f"/v1/quotes?after={after}&personalised=true", f"/v1/outcomes?after={after}", "/v1/quotes?after=MTIz"):
        assert "allowed: `next`" in refusal(client.get(url), "cursor-invalid")["detail"]
    changed = after[:-2] + ("AA" if after[-2:] != "AA" else "BB")
    refusal(client.get(f"/v1/quotes?after={changed}"), "cursor-invalid")


positions = st.tuples(st.integers(-(2**62), 2**62), st.text(max_size=40)) | st.tuples(st.text(max_size=40))


@given(position=positions, filters=st.text(max_size=20), other=st.text(max_size=20))
def test_a_cursor_gives_back_its_position_or_is_refused(position: tuple[Any, ...], filters: str, other: str) -> None:
    kinds = tuple(type(one) for one in position)
    cursor = encode_cursor(position, filters)
    assert decode_cursor(cursor, filters, kinds) == position
    if other != filters:
        with pytest.raises(Problem):
            decode_cursor(cursor, other, kinds)
    with pytest.raises(Problem):
        decode_cursor(cursor, filters, (*kinds, int))


@given(text=st.text(max_size=60))
def test_no_text_that_is_not_a_cursor_is_read_as_one(text: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_cursor(text, "filters", (int, int))
    assert caught.value.code == "cursor-invalid"


def money(least: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    return st.integers(least, 10**9).map(lambda amount: {"amount_minor": amount, "currency": "USD"})


texts = st.text(st.characters(categories=("L", "N", "P", "Zs")), max_size=30)
bodies = st.fixed_dictionaries(
    {"id": st.sampled_from(["back-1", "back/2", "zurück 3"]), "title": texts.filter(str.strip), "list_price": money(1)},
    optional={
        "description": texts,
        "category": texts,
        "brand": texts,
        "inventory": st.none() | st.integers(0, 10**9),
        "rating": st.none() | st.floats(0, 5),
        "attributes": st.dictionaries(st.sampled_from(["a", "b"]), st.booleans() | st.floats(-1e9, 1e9) | texts),
    },
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=bodies)
def test_a_product_can_be_put_back_as_it_was_got(client: TestClient[Litestar], body: dict[str, Any]) -> None:
    put = client.put("/v1/products", json=body)
    assert put.status_code == 200, put.text
    address = f"/v1/products/{quote(body['id'], safe='')}"
    got = client.get(address).json()
    assert got["list_price"] == body["list_price"] | USD
    again = client.put("/v1/products", content=json.dumps(got))
    assert again.status_code == 200, again.text
    assert client.get(address).json() == got
    listed = items(client, "/v1/products", q=got["title"][:5])
    assert got in listed
    assert client.put("/v1/products", json={"products": listed[:50]}).status_code == 200


def test_a_products_limits_and_cost_can_be_put_back_too(client: TestClient[Litestar]) -> None:
    amounts = {"list_price": 1000, "cost": 400, "min_price": 600, "max_price": 1200, "map_price": 700}
    body = {"id": "back-limits", "title": "Kettle", **{name: {"amount_minor": n} | USD for name, n in amounts.items()}}
    assert client.put("/v1/products", json=body).status_code == 200
    got = client.get("/v1/products/back-limits").json()
    assert {name: got[name] for name in amounts} == {name: body[name] for name in amounts}
    assert client.put("/v1/products", json=got).status_code == 200
    assert client.get("/v1/products/back-limits").json() == got


@pytest.mark.parametrize("digits", [3, 0, -1, True, "2", None, 2.5])
def test_fraction_digits_that_contradict_the_currency_are_refused(client: TestClient[Litestar], digits: Any) -> None:
    price = {"amount_minor": 100, "currency": "USD", "fraction_digits": digits}
    body = {"id": "digits", "title": "x", "list_price": price}
    document = refusal(client.put("/v1/products", json=body), "fields-invalid")
    assert document["errors"][0]["field"] == "products.0.list_price"
    assert "allowed: 2" in document["errors"][0]["message"]


def test_prices_of_answers_can_be_sent_in_limits_and_events(client: TestClient[Litestar], own: World) -> None:
    first = client.post("/v1/quotes", json={"product": {"id": own.bought}}).json()
    price = first["reference_price"]
    body = {
        "product": {"id": own.bought, "list_price": price, "cost": {**price, "amount_minor": 1}},
        "limits": {"max_price": price},
        "context": {"competitor_prices": [first["price"]]},
        "events": [{"type": "view", "product_id": own.bought, "price": first["price"]}],
    }
    assert client.post("/v1/quotes", json=body).status_code == 201


def test_a_version_of_the_rules_can_be_proposed_again_as_it_was_got(client: TestClient[Litestar]) -> None:
    limits = {"min_price": {"amount_minor": 100} | USD, "max_discount": 0.3}
    document = {"limits": limits, "products": {"p": {"max_price": {"amount_minor": 900} | USD}}}
    made = client.post("/v1/rules/versions", json={"document": document, "note": "first"})
    assert made.status_code == 201, made.text
    got = client.get(made.headers["location"])
    assert got.json() == made.json()
    again = client.post("/v1/rules/versions", json={"document": got.json()["document"]})
    assert again.status_code == 201, again.text
    assert again.json()["document"] == got.json()["document"]
    assert client.get("/v1/rules/versions/999").json()["code"] == "not-found"


def test_a_recorded_request_can_be_sent_again(client: TestClient[Litestar], own: World) -> None:
    price = {"amount_minor": 900, "currency": "USD"}
    body = {
        "shopper": {"id": "again", "profile": {"age": 30, "region": "urban"}},
        "product": {"id": own.bought},
        "context": {"competitor_prices": [price], "at": "2026-02-03T04:05:06Z", "season": "winter", "stars": 4},
        "limits": {"max_price": price},
        "events": [{"type": "view", "product_id": own.bought}],
    }
    assert client.post("/v1/quotes", json=body).status_code == 201
    recorded = client.get("/v1/shoppers/again").json()["decisions"][0]["request"]
    again = client.post("/v1/quotes", json=recorded)
    assert again.status_code == 201, again.text


def test_a_webhook_is_at_its_location_without_its_secret(client: TestClient[Litestar]) -> None:
    body = {"url": "https://93.184.215.14/hook", "events": ["model.activated"]}
    made = client.post("/v1/webhooks", json=body)
    assert made.status_code == 201, made.text
    got = client.get(made.headers["location"]).json()
    assert got == {name: value for name, value in made.json().items() if name != "secret"}
    assert client.get("/v1/webhooks/none").json()["code"] == "not-found"
    assert client.delete(made.headers["location"]).json() == {"removed": True}


def test_a_removed_product_is_found_nowhere_until_it_is_put_again(client: TestClient[Litestar], own: World) -> None:
    body = {"id": "gone/1", "title": "Zither", "category": "zithers", "list_price": {"amount_minor": 700} | USD}
    address = "/v1/products/gone%2F1"
    assert client.delete(address).json()["code"] == "not-found"
    client.put("/v1/products", json=body)
    ask = {"shopper": {"id": own.shopper}, "product": {"id": "gone/1"}}
    quote_before = client.post("/v1/quotes", json=ask).json()
    assert client.delete(address).json() == {"id": "gone/1", "removed": True}
    assert client.delete(address).json() == {"id": "gone/1", "removed": False}
    assert client.get(address).status_code == 404
    assert items(client, "/v1/products", category="zithers") == []
    refused = client.post("/v1/quotes", json=ask)
    assert refusal(refused, "not-priceable")["errors"][0]["field"] == "product.id"
    wanted = {"shopper": {"id": own.shopper}, "category": "zithers"}
    assert client.post("/v1/recommendations", json=wanted).json() == {"items": []}
    described = {"product": {"title": "Zither", "category": "zithers", "list_price": {"amount_minor": 700} | USD}}
    near = client.post("/v1/quotes", json=described).json()["similar"]
    assert "gone/1" not in [one["id"] for one in near]
    assert client.post("/v1/quotes/verify", json={"token": quote_before["token"]}).json()["status"] == "valid"
    assert client.get(f"/v1/quotes/{quote_before['id']}").status_code == 200
    sold = client.post("/v1/outcomes", json={"quote_id": quote_before["id"], "type": "purchased"})
    assert sold.status_code == 201, sold.text
    assert client.put("/v1/products", json=body).status_code == 200
    assert client.post("/v1/quotes", json=ask).status_code == 201
    assert [one["product"]["id"] for one in client.post("/v1/recommendations", json=wanted).json()["items"]] == [
        "gone/1"
    ]
