"""The kill switch holds every price, on every path, at once; laws that let prices only go down."""

import json
import time
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from pydantic import SecretStr
from typer.testing import CliRunner

from agent.api.app import create_app
from agent.cli.main import app as commands
from agent.domain.decision import Decision, Rung
from agent.domain.request import QuoteRequest
from agent.rules.gateway import GatewayFacts, GatewayRules, guard
from agent.rules.kill_switch import FRESH_S
from agent.rules.packs import binding
from tests.prepared import World, open_all

KEY = "test-key-of-enough-letters"
USD_1000 = {"amount_minor": 1_000, "currency": "USD"}
USD_50 = {"amount_minor": 50, "currency": "USD"}


@pytest.fixture
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("held") / "data")


@pytest.fixture
def client(own: World) -> Iterator[TestClient[Litestar]]:
    settings = own.settings(bootstrap_key=SecretStr(KEY), language_model=False)
    with TestClient(create_app(settings, open_all)) as one:
        one.headers["Authorization"] = f"Bearer {KEY}"
        yield one


def asked(world: World, shopper: str | None = None) -> dict[str, Any]:
    return {"shopper": {"id": shopper or world.shopper}, "product": {"id": world.bought, "cost": USD_50}}


def held(quote: dict[str, Any]) -> bool:
    rules = [step["rule"] for step in quote["trail"]]
    same = quote["price"]["amount_minor"] == quote["reference_price"]["amount_minor"]
    return same and not quote["personalised"] and rules == ["kill_switch"] and not quote["disclosure"]["inputs_used"]


def test_every_path_holds_the_reference_until_released(client: TestClient[Litestar], own: World) -> None:
    before = client.post("/v1/quotes", json=asked(own)).json()
    assert before["personalised"], "or the test shows nothing"

    turned = client.post("/v1/rules/kill-switch", json={"on": True, "reason": "prices look odd"}).json()
    assert (turned["on"], turned["by"], turned["reason"]) == (True, "bootstrap", "prices look odd")
    quote = client.post("/v1/quotes", json=asked(own)).json()
    assert held(quote)
    assert quote["trail"][0]["to"] == quote["reference_price"]
    batch = client.post("/v1/quotes/batch", json={"quotes": [asked(own), asked(own, "stranger")]}).json()
    assert all(held(row["quote"]) for row in batch["results"])
    ranked = client.post("/v1/recommendations", json={"shopper": {"id": own.shopper}, "limit": 3}).json()
    assert all(held(item["quote"]) for item in ranked["items"])
    assert client.get("/v1/rules/kill-switch").json() == turned

    assert client.post("/v1/rules/kill-switch", json={"on": False}).json()["on"] is False
    assert not held(client.post("/v1/quotes", json=asked(own, "another")).json())


@pytest.mark.parametrize(
    ("question", "told"),
    [("Why this price?", "the merchant holds all prices"), ("为什么是这个价格？", "商家暂停了所有调价")],
    ids=["English", "Chinese"],
)
def test_a_held_quote_is_explained_by_the_hold(
    client: TestClient[Litestar], own: World, question: str, told: str
) -> None:
    client.post("/v1/rules/kill-switch", json={"on": True, "reason": "stock take"})
    quote = client.post("/v1/quotes", json=asked(own)).json()
    answer = client.post(f"/v1/quotes/{quote['id']}/explanations", json={"question": question}).json()
    assert told in answer["answer"]
    assert "deadline" not in answer["answer"]
    assert answer["checks"]["passed"]


def test_the_command_reaches_a_running_server_and_a_restart_keeps_it(client: TestClient[Litestar], own: World) -> None:
    assert not held(client.post("/v1/quotes", json=asked(own)).json())
    done = CliRunner().invoke(commands, ["rules", "hold", "--reason", "audit", "--data-dir", str(own.folder)])
    assert done.exit_code == 0
    time.sleep(FRESH_S + 0.1)
    assert held(client.post("/v1/quotes", json=asked(own)).json())
    again = own.service(language_model=False)
    try:
        answer = again.quote([QuoteRequest.model_validate(asked(own))])[0]
        assert isinstance(answer, Decision)
        assert answer.trail[0].rule == "kill_switch"
    finally:
        again.close()
    assert CliRunner().invoke(commands, ["rules", "release", "--data-dir", str(own.folder)]).exit_code == 0


def test_a_frontends_key_cannot_turn_the_switch(client: TestClient[Litestar], own: World) -> None:
    given = ["keys", "create", "shop", "--scope", "quotes", "--json", "--data-dir", str(own.folder)]
    made = CliRunner().invoke(commands, given)
    key = json.loads(made.output)["key"]
    answer = client.post("/v1/rules/kill-switch", json={"on": True}, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("place", "category", "code"),
    [
        ("Maryland", "Grocery", "US-MD"),
        ("US-MD", "FROZEN PIZZA", "US-MD"),
        ("MD", "", "US-MD"),
        ("MD", "laptops", None),
        ("中国", "laptops", "CN"),
        ("CN-SH", "grocery", "CN"),
        ("US-NY", "grocery", None),
        (None, "grocery", None),
    ],
)
def test_laws_that_let_prices_only_go_down_are_known(place: str | None, category: str, code: str | None) -> None:
    assert binding(place, category, date(2026, 12, 1)).discount_only == code


def test_such_a_law_binds_in_the_gateway_under_its_own_name() -> None:
    facts = GatewayFacts(reference_minor=1_000, fraction_digits=2, cost_minor=100)
    found = guard(1_200, GatewayRules(discount_only="US-MD"), facts)
    assert (found.price_minor, [step.rule for step in found.trail]) == (1_000, ["law.US-MD.discount_only"])
    assert guard(900, GatewayRules(discount_only="US-MD"), facts).price_minor == 900


@pytest.mark.parametrize(("place", "highest"), [("Maryland", 1.0), ("China", 1.0), ("Texas", 1.6)])
def test_a_merchant_who_allows_higher_prices_cannot_pass_the_law(own: World, place: str, highest: float) -> None:
    service = own.service(language_model=False, never_above_reference=False, exploration="normal")
    try:
        body = {
            "product": {
                "title": "Oat drink",
                "category": "dairy",
                "list_price": USD_1000,
                "cost": {"amount_minor": 900, "currency": "USD"},
            },
            "context": {"jurisdiction": place},
        }
        answers = service.quote([QuoteRequest.model_validate(body)] * 20)
        prices = [answer.price_minor for answer in answers if isinstance(answer, Decision)]
        assert len(prices) == 20
        assert max(prices) <= 1_000 * highest
        if highest > 1:
            assert max(prices) > 1_000, "the law, not the prices, must make the difference"
    finally:
        service.close()


def test_credit_is_not_personalised_unless_the_merchant_turns_it_on(own: World) -> None:
    body = {
        "shopper": {"id": "b1", "profile": {"income": 90_000}},
        "product": {
            "title": "Loan",
            "category": "loans",
            "list_price": {"amount_minor": 900, "currency": "USD"},
            "cost": {"amount_minor": 300, "currency": "USD"},
        },
    }
    for personalises in (None, True):
        service = own.service(language_model=False, pack="finance", personalises=personalises)
        try:
            answer = service.quote([QuoteRequest.model_validate(body)])[0]
        finally:
            service.close()
        assert isinstance(answer, Decision)
        used = "profile.income" in answer.disclosure.inputs_used
        assert used == bool(personalises)
        if not personalises:
            assert answer.price_minor == answer.reference_minor
            assert "personalisation is off in this trade" in answer.rationale


def test_a_quote_without_time_discloses_no_input(own: World) -> None:
    service = own.service()
    try:
        answer = service.quote([QuoteRequest.model_validate({**asked(own), "deadline_ms": 1})])[0]
    finally:
        service.close()
    assert isinstance(answer, Decision)
    assert answer.rung is Rung.REFERENCE
    assert (answer.disclosure.inputs_used, answer.personalised, answer.disclosure.required) == ((), False, False)
