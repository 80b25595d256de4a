"""The service prints no keys, tokens, secrets or personal data, whatever fails."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing, Scope
from agent.store import Store, StoreUnavailable
from tests.agent.api.scripted import ADMIN, ScriptedService, scripted_app

PROFILE = "qqsecret-hobby"
SHOPPER = "qqsecret-shopper"
QUERY = "qqsecret-query"
TOKEN = "qqsecret.token.text"  # noqa: S105 - planted
QUOTE: dict[str, Any] = {
    "shopper": {"id": SHOPPER, "profile": {"hobby": PROFILE}},
    "product": {"title": "bread", "list_price": {"amount_minor": 100, "currency": "USD"}},
}
FAILURES = [
    None,
    RuntimeError(f"{SHOPPER} {ADMIN}"),
    StoreUnavailable(f"postgresql://user:{PROFILE}@host/db did not answer"),
    ValueError(TOKEN),
]


@pytest.fixture
def service() -> ScriptedService:
    return ScriptedService()


@pytest.fixture
def client(service: ScriptedService, empty_store: Path) -> Iterator[TestClient[Litestar]]:
    with TestClient(
        scripted_app(service, empty_store, webhooks_private=True), raise_server_exceptions=False
    ) as running:
        yield running


@pytest.mark.parametrize("failure", FAILURES, ids=["none", "bug", "store", "value"])
def test_no_secret_is_ever_printed(
    service: ScriptedService,
    client: TestClient[Litestar],
    empty_store: Path,
    failure: Exception | None,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with Store.open(f"sqlite:///{empty_store}/store.db") as store:
        key = KeyRing(store, SystemClock()).create("shop", [Scope.QUOTES]).text
    service.failure = failure
    admin, shop = ({"Authorization": f"Bearer {one}"} for one in (ADMIN, key))
    client.post("/v1/quotes", json=QUOTE, headers=admin)
    client.post("/v1/quotes", json=QUOTE, headers={**shop, "Idempotency-Key": QUERY})
    client.post("/v1/quotes?include=" + QUERY, json=QUOTE, headers=shop)
    client.post("/v1/quotes/verify", json={"token": TOKEN}, headers=shop)
    client.get(f"/v1/shoppers/{SHOPPER}", headers=admin)
    client.delete(f"/v1/shoppers/{SHOPPER}", headers=admin)
    client.get(f"/nowhere/{SHOPPER}", headers={"Authorization": f"Bearer {TOKEN}"})
    client.request("QQSECRET", "/v1/quotes")
    hook = client.post(
        "/v1/webhooks", json={"url": f"http://127.0.0.1:9/{QUERY}", "events": ["quote.created"]}, headers=admin
    ).json()
    assert hook["secret"].startswith("whsec_")
    printed = "".join(capfd.readouterr())
    assert printed.count('"event": "request"') >= 9, "the log must have been written"
    for secret in (ADMIN, key, key.split("_", 2)[2], hook["secret"], "qqsecret", "QQSECRET"):
        assert secret not in printed
