"""Cross-origin requests: only pages of the origins in the settings can read answers, errors too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from pydantic import ValidationError

from agent.service.settings import Settings
from tests.agent.api.scripted import ADMIN, ScriptedService, scripted_app

PAGE = "https://shop.example"
ASKS = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
HEADERS = {"Authorization": f"Bearer {ADMIN}"}


@contextmanager
def serving(folder: Path, origins: str) -> Iterator[TestClient[Litestar]]:
    app = scripted_app(ScriptedService(), folder, cors_origins=origins)
    with TestClient(app, raise_server_exceptions=False) as running:
        yield running


def test_a_preflight_names_what_a_page_may_send(empty_store: Path) -> None:
    with serving(empty_store, f"{PAGE}, http://localhost:5173") as client:
        for origin in (PAGE, "http://localhost:5173"):
            answer = client.options("/v1/quotes", headers={**ASKS, "Origin": origin})
            assert (answer.status_code, answer.content) == (204, b"")
            assert answer.headers["access-control-allow-origin"] == origin
            assert "POST" in answer.headers["access-control-allow-methods"]
            asked = answer.headers["access-control-allow-headers"].lower().split(", ")
            assert {"authorization", "content-type", "idempotency-key"} <= set(asked)
            assert answer.headers["vary"] == "Origin"
            assert "access-control-allow-credentials" not in answer.headers


def test_a_preflight_of_another_page_is_refused_with_the_remedy(empty_store: Path) -> None:
    with serving(empty_store, PAGE) as client:
        answer = client.options("/v1/quotes", headers={**ASKS, "Origin": "https://other.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "origin-not-allowed")
        assert "PRICESMITH_CORS_ORIGINS" in answer.json()["detail"]
        assert "access-control-allow-origin" not in answer.headers


def test_answers_and_errors_can_be_read_by_an_allowed_page_alone(empty_store: Path) -> None:
    with serving(empty_store, PAGE) as client:
        quote = {"product": {"id": "p1"}}
        answers = [
            client.post("/v1/quotes", json=quote, headers={**HEADERS, "Origin": PAGE}),
            client.post("/v1/quotes", json=quote, headers={"Origin": PAGE}),
            client.get("/nowhere", headers={"Origin": PAGE}),
        ]
        assert [one.status_code for one in answers] == [201, 401, 404]
        for one in answers:
            assert one.headers["access-control-allow-origin"] == PAGE
            assert "Location" in one.headers["access-control-expose-headers"]
            assert "Origin" in one.headers["vary"]
        other = client.post("/v1/quotes", json=quote, headers={**HEADERS, "Origin": "https://other.example"})
        assert other.status_code == 201
        assert "access-control-allow-origin" not in other.headers
        assert "Origin" in other.headers["vary"]


def test_without_the_setting_no_answer_speaks_of_origins(empty_store: Path) -> None:
    with serving(empty_store, "") as client:
        answer = client.post("/v1/quotes", json={"product": {"id": "p1"}}, headers={**HEADERS, "Origin": PAGE})
        asked = client.options("/v1/quotes", headers=ASKS)
        for one in (answer, asked):
            assert not [name for name in one.headers if name.startswith("access-control")]
            assert "Origin" not in one.headers.get("vary", "")


def test_a_star_allows_every_page(empty_store: Path) -> None:
    with serving(empty_store, "*") as client:
        assert client.options("/v1/quotes", headers=ASKS).headers["access-control-allow-origin"] == "*"
        assert client.get("/livez", headers={"Origin": "null"}).headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("given", ["shop.example", "https://", "https://shop.example/path", "ftp://x", "https://a b"])
def test_what_is_no_origin_is_refused_at_the_start(given: str) -> None:
    with pytest.raises(ValidationError, match="not the origin of a page; allowed"):
        Settings(cors_origins=given)


def test_origins_are_read_as_browsers_send_them() -> None:
    read = Settings(cors_origins=" HTTPS://Shop.Example:443/ ,http://[::1]:80")
    assert read.cors_origins == ("https://shop.example", "http://[::1]")
