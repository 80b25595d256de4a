"""Merchants never see one another's data, and no route answers to a wrong key."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from typer.testing import CliRunner

from agent.api.app import create_app
from agent.cli.main import app as commands
from agent.domain.clock import FixedClock, SystemClock
from agent.service.auth.api_keys import CACHE_TTL_S, KeyRing, Scope
from agent.service.merchants import MerchantError, Merchants, settings_of
from agent.service.opening import open_store
from agent.service.settings import Settings
from agent.store import Store
from tests.prepared import World, open_all

MARK = "mark-of-the-default-merchant"
OPEN_ROUTES = {"/livez", "/readyz", "/metrics", "/.well-known/jwks.json", "/problems", "/problems/{code}"}
SHARED_ROUTE = "/v1/quotes/{quote_id}"  # for keys with the scope quotes or merchant, each in its view
NEEDS = {
    "/v1/quotes": Scope.QUOTES,
    "/v1/quotes/batch": Scope.QUOTES,
    "/v1/pages": Scope.QUOTES,
    "/v1/quotes/verify": Scope.QUOTES,
    "/v1/recommendations": Scope.QUOTES,
    "/v1/keys": Scope.QUOTES,
    "/v1/outcomes": Scope.OUTCOMES,
    "/v1/events": Scope.OUTCOMES,
}  # every other route, and every list, needs the merchant's scope
PROBES: dict[str, Any] = {
    "/v1/quotes": {"product": {"id": "p1"}},
    "/v1/quotes/batch": {"quotes": [{"product": {"id": "p1"}}]},
    "/v1/pages": {"products": ["p1"]},
    "/v1/recommendations": {"shopper": {"id": "s1"}},
}


@dataclass(frozen=True, slots=True)
class Mall:
    """An app with two merchants; `mine` is a key of the default one with every scope, `theirs` of the other."""

    client: TestClient[Litestar]
    settings: Settings
    ring: KeyRing
    mine: str
    theirs: str

    def call(self, method: str, path: str, key: str | None, body: Any = None, **headers: str) -> Any:
        told = {"Authorization": f"Bearer {key}"} if key is not None else {}
        return self.client.request(method, path, json=body, headers=told | headers)


def usd(amount: int) -> dict[str, Any]:
    return {"amount_minor": amount, "currency": "USD"}


@pytest.fixture(scope="module")
def mall(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mall]:
    own = world.copy(tmp_path_factory.mktemp("mall") / "data")
    settings = own.settings(language_model=False, stable_prices=True)
    clock = SystemClock()
    with open_store(settings, clock) as home:
        Merchants(settings, home, clock).create("shop2", "Second shop")
        ring = KeyRing(home, clock)
        mine = ring.create("mine", [Scope.ADMIN]).text
        theirs = ring.create("theirs", [Scope.ADMIN], merchant="shop2").text
        with TestClient(create_app(settings, open_all)) as client:
            mall = Mall(client, settings, ring, mine, theirs)
            for key, title, price in ((mine, MARK, 1_000), (theirs, "Their oats", 2_000)):
                product = {"id": "p1", "title": title, "category": title, "list_price": usd(price), "cost": usd(300)}
                assert mall.call("PUT", "/v1/products", key, [product]).status_code == 200
            event = {"type": "search", "shopper_id": "s1", "text": MARK}
            assert mall.call("POST", "/v1/events", mine, event).status_code == 200
            yield mall


def quoted(mall: Mall, key: str) -> dict[str, Any]:
    answer = mall.call("POST", "/v1/quotes", key, {"shopper": {"id": "s1"}, "product": {"id": "p1"}})
    assert answer.status_code in (200, 201), answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_equal_ids_are_independent_between_merchants(mall: Mall) -> None:
    mine, theirs = quoted(mall, mall.mine), quoted(mall, mall.theirs)
    assert [one["reference_price"]["amount_minor"] for one in (mine, theirs)] == [1_000, 2_000]
    assert MARK not in json.dumps(theirs)
    for key, own, other in ((mall.mine, mine, theirs), (mall.theirs, theirs, mine)):
        assert mall.call("GET", f"/v1/quotes/{own['id']}", key).status_code == 200
        assert mall.call("GET", f"/v1/quotes/{other['id']}", key).status_code == 404
        assert mall.call("POST", f"/v1/quotes/{other['id']}/explanations", key, {}).status_code == 404
        bought = {"quote_id": other["id"], "type": "purchased"}
        assert mall.call("POST", "/v1/outcomes", key, bought).status_code == 404
        verified = mall.call("POST", "/v1/quotes/verify", key, {"token": other["token"]}).json()
        assert (verified["status"], verified["price"]) == ("tampered", None)
        assert mall.call("POST", "/v1/quotes/verify", key, {"token": own["token"]}).json()["status"] == "valid"
    ranked = mall.call("POST", "/v1/recommendations", mall.theirs, {"shopper": {"id": "s1"}}).json()["items"]
    assert [item["product"]["id"] for item in ranked] == ["p1"], "their only product"


def test_a_shopper_of_two_merchants_is_exported_and_erased_for_one_alone(mall: Mall) -> None:
    quoted(mall, mall.mine), quoted(mall, mall.theirs)
    told = mall.call("GET", "/v1/shoppers/s1", mall.theirs)
    assert told.status_code == 200
    assert MARK not in told.text
    assert mall.call("DELETE", "/v1/shoppers/s1", mall.theirs).status_code == 200
    assert mall.call("GET", "/v1/shoppers/s1", mall.theirs).status_code == 404
    assert MARK in mall.call("GET", "/v1/shoppers/s1", mall.mine).text


def test_idempotency_rules_switch_and_signing_keys_are_independent(mall: Mall) -> None:
    body = {"product": {"id": "p1"}}
    answers = [
        mall.call("POST", "/v1/quotes", key, body, **{"Idempotency-Key": "k"}) for key in (mall.mine, mall.theirs)
    ]
    assert all("Idempotency-Replayed" not in answer.headers for answer in answers)
    document = {"document": {"limits": {"max_discount": 0.0}}}
    assert mall.call("POST", "/v1/rules/versions", mall.theirs, document).json()["version"] == 1
    assert mall.call("POST", "/v1/rules/versions/1/activate", mall.theirs, {}).status_code == 200
    assert mall.call("GET", "/v1/rules", mall.mine).json()["version"] == 0
    assert mall.call("POST", "/v1/rules/kill-switch", mall.theirs, {"on": True}).json()["on"]
    assert not mall.call("GET", "/v1/rules/kill-switch", mall.mine).json()["on"]
    assert mall.call("POST", "/v1/rules/kill-switch", mall.theirs, {"on": False}).status_code == 200
    keys = [mall.call("GET", "/v1/keys", key).json()["keys"][0]["kid"] for key in (mall.mine, mall.theirs)]
    assert keys[0] != keys[1]
    assert mall.client.get("/.well-known/jwks.json").json()["keys"][0]["kid"] == keys[0]


def test_metrics_are_per_merchant_and_name_neither_shopper_nor_product(mall: Mall) -> None:
    quoted(mall, mall.theirs)
    before = mall.client.get("/metrics").text
    quoted(mall, mall.theirs)
    after = mall.client.get("/metrics").text
    counted = re.compile(r"^pricesmith_(?:quotes|requests)_total\{.*(?:rung|v1/quotes).*$", re.MULTILINE)
    assert counted.findall(before) == counted.findall(after), "their quotes do not show in the default merchant's"
    own = mall.call("GET", "/v1/metrics", mall.theirs).text
    assert "pricesmith_quotes_total{" in own
    for text in (own, after):
        assert not re.search(r'"(?:s1|p1|shop2)"', text)
        assert MARK not in text


def test_files_are_per_merchant_and_large_models_are_shared(mall: Mall) -> None:
    theirs = settings_of(mall.settings, "shop2").data_dir
    for name in ("pricesmith.db", "keys/signing.pem", "models/active.json"):
        assert (theirs / name).is_file()
        assert not (theirs / name).samefile(mall.settings.data_dir / name)
    narrator = next((theirs / "models" / "narrator").glob("*/*.safetensors"), None)
    if narrator is not None:
        assert narrator.samefile(mall.settings.data_dir / narrator.relative_to(theirs))


def routes(mall: Mall) -> list[tuple[str, str]]:
    paths = mall.client.get("/schema/openapi.json").json()["paths"]
    return [(path, method.upper()) for path, methods in paths.items() for method in methods]


def filled(path: str, quote_id: str) -> str:
    return path.replace("{quote_id}", quote_id).replace("{shopper_id}", "s1").replace("{version}", "1")


def test_no_route_answers_to_a_wrong_key(mall: Mall) -> None:
    ring, clock = mall.ring, FixedClock(SystemClock().now())
    revoked = ring.create("revoked", [Scope.ADMIN])
    ring.revoke(revoked.key.key_id)
    past = KeyRing(ring._store, FixedClock(clock.at - timedelta(days=2)))
    expired = past.create("expired", [Scope.ADMIN], clock.at - timedelta(days=1)).text
    wrong = [
        None,
        "",
        "nonsense",
        "ps_",
        mall.mine[:-1],
        mall.mine + "x",
        mall.mine.upper(),
        revoked.text,
        expired,
    ]
    quote_id = quoted(mall, mall.mine)["id"]
    guarded = [(path, method) for path, method in routes(mall) if path not in OPEN_ROUTES]
    assert len(guarded) > 20
    assert {path for path, _ in routes(mall)} - {path for path, _ in guarded} == OPEN_ROUTES
    for path, method in guarded:
        for key in wrong:
            answer = mall.call(method, filled(path, quote_id), key, PROBES.get(path, {}))
            assert answer.status_code == 401, (method, path, key)
            assert answer.json()["title"] == "Not authenticated"
        basic = mall.client.request(
            method, filled(path, quote_id), json={}, headers={"Authorization": f"Basic {mall.mine}"}
        )
        assert basic.status_code == 401


def test_no_route_answers_to_a_key_without_its_scope(mall: Mall) -> None:
    quote_id = quoted(mall, mall.mine)["id"]
    lacking = {
        scope: mall.ring.create(
            f"all but {scope}", [one for one in (Scope.QUOTES, Scope.OUTCOMES, Scope.MERCHANT) if one is not scope]
        ).text
        for scope in (Scope.QUOTES, Scope.OUTCOMES, Scope.MERCHANT)
    }
    for path, method in routes(mall):
        if path in OPEN_ROUTES or path == SHARED_ROUTE:
            continue
        listed = method == "GET" and path != "/v1/keys"
        needed = Scope.MERCHANT if listed else NEEDS.get(path, Scope.MERCHANT)
        answer = mall.call(method, filled(path, quote_id), lacking[needed], PROBES.get(path, {}))
        assert answer.status_code == 403, (method, path, answer.text)
    unscoped = mall.ring.create("outcomes alone", [Scope.OUTCOMES]).text
    assert mall.call("GET", filled(SHARED_ROUTE, quote_id), unscoped, {}).status_code == 403


def test_no_route_reveals_anything_to_another_merchants_key(mall: Mall) -> None:
    quote = quoted(mall, mall.mine)
    for path, method in routes(mall):
        if path in OPEN_ROUTES:
            continue
        answer = mall.call(method, filled(path, quote["id"]), mall.theirs, PROBES.get(path, {}))
        assert answer.status_code < 500, (method, path, answer.text)
        assert MARK not in answer.text, (method, path)
        if "{quote_id}" in path:
            assert answer.status_code in (404, 422), (method, path)
            assert quote["token"] not in answer.text


def test_a_removed_merchants_keys_end_and_its_id_is_not_used_again(mall: Mall) -> None:
    with open_store(mall.settings) as home:
        merchants = Merchants(mall.settings, home, SystemClock())
        merchants.create("shop3", "")
        key = mall.ring.create("k", [Scope.ADMIN], merchant="shop3")
        assert mall.call("GET", "/v1/rules", key.text).status_code == 200
        merchants.remove("shop3", mall.ring, purge=True)
        time.sleep(CACHE_TTL_S + 0.5)  # so long a server trusts a key that another process revoked
        assert mall.call("GET", "/v1/rules", key.text).status_code == 401
        assert not settings_of(mall.settings, "shop3").data_dir.exists()
        with pytest.raises(MerchantError, match="never used"):
            merchants.create("shop3", "")


@pytest.mark.parametrize("merchant", ["default", "", "A", "a-b", "../x", "a" * 41, "1a", 'a"b'])
def test_an_id_that_is_no_folder_and_schema_is_refused(tmp_path: Path, merchant: str) -> None:
    with Store.open(f"sqlite:///{tmp_path}/home.db") as home, pytest.raises(MerchantError, match="not a merchant id"):
        Merchants(Settings(data_dir=tmp_path), home, SystemClock()).create(merchant, "")


def test_the_commands_make_list_and_remove(tmp_path: Path) -> None:
    def run(*arguments: str) -> Any:
        done = CliRunner().invoke(commands, [*arguments, "--json", "--data-dir", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return json.loads(done.output)

    assert run("merchants", "create", "shop2", "--name", "Two")["merchant"] == "shop2"
    made = run("keys", "create", "till", "--merchant", "shop2", "--per-minute", "60")
    assert [(key["merchant"], key["name"]) for key in run("keys", "list")] == [("shop2", "till")]
    assert run("keys", "rotate", made["id"])["id"] != made["id"]
    assert [one["name"] for one in run("merchants", "list")] == ["Two"]
    assert run("merchants", "remove", "shop2")["removed"]
    assert all(key["revoked"] for key in run("keys", "list"))
    refused = CliRunner().invoke(commands, ["keys", "create", "x", "--merchant", "nobody", "--data-dir", str(tmp_path)])
    assert isinstance(refused.exception, MerchantError)


def test_rate_limits_apply_per_key_and_say_when_to_retry(mall: Mall) -> None:
    key = mall.ring.create("slow", [Scope.QUOTES], per_minute=6).text
    statuses = [mall.call("GET", "/v1/keys", key).status_code for _ in range(3)]
    assert statuses == [200, 429, 429]
    refused = mall.call("GET", "/v1/keys", key)
    assert 1 <= int(refused.headers["Retry-After"]) <= 10
    assert mall.call("GET", "/v1/keys", mall.mine).status_code == 200
