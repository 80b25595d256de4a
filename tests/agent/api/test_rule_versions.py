"""Rules over HTTP and the command line, through the running service."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from pydantic import SecretStr
from typer.testing import CliRunner

from agent.api.app import create_app
from agent.cli.main import app as commands
from agent.rules.book import FRESH_S
from tests.prepared import World, open_all

KEY = "test-key-of-enough-letters"


@pytest.fixture
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("ruled") / "data")


@pytest.fixture
def client(own: World) -> Iterator[TestClient[Litestar]]:
    settings = own.settings(bootstrap_key=SecretStr(KEY), language_model=False)
    with TestClient(create_app(settings, open_all)) as one:
        one.headers["Authorization"] = f"Bearer {KEY}"
        yield one


def usd(amount: int) -> dict[str, Any]:
    return {"amount_minor": amount, "currency": "USD"}


def key_of(own: World, *scopes: str) -> dict[str, str]:
    options = [part for scope in scopes for part in ("--scope", scope)]
    made = CliRunner().invoke(commands, ["keys", "create", "k", *options, "--json", "--data-dir", str(own.folder)])
    return {"Authorization": f"Bearer {json.loads(made.output)['key']}"}


def command(own: World, *arguments: str) -> Any:
    done = CliRunner().invoke(commands, ["rules", *arguments, "--json", "--data-dir", str(own.folder)])
    assert done.exit_code == 0, done.output
    return json.loads(done.output)


def test_rules_bind_every_path_at_once_and_roll_back_with_one_call(client: TestClient[Litestar], own: World) -> None:
    asked = {"shopper": {"id": own.shopper}, "product": {"id": own.bought, "cost": usd(1)}}
    before = client.post("/v1/quotes", json=asked).json()
    reference = before["reference_price"]["amount_minor"]
    assert before["versions"]["rules"] == "rules/0"

    document = {"products": {own.bought: {"min_price": usd(reference + 7)}}}
    made = client.post("/v1/rules/versions", json={"document": document, "note": "vendor's floor"}).json()
    assert (made["version"], made["loosens"]) == (1, [])
    window = client.post("/v1/rules/versions/1/activate", json={}).json()
    assert (window["version"], window["by"]) == (1, "bootstrap")

    quote = client.post("/v1/quotes", json=asked).json()
    assert quote["price"]["amount_minor"] >= reference + 7
    assert ("floor" in [step["rule"] for step in quote["trail"]], quote["versions"]["rules"]) == (True, "rules/1")
    batch = client.post("/v1/quotes/batch", json={"quotes": [asked, asked]}).json()["results"]
    assert all(row["quote"]["price"]["amount_minor"] >= reference + 7 for row in batch)

    after = client.post("/v1/rules/rollback", json={}).json()
    assert (after["version"], after["in_effect"]) == (0, None)
    again = client.post("/v1/quotes", json={**asked, "shopper": {"id": "another"}}).json()
    assert again["price"]["amount_minor"] <= reference
    assert client.get("/v1/rules/versions").json()["activations"][0]["ended"] is not None
    verified = CliRunner().invoke(commands, ["audit", "verify", "--json", "--data-dir", str(own.folder)])
    assert verified.exit_code == 0, verified.output


def test_recommendations_follow_a_category_rule(client: TestClient[Litestar], own: World) -> None:
    ranked = client.post("/v1/recommendations", json={"shopper": {"id": own.shopper}, "limit": 5}).json()["items"]
    document = {"limits": {"max_discount": 0.0}}
    client.post("/v1/rules/versions", json={"document": document})
    client.post("/v1/rules/versions/1/activate", json={})
    held = client.post("/v1/recommendations", json={"shopper": {"id": own.shopper}, "limit": 5}).json()["items"]
    assert len(ranked) == len(held) == 5
    assert all(item["quote"]["price"] == item["quote"]["reference_price"] for item in held)


def test_loosening_needs_a_second_key(client: TestClient[Litestar], own: World) -> None:
    document = {"limits": {"never_above_reference": False}}
    made = client.post("/v1/rules/versions", json={"document": document}).json()
    assert made["loosens"] == ["everything: never_above_reference from on to off"]
    refused = client.post("/v1/rules/versions/1/activate", json={})
    assert (refused.status_code, refused.json()["errors"][0]["received"]) == (403, made["loosens"][0])
    assert client.post("/v1/rules/versions/1/approve", json={}).status_code == 422, "the same key"
    other = key_of(own, "merchant")
    assert client.post("/v1/rules/versions/1/approve", json={}, headers=other).json()["approved_by"]
    assert client.post("/v1/rules/versions/1/activate", json={}).status_code == 200
    assert client.get("/v1/rules").json()["rules"]["limits"]["never_above_reference"] is False


def test_a_preview_says_how_many_prices_would_change_and_by_how_much(client: TestClient[Litestar], own: World) -> None:
    products = [own.bought, own.never_bought]
    reference = client.post("/v1/quotes", json={"product": {"id": own.bought}}).json()["reference_price"]
    document = {"products": {own.bought: {"min_price": usd(2 * reference["amount_minor"])}}}
    client.post("/v1/rules/versions", json={"document": document})
    before = client.post("/v1/rules/versions/1/preview", json={}).json()  # other tests may have quoted in this world
    for shopper in (own.shopper, "a", "b"):
        for product in products:
            client.post("/v1/quotes", json={"shopper": {"id": shopper}, "product": {"id": product}})
    found = client.post("/v1/rules/versions/1/preview", json={}).json()
    counts = ("quotes", "compared", "changed", "raised")
    assert [found[name] - before[name] for name in counts] == [6, 6, 3, 3]
    largest = found["largest"][0]
    assert (largest["product_id"], largest["after_minor"]) == (own.bought, 2 * reference["amount_minor"])
    assert found["mean_change_frac"] > 0
    assert found["profit"][0]["after"] != found["profit"][0]["before"]
    assert client.post("/v1/rules/versions/2/preview", json={}).status_code == 404
    unchanged = client.get("/v1/rules").json()
    assert unchanged["version"] == 0


def test_the_command_line_reaches_a_running_server(client: TestClient[Litestar], own: World, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"limits": {"max_discount": 0.0}}))
    assert command(own, "propose", str(file)) == {"version": 1, "loosens": []}
    command(own, "activate", "1", "--note", "no discounts today")
    time.sleep(FRESH_S + 0.1)
    assert client.get("/v1/rules").json()["version"] == 1
    quote = client.post("/v1/quotes", json={"shopper": {"id": own.shopper}, "product": {"id": own.bought}}).json()
    assert quote["price"] == quote["reference_price"]
    assert command(own, "rollback") == {"rolled back": 1, "in effect": 0}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("versions", {"document": {}}),
        ("versions/1/preview", {}),
        ("versions/1/approve", {}),
        ("versions/1/activate", {}),
        ("rollback", {}),
    ],
)
def test_a_frontends_key_cannot_touch_rules(
    client: TestClient[Litestar], own: World, path: str, body: dict[str, Any]
) -> None:
    answer = client.post(f"/v1/rules/{path}", json=body, headers=key_of(own, "quotes", "outcomes"))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "document",
    [
        {"limits": {"min_margin": 1.0}},
        {"limits": {"max_discount": -0.1}},
        {"limits": {"min_price": {"amount_minor": 5}}},
        {"floor": 5},
        {"products": {"": {}}},
        {"exploration": "wild"},
    ],
)
def test_a_document_that_is_not_right_is_refused_with_its_field(
    client: TestClient[Litestar], document: dict[str, Any]
) -> None:
    answer = client.post("/v1/rules/versions", json={"document": document})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"].startswith("document")
