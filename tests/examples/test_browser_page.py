"""The page that asks from the browser, in a real browser."""

import functools
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import httpx
import pytest

from agent.domain.clock import SystemClock
from agent.service.auth.api_keys import KeyRing, Scope
from agent.service.opening import open_store
from eval.serving import ForkedServer, free_port, wait_ready
from tests.examples.conftest import EXAMPLES, KEY
from tests.prepared import World

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or ""


@contextmanager
def page_served() -> Iterator[str]:
    """The folder of the page on a port of its own; gives its origin."""
    folder = str(EXAMPLES / "product_page")
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def opened(url: str, profile: Path) -> str:
    """The body's tag and the price of a page, once its script has ended."""
    words = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
    command = [BROWSER, *words, "--virtual-time-budget=15000", "--dump-dom", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)  # noqa: S603
    found = re.search(r"<body[^>]*>.*?</output>", done.stdout, re.DOTALL)
    assert found is not None, done.stdout
    return found[0]


@pytest.mark.slow  # a server and a browser, twice; test_cors and test_publishable say the same of each request
@pytest.mark.skipif(not BROWSER, reason="no Chromium is installed")
def test_a_page_gets_its_price_with_a_publishable_key_and_another_page_does_not(world: World, tmp_path: Path) -> None:
    own = world.copy(tmp_path / "data")
    port = free_port()
    with page_served() as page, page_served() as stranger:
        with open_store(own.settings()) as store:
            scopes = [Scope.QUOTES, Scope.OUTCOMES]
            key = KeyRing(store, SystemClock()).create("page", scopes, origins=[page]).text
        environment = {
            "PRICESMITH_BOOTSTRAP_KEY": KEY,
            "PRICESMITH_CORS_ORIGINS": page,
            "PRICESMITH_DEFAULT_DEADLINE_MS": "30000",
        }
        server = ForkedServer(own.folder, port, environment)
        service = f"http://127.0.0.1:{port}"
        try:
            wait_ready(server, service)
            kettle = {"id": "kettle-1", "title": "Kettle", "list_price": {"amount_minor": 3990, "currency": "EUR"}}
            headers = {"Authorization": f"Bearer {KEY}"}
            assert httpx.put(f"{service}/v1/products", json=kettle, headers=headers, timeout=60).is_success
            query = urlencode({"service": service, "key": key})
            own_page = opened(f"{page}/browser.html?{query}", tmp_path / "browser")
            assert 'data-done="yes"' in own_page
            assert "data-problem" not in own_page
            assert "data-token" in own_page
            assert ">39.90 EUR<" in own_page
            seen = httpx.get(f"{service}/v1/events?type=view&product_id=kettle-1", headers=headers, timeout=60).json()
            assert len(seen["items"]) == 1
            other = opened(f"{stranger}/browser.html?{query}", tmp_path / "stranger")
            assert "Failed to fetch" in other
            assert ">49.00 EUR<" in other, "the list price in the page stands"
        finally:
            server.stop()
