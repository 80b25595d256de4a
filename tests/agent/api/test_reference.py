"""The reference page: vendored as published, closed to other hosts, and readable in a browser without a network."""

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from litestar import Litestar
from litestar.testing import TestClient

from agent.api.app import openapi_document
from agent.api.reference.routes import ASSETS
from docs.generator.openapi import main
from tests.agent.api.scripted import ScriptedService, scripted_app
from tests.chromium import CHROMIUM, Page, opened

ROOT: Final = Path(__file__).parents[3]
OURS: Final = {"reference.js", "reference.css"}
OPERATIONS: Final = [
    one["operationId"] for item in openapi_document().content["paths"].values() for one in item.values()
]


@pytest.fixture
def client(empty_store: Path) -> Iterator[TestClient[Litestar]]:
    with TestClient(scripted_app(ScriptedService(), empty_store)) as running:
        yield running


def loaded(client: TestClient[Litestar]) -> dict[str, httpx.Response]:
    """What the page loads, by address."""
    found = re.findall(r'(?:href|src|data-document)="([^"]+)"', client.get("/schema").text)
    return {address: client.get(address) for address in found}


def test_vendored_files_are_as_published() -> None:
    told = json.loads((ASSETS.parent / "assets.json").read_text("utf-8"))
    assert told["license"] == "Apache-2.0"
    found = {path.name: sha256(path.read_bytes()).hexdigest() for path in ASSETS.iterdir() if path.name not in OURS}
    assert found == told["sha256"]
    assert "Apache License" in (ASSETS / "LICENSE").read_text("utf-8")


def test_the_page_and_its_assets_name_no_other_host(client: TestClient[Litestar]) -> None:
    assert "//" not in client.get("/schema").text
    for address, answer in loaded(client).items():
        assert answer.status_code == 200, address
        assert address.startswith("/schema/"), address
        if address.endswith(".css"):
            places = re.findall(r"""(?:url\(|@import )\s*["']?(.{12})""", answer.text)
            assert all(place.startswith("data:") for place in places), places
    assert "http" not in (ASSETS / "reference.js").read_text("utf-8")
    assert "validatorUrl: null" in (ASSETS / "reference.js").read_text("utf-8"), "or a badge of swagger.io is loaded"


def test_the_policy_of_the_page_allows_this_host_alone(client: TestClient[Litestar]) -> None:
    policy = client.get("/schema").headers["content-security-policy"]
    allowed = {word for rule in policy.split("; ") for word in rule.split()[1:]}
    assert allowed == {"'none'", "'self'", "data:"}
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy.split("; ")
    assert "<style" not in client.get("/schema").text
    assert not re.search(r"<script>|\son\w+=|\sstyle=", client.get("/schema").text)


def test_assets_are_kept_for_good_under_an_address_that_changes_with_them(client: TestClient[Litestar]) -> None:
    for address, answer in loaded(client).items():
        if "/assets/" in address:
            assert "immutable" in answer.headers["cache-control"]
            wrong = re.sub(r"/assets/[0-9a-f]+/", "/assets/0123456789abcdef/", address)
            assert client.get(wrong).status_code == 404
    assert client.get("/schema/assets/0123456789abcdef/..%2Fassets.json").status_code == 404


def test_the_document_is_served_as_json_and_yaml_and_not_sent_twice(client: TestClient[Litestar]) -> None:
    for name, media in (("openapi.json", "application/json"), ("openapi.yaml", "application/yaml")):
        answer = client.get(f"/schema/{name}")
        assert answer.headers["content-type"].startswith(media)
        again = client.get(f"/schema/{name}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
    assert client.get("/schema/openapi.json").json() == openapi_document().content


def test_the_document_is_written_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "openapi.json")]) == 0
    assert main([]) == 0
    assert json.loads((tmp_path / "openapi.json").read_text("utf-8")) == openapi_document().content
    assert json.loads(capsys.readouterr().out) == openapi_document().content


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a scripted service."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "granian", "--interface", "asgi", "--factory", "--port", str(port)]
    environment = {"PRICESMITH_DATA_DIR": str(tmp_path_factory.mktemp("reference")), "PATH": "/usr/bin:/bin"}
    target = "tests.agent.api.scripted:create"
    server = subprocess.Popen(  # noqa: S603 - our own server
        [*command, target], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/livez", timeout=2).raise_for_status()
                break
            except httpx.TransportError:
                assert time.monotonic() < until, "the server did not start"
                assert server.poll() is None
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with opened(tmp_path_factory.mktemp("chromium")) as found:
        yield found


@pytest.mark.slow  # starts a server and a browser; the page's own text and policy are tested above
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_lists_every_operation_without_a_network(width: int, served: str, page: Page, tmp_path: Path) -> None:
    page.open("about:blank", width)
    page.console.clear()
    page.requests.clear()
    page.open(f"{served}/schema", width)
    page.wait_for(f"document.querySelectorAll('.opblock').length >= {len(OPERATIONS)}")
    shown: Any = page.evaluate("[...document.querySelectorAll('.opblock')].map(one => one.id)")
    assert sorted(one.rpartition("-")[2] for one in shown) == sorted(OPERATIONS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelector('#operations-quotes-createQuote button').click()")
    page.wait_for("!!document.querySelector('#operations-quotes-createQuote .example')")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(tmp_path / f"reference-{width}.png")
    assert not page.console
    assert {one.split("/schema")[0] for one in page.requests if not one.startswith("data:")} == {served}
