"""A quote that stands is answered again as 200, byte for byte, and counted once."""

from typing import Any

import pytest
from litestar.testing import TestClient

from agent.api.app import create_app
from tests.prepared import World, open_all

ADMIN = "bootstrap-key-for-tests"
HEADERS = {"Authorization": f"Bearer {ADMIN}"}


@pytest.fixture(scope="module")
def own(world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    return world.copy(tmp_path_factory.mktemp("again") / "data")


def test_a_request_made_again_is_answered_with_its_quote(own: World) -> None:
    settings = own.settings(bootstrap_key=ADMIN, language_model=False, stable_prices=True, metrics_public=True)
    asked: dict[str, Any] = {"shopper": {"id": own.shopper}, "product": {"id": own.bought}}
    with TestClient(create_app(settings, open_all)) as client:
        first = client.post("/v1/quotes", json=asked, headers=HEADERS)
        again = client.post("/v1/quotes", json=asked, headers=HEADERS)
        page = client.post("/v1/pages", json={"shopper": asked["shopper"], "products": [own.bought]}, headers=HEADERS)
        other = client.post("/v1/quotes", json={**asked, "quantity": 2}, headers=HEADERS)
        counted = client.get("/metrics").text
    assert (first.status_code, again.status_code, other.status_code) == (201, 200, 201)
    assert again.json() == first.json()
    assert again.headers["location"] == first.headers["location"] == f"/v1/quotes/{first.json()['id']}"
    assert page.json()["quotes"][0]["quote"]["id"] == first.json()["id"]
    steps = [line for line in counted.splitlines() if line.startswith('pricesmith_step_seconds_count{step="observe"}')]
    assert steps == ['pricesmith_step_seconds_count{step="observe"} 2.0']
