"""Ids in paths: any character works percent-encoded, and every door reads the same id."""

import gzip
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.testing import TestClient

from agent.api.app import create_app
from agent.api.paths import routed_path
from tests.prepared import World, open_all

ADMIN = "boot" * 6
HEADERS = {"Authorization": f"Bearer {ADMIN}"}
ODD_IDS = {
    "slash": "auth0|5f/7a",
    "percent": "50%",
    "encoded twice": "a%2Fb",
    "question mark": "who?x=1",
    "fragment": "a#b",
    "inner space": "Bob Smith",
    "outer slashes": "/bob/",
    "double slash": "a//b",
    "dots": "..",
    "dot slash": "../bob",
    "plus": "a+b",
    "colon": "urn:a:b",
    "unicode": "zo\u00eb \u738b \U0001fa77",
    "backslash": "a\\b",
    "like a route": "batch",
}


@pytest.fixture(scope="module")
def client(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient[Any]]:
    own = world.copy(tmp_path_factory.mktemp("paths") / "data")
    settings = own.settings(bootstrap_key=ADMIN, bootstrap_scopes="admin,merchant,outcomes,quotes")
    with TestClient(create_app(settings, open_all)) as made:
        yield made


def path(shopper_id: str) -> str:
    encoded = quote(shopper_id, safe="")
    return f"/v1/shoppers/{encoded.replace('.', '%2E')}"


def ask(client: TestClient[Any], method: str, url: str, **options: Any) -> httpx.Response:
    """Send a path as it stands: the client would resolve its dots and encode it again."""
    request = client.build_request(method, "http://testserver/", headers=HEADERS, **options)
    request.url = request.url.copy_with(raw_path=url.encode())
    return client.send(request)


def quoted(client: TestClient[Any], shopper_id: str, product_id: str) -> dict[str, Any]:
    body = {"shopper": {"id": shopper_id}, "product": {"id": product_id}}
    answer = client.post("/v1/quotes", json=body, headers=HEADERS)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("shopper_id", ODD_IDS.values(), ids=ODD_IDS)
def test_a_shopper_of_any_id_is_exported_opted_out_and_erased(
    client: TestClient[Any], world: World, shopper_id: str
) -> None:
    quoted(client, shopper_id, world.bought)
    exported = ask(client, "GET", path(shopper_id))
    assert exported.status_code == 200 and exported.json()["id"] == shopper_id
    assert len(exported.json()["decisions"]) == 1
    out = ask(client, "PUT", path(shopper_id), json={"personalisation": "off"})
    assert out.json() == {"id": shopper_id, "personalisation": "off"}
    assert not quoted(client, shopper_id, world.bought)["personalised"]
    erased = ask(client, "DELETE", path(shopper_id)).json()
    assert erased["decisions"] == 2 and erased["profile"] == 1
    assert ask(client, "GET", path(shopper_id)).status_code == 404


@pytest.mark.parametrize("written", ["bob\u200b", " bob ", "b\u00adob\n", "\ufeffbob"], ids=ascii)
def test_what_is_asked_under_another_form_of_an_id_acts_on_its_normal_form(
    client: TestClient[Any], world: World, written: str
) -> None:
    quoted(client, written, world.bought)
    out = ask(client, "PUT", path(written), json={"personalisation": "off"})
    assert out.json()["id"] == "bob"
    assert not quoted(client, "bob", world.bought)["personalised"]
    assert ask(client, "GET", path("bob")).json()["personalisation"] == "off"
    assert ask(client, "DELETE", path(written)).json()["decisions"] == 2
    assert ask(client, "GET", path("bob")).status_code == 404


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
@pytest.mark.parametrize(
    ("encoded", "reason"),
    [
        ("%00", "control character"),
        ("a%0Ab", "line breaks"),
        ("%E2%80%8B", "visible character"),
        ("%FF", "not UTF-8"),
        ("a" * 201, "201 characters"),
    ],
)
def test_an_id_in_a_path_that_has_no_normal_form_is_422_with_the_reason(
    client: TestClient[Any], method: str, encoded: str, reason: str
) -> None:
    body: dict[str, Any] = {"json": {}} if method == "PUT" else {}
    answer = ask(client, method, f"/v1/shoppers/{encoded}", **body)
    assert answer.status_code == 422 and reason in answer.json()["detail"]
    assert answer.json()["errors"][0]["field"] == "shopper_id"


def test_a_path_whose_slash_is_not_encoded_is_another_path(client: TestClient[Any]) -> None:
    answer = ask(client, "DELETE", "/v1/shoppers/auth0%7C5f/7a")
    assert answer.status_code == 404 and "no such path" in answer.json()["detail"]


@pytest.mark.parametrize("url", ["/v1/quotes/no-such/", "/v1/%71uotes/no-such", "//v1/quotes//no-such"])
def test_other_spellings_of_a_path_reach_its_route(client: TestClient[Any], url: str) -> None:
    assert "no quote has the id 'no-such'" in ask(client, "GET", url).json()["detail"]


def scope(path: str, raw: bytes | None) -> Any:
    return {"path": path} if raw is None else {"path": path, "raw_path": raw}


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_an_id_is_one_segment_of_the_routed_path(text: str) -> None:
    raw = f"/v1/shoppers/{quote(text, safe='')}".encode()
    assert routed_path(scope(f"/v1/shoppers/{text}", raw)) == raw.decode()


def test_a_server_without_raw_paths_is_served_from_the_decoded_one() -> None:
    assert routed_path(scope("/v1/shoppers/zo\u00eb b", None)) == "/v1/shoppers/zo%C3%AB%20b"
    assert routed_path(scope("/a/\udcff", b"/%FF")) == "/a/%3F"
    assert routed_path(scope("/shop/v1/x", b"/v1/x")) == "/shop/v1/x"


LISTS = tuple(f"/v1/{name}?limit=2" for name in ("quotes", "outcomes", "events", "products", "shoppers"))
GETS = ("/livez", "/readyz", "/metrics", "/v1/metrics", "/v1/keys", "/.well-known/jwks.json", "/schema/openapi.json")


ONES = ("/v1/products/no-such", "/v1/outcomes/no-such", "/v1/webhooks/no-such", "/v1/rules/versions/9", "/problems")


@pytest.mark.parametrize(
    "url", [*GETS, *LISTS, *ONES, "/v1/webhooks", "/v1/rules", "/v1/quotes/no-such", "/v1/shoppers/no%2Fsuch"]
)
def test_head_answers_as_get_does_without_a_body(client: TestClient[Any], url: str) -> None:
    get, head = (client.request(method, url, headers=HEADERS) for method in ("GET", "HEAD"))
    assert head.status_code == get.status_code and head.content == b""
    assert head.headers["content-type"] == get.headers["content-type"]
    if "metrics" not in url:
        assert head.headers["content-length"] == get.headers["content-length"]


def test_head_needs_what_get_needs(client: TestClient[Any]) -> None:
    assert client.head("/v1/metrics").status_code == 401
    answer = client.head("/v1/recommendations", headers=HEADERS)
    assert answer.status_code == 405 and "POST" in answer.headers["allow"]
    assert "HEAD" in client.post("/livez").headers["allow"]


@pytest.mark.parametrize("url", ["/v1/quotes", "/v1/events", "/v1/quotes/x/explanations", "/v1/questions"])
@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "gzip, identity", None])
def test_a_compressed_body_is_415_with_the_remedy(client: TestClient[Any], url: str, coding: str | None) -> None:
    named = {} if coding is None else {"Content-Encoding": coding}
    answer = client.post(url, content=gzip.compress(b"{}"), headers={**HEADERS, **named})
    assert answer.status_code == 415 and "send it uncompressed" in answer.json()["detail"]
    assert answer.headers["accept-encoding"] == "identity"


def test_a_body_in_utf_16_is_named_and_a_byte_order_mark_is_no_error(client: TestClient[Any]) -> None:
    wide = client.post("/v1/questions", content='{"question": "x"}'.encode("utf-16"), headers=HEADERS)
    assert wide.status_code == 400 and "UTF-16" in wide.json()["detail"]
    marked = client.post(
        "/v1/questions", content=b"\xef\xbb\xbf{}", headers={**HEADERS, "Content-Encoding": "identity"}
    )
    assert marked.status_code == 200
