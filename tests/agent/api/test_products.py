"""Products over HTTP: put, searchable at once; limits that contradict each other refused, doubts told."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import create_app
from tests.prepared import World, open_all

ADMIN = "bootstrap-key-for-tests"
HEADERS = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def client(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Litestar]]:
    own = world.copy(tmp_path_factory.mktemp("products") / "data")
    settings = own.settings(bootstrap_key=ADMIN)
    with TestClient(create_app(settings, open_all)) as made:
        yield made


def refused(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 422, answer.text
    document: dict[str, Any] = answer.json()
    return document


def post(client: TestClient[Litestar], path: str, body: Any) -> Any:
    return client.post(path, content=json.dumps(body), headers=HEADERS)


def test_products_are_searchable_and_priced_at_once(client: TestClient[Litestar]) -> None:
    product = {"id": "kite", "title": "box kite", "list_price": {"amount_minor": 2500, "currency": "USD"}}
    answer = client.put("/v1/products", content=json.dumps({"products": [product]}), headers=HEADERS)
    assert answer.json() == {"accepted": 1, "warnings": []}
    quote = post(client, "/v1/quotes", {"product": {"id": "kite"}}).json()
    assert quote["reference_price"]["amount_minor"] == 2500
    mixed = {**product, "cost": {"amount_minor": 5, "currency": "EUR"}}
    refused(client.put("/v1/products", content=json.dumps({"products": [mixed]}), headers=HEADERS))


@pytest.mark.parametrize(
    ("amounts", "fields"),
    [
        ({"list_price": 1_999, "cost": 199_900}, ["cost", "list_price"]),
        ({"list_price": 10_000, "min_price": 9_500, "max_price": 9_000}, ["min_price", "max_price"]),
        ({"list_price": 10_000, "map_price": 15_000}, ["map_price", "list_price"]),
    ],
)
def test_limits_that_contradict_each_other_are_refused_with_both_fields(
    client: TestClient[Litestar], amounts: dict[str, int], fields: list[str]
) -> None:
    product = {"id": "c1", "title": "Mug"} | {
        name: {"amount_minor": amount, "currency": "EUR"} for name, amount in amounts.items()
    }
    document = refused(client.put("/v1/products", content=json.dumps([product]), headers=HEADERS))
    assert [one["field"] for one in document["errors"]] == [f"products.0.{field}" for field in fields]
    assert all(one["allowed"] for one in document["errors"])
    refused(post(client, "/v1/quotes", {"product": {"id": "c1"}}))  # nothing was stored


def test_a_list_price_in_another_unit_and_a_repeated_id_are_accepted_with_warnings(
    client: TestClient[Litestar],
) -> None:
    def put(*amounts: int) -> dict[str, Any]:
        rows = [
            {"id": "leap", "title": "Pan", "list_price": {"amount_minor": amount, "currency": "EUR"}}
            for amount in amounts
        ]
        found: dict[str, Any] = client.put("/v1/products", content=json.dumps(rows), headers=HEADERS).json()
        return found

    assert put(1_999) == {"accepted": 1, "warnings": []}
    assert put(1_499) == {"accepted": 1, "warnings": []}
    [warning] = put(149_900)["warnings"]
    assert warning["field"] == "list_price"
    assert "from 14.99 EUR to 1,499.00 EUR" in warning["message"]
    twice = put(160_000, 150_000)
    assert twice["accepted"] == 1
    assert [(one["product_id"], one["field"]) for one in twice["warnings"]] == [("leap", "id")]
    assert post(client, "/v1/quotes", {"product": {"id": "leap"}}).json()["list_price"]["amount_minor"] == 150_000


def test_a_loss_leader_and_an_unpayable_list_price_are_accepted_with_warnings(client: TestClient[Litestar]) -> None:
    def money(amount: int, currency: str) -> dict[str, Any]:
        return {"amount_minor": amount, "currency": currency}

    lure = {"id": "lure", "title": "Printer", "list_price": money(5_000, "EUR"), "cost": money(7_000, "EUR")}
    tea = {"id": "oolong", "title": "Tea", "list_price": money(14_628, "TWD"), "cost": money(9_000, "TWD")}
    answer = client.put("/v1/products", content=json.dumps([lure, tea]), headers=HEADERS).json()
    assert answer["accepted"] == 2
    assert [(one["product_id"], one["field"]) for one in answer["warnings"]] == [
        ("lure", "cost"),
        ("oolong", "list_price"),
    ]
    held = post(client, "/v1/quotes", {"product": {"id": "lure"}}).json()
    assert (held["price"]["amount_minor"], held["personalised"]) == (5_000, False)
    assert [step["rule"] for step in held["trail"]] == ["cost_not_covered"]
    assert post(client, "/v1/quotes", {"product": {"id": "oolong"}}).json()["reference_price"]["amount_minor"] == 14_600
