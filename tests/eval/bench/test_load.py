"""Load generators: their output is read, and both send what they are given."""

import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from eval.bench.load import LoadGenerator, Sending, Target, parse


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bodies: list[bytes]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.bodies.append(body)
        answer = b'{"quotes":[{"status":422}]}' if body == b"bad row" else b"{}"
        self.send_response(401 if self.headers["Authorization"] != "Bearer k" else 200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[tuple[str, list[bytes]]]:
    bodies: list[bytes] = []
    handler = type("Answers", (_Answers,), {"bodies": bodies})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        served.daemon_threads = True
        Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}/v1/quotes", bodies
        served.shutdown()


def test_output_is_read() -> None:
    clients = [
        {"first_us": 1e6, "last_us": 3e6, "failed": 1, "latency_us": [10, 20]},
        {"first_us": 2e6, "last_us": 5e6, "failed": 0, "latency_us": [30]},
        {"first_us": 0, "last_us": 0, "failed": 0, "latency_us": []},
    ]
    found = parse("Running\nRESULT " + json.dumps({"lost": 2, "clients": clients}) + "\nRequests/sec: 1\n", cpu_s=0.5)
    assert (found.latency_us, found.errors, found.seconds, found.generator_cpu_s) == ([10, 20, 30], 3, 4.0, 0.5)


def test_output_without_a_result_is_an_error_with_what_was_said() -> None:
    with pytest.raises(SystemExit, match="unable to connect"):
        parse("", "unable to connect to 127.0.0.1:1")


GENERATORS = [
    pytest.param(True, marks=pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")),
    False,
]


@pytest.mark.parametrize("wrk", GENERATORS, ids=["wrk", "client"])
def test_every_body_is_sent_once_and_failures_are_counted(
    wrk: bool, server: tuple[str, list[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if not wrk:
        monkeypatch.setattr(shutil, "which", lambda _name: None)
    url, bodies = server
    found = LoadGenerator().send(Target(url, "k"), ["a", "bad row", "c"], Sending(2, 1.0, rows=True))
    assert sorted(bodies) == [b"a", b"bad row", b"c"]
    assert (len(found.latency_us), found.errors) == (3, 1)
    refused = LoadGenerator().send(Target(url, "other"), ["a"], Sending(1, 1.0))
    assert refused.errors == 1
