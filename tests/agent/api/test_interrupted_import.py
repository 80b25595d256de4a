"""A real server that is killed in the middle of an import, and started again."""

import time
from pathlib import Path

import httpx
import pytest

from agent.domain.clock import SystemClock
from agent.service.opening import open_store
from eval.serving import CommandServer, free_port, wait_ready
from tests.prepared import World

KEY = "a-key-of-enough-letters"
ROWS = 30_000
LIMIT_S = 180.0


def rows_of(folder: Path) -> bytes:
    lines = ["shopper_id,type,product_id,at"]
    lines += [f"s{n % 900},view,p{n % 70},2026-11-01T{n % 24:02}:00:{n % 60:02}Z" for n in range(ROWS)]
    path = folder / "events.csv"
    path.write_text("\n".join(lines))
    return path.read_bytes()


@pytest.mark.slow  # starts a server with all models twice; `test_runner.py` kills one without models
def test_a_killed_server_s_import_is_begun_again_and_stores_each_row_once(own: World, tmp_path: Path) -> None:
    environment = {"PRICESMITH_BOOTSTRAP_KEY": KEY}
    with open_store(own.settings()) as store:
        before = store.event_count()
    port = free_port()
    server = CommandServer(own.folder, port, environment)
    try:
        wait_ready(server, f"http://127.0.0.1:{port}")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {KEY}"}) as http:
            made = http.post(
                "/v1/imports?kind=events&into_demo=true",
                content=rows_of(tmp_path),
                headers={"Content-Type": "text/csv"},
                timeout=30,
            )
            assert made.status_code == 202, made.text
            path = made.headers["location"]
            until = time.monotonic() + LIMIT_S
            while not (http.get(path).json()["progress"]["rows"] or 0) > 1_000:
                assert time.monotonic() < until
                time.sleep(0.05)
        server.kill()
        port = free_port()
        server = CommandServer(own.folder, port, environment)
        wait_ready(server, f"http://127.0.0.1:{port}")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {KEY}"}) as http:
            while (job := http.get(path).json())["state"] in ("waiting", "running"):
                assert time.monotonic() < until
                time.sleep(0.2)
    finally:
        server.kill()
    assert (job["state"], job["attempts"]) == ("done", 2)
    result = job["result"]
    assert result["known"] > 0, "what the first attempt stored"
    assert (result["read"], result["new"] + result["known"]) == (ROWS, ROWS)
    with open_store(own.settings(), SystemClock()) as store:
        assert store.event_count() == before + ROWS
